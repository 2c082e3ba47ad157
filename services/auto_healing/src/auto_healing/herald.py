"""Tells on the objects themselves, as Kubernetes Events, what somebody has to know or do."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from auto_healing.kube.cluster import Cluster
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.run import RunState
from auto_healing.storage.proposing import Answer

# In a storm the ledger has them all; an API server in trouble needs no thousand Events.
MOST_AT_ONCE = 20
_LONGEST_SECONDS = 2.0  # no decision waits longer for an API server that is slow to take Events


class Herald:
    """`cluster.event` logs what it cannot write and raises nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def decided(self, answers: Sequence[Answer]) -> None:
        """Of what is news: what waits for approval, where a human is called, and what a guard holds back."""
        news = [answer for answer in answers if not answer.repeat and _is_told(answer)]
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                await asyncio.gather(*map(self._tell, news[:MOST_AT_ONCE]))

    async def _tell(self, answer: Answer) -> None:
        reason, message = _told(answer)
        await self._cluster.event(answer.plan.target, reason=reason, message=message, warning=True)


def _is_told(answer: Answer) -> bool:
    if answer.plan.target.kind in {"Cluster", "Zone"}:
        return False
    if answer.run is not None and answer.run.state is RunState.AWAITING_APPROVAL:
        return True
    if not answer.declined:
        return False
    return bool(answer.plan.steps) or answer.declined[0].guard == CALL_A_HUMAN


def _told(answer: Answer) -> tuple[str, str]:
    plan = answer.plan
    if not answer.declined:
        return "HealingAwaitsApproval", f"{plan.steps[0].action} waits for approval: {plan.steps[0].reason}"
    first = answer.declined[0]
    if first.guard == CALL_A_HUMAN:
        return "HealingNeedsHuman", first.message
    return "HealingDeclined", f"{plan.steps[0].action} was declined by {first.guard}: {first.message}"
