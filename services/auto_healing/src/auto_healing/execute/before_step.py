"""What is asked again before each step, however sure the plan was: rights, the live target, the view, the guards."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from auto_healing.actions.action import Action
from auto_healing.history import History
from auto_healing.kube.cluster import Cluster
from auto_healing.kube.paths import RESOURCES_BY_KIND
from auto_healing.past import Past
from auto_healing.plan import Decline, Step
from auto_healing.run import Run
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.kube.errors import KubeError
from common.web.auth import AuthenticationUnavailable, Identity, Scope

logger = logging.getLogger(__name__)

# The guards with facts of now. The history is without the run itself, which does not stand in its own way.
Recheck = Callable[[Run, Step, History], Sequence[Decline]]
StillHas = Callable[[Identity, Scope], Awaitable[bool]]

_CATCH_UP_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeStep:
    """Asks everything that may still stop a step. Every doubt is a decline."""

    cluster: Cluster
    snapshot: Callable[[], ClusterSnapshot]
    actions: Mapping[str, Action]
    recheck: Recheck
    still_has: StillHas
    past: Past
    clock: Clock

    async def declines(self, run: Run, step: Step) -> Sequence[Decline]:
        """Why the step must not be done now; empty when it may."""
        if declined := await self._approver(run) or await self._target(step) or self._action(step):
            return (declined,)
        try:
            return tuple(self.recheck(run, step, self.past.without(run.id)))
        except Exception as error:
            logger.exception("the guards failed")
            return (self._decline("guards", f"the guards failed, so nothing is done: {type(error).__name__}"),)

    async def _approver(self, run: Run) -> Decline | None:
        """Whoever vouched for the person is asked about: the person's own rights are known there alone."""
        if not run.approved_by:
            return None
        name = run.vouched_by or run.approved_by
        who = Identity(name, frozenset(run.approver_groups), frozenset())
        needed = (Scope.APPROVE, Scope.DELEGATE) if run.vouched_by else (Scope.APPROVE,)
        try:
            lost = [scope for scope in needed if not await self.still_has(who, scope)]
        except AuthenticationUnavailable as error:
            return self._decline("approval", f"the rights of {name} cannot be checked: {error}")
        if not lost:
            return None
        did = f"passed on the approval of {run.approved_by}" if run.vouched_by else "approved it"
        return self._decline("approval", f"{name}, who {did}, may not {lost[0]} any more", passes=False)

    async def _target(self, step: Step) -> Decline | None:
        """Read the live object, and let the view catch up with it, so that the guards judge nothing older."""
        if step.target.kind not in RESOURCES_BY_KIND:
            return None  # the cluster, a zone
        try:
            found = await self.cluster.read(step.target)
        except KubeError as error:
            return self._decline("fresh-view", f"{step.target.key} cannot be read: {error}")
        if found is None:
            gone = f"{step.target.key} is gone, or another one has taken its name"
            return self._decline("still-true", gone, passes=False)
        return await self._caught_up(step, str(found["metadata"].get("resourceVersion", "")))

    async def _caught_up(self, step: Step, version: str) -> Decline | None:
        deadline = self.clock.monotonic() + _CATCH_UP_SECONDS
        while not is_as_new(self.snapshot(), step, version):
            if self.clock.monotonic() > deadline:
                return self._decline(
                    "fresh-view",
                    f"the view of {step.target.key} lags behind the cluster by more than {_CATCH_UP_SECONDS:.0f} s",
                )
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    def _action(self, step: Step) -> Decline | None:
        """Its preconditions, on the target as it is now."""
        action = self.actions.get(step.action)
        if action is None:
            return self._decline("policy", f"there is no action {step.action} in this version", passes=False)
        snapshot = self.snapshot()
        row = snapshot.find(step.target.key)
        if row is None:
            return None
        try:
            refusal = action.preview(row, snapshot, step.parameters, self.clock.now()).refusal
        except Exception as error:
            logger.exception("the preview of %s failed", step.action)
            refusal = f"its preview failed: {type(error).__name__}"
        return self._decline("precondition", refusal) if refusal else None

    def _decline(self, guard: str, message: str, *, passes: bool = True) -> Decline:
        """What does not pass by itself is not looked at again, and no later step waits for it."""
        again_at = self.clock.now() + _LOOK_AGAIN if passes else None
        return Decline(guard=guard, message=message, look_again_at=again_at)


def is_as_new(snapshot: ClusterSnapshot, step: Step, version: str) -> bool:
    """Whether the view of the target is at least as new as that resourceVersion.

    Versions of one kind compare as numbers (KEP-5504); what is no number is only compared for being the same. Kinds
    that are not watched are left to the actions, which read them live.
    """
    kind: Any = snapshot.sources.get(step.target.kind)
    if kind is None:
        return True
    row = snapshot.find(step.target.key)
    if row is None or (step.target.uid and row.uid != step.target.uid):
        return False
    if row.resource_version.isdecimal() and version.isdecimal():
        return int(row.resource_version) >= int(version)
    return row.resource_version == version
