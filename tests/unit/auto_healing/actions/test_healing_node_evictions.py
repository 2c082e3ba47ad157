"""An eviction is tried for as long as there is time, and not at all when it can never be."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from auto_healing.actions.nodes.evictions import evict_patiently
from auto_healing.actions.nodes.vigil import OutOfTime
from auto_healing.kube.cluster import EvictionBlocked


class Tries:
    """Answers one eviction after the other; out of time when there is nothing left to answer."""

    def __init__(self, *answers: bool | EvictionBlocked) -> None:
        self._answers = list(answers)
        self.blocked_by: list[Sequence[str]] = []

    async def before_each(self) -> None:
        if not self._answers:
            raise OutOfTime

    async def evict(self) -> bool:
        answer = self._answers.pop(0)
        if isinstance(answer, EvictionBlocked):
            raise answer
        return answer

    async def carried_out(self) -> bool:
        return await evict_patiently(
            self.evict,
            before_each=self.before_each,
            on_blocked=self.blocked_by.append,
            left=timedelta,  # none, so that it waits for nothing
        )


def blocked(*pdbs: str, never: bool = False) -> EvictionBlocked:
    return EvictionBlocked("a budget forbids it", pdbs=pdbs, never=never, retry_after_seconds=None)


@pytest.mark.parametrize("evicted", [True, False], ids=["evicted", "gone already"])
async def test_it_is_tried_until_the_budget_has_room(evicted: bool) -> None:
    tries = Tries(blocked("web"), blocked("web"), evicted)
    assert await tries.carried_out() is evicted
    assert tries.blocked_by == [("web",), ("web",)]


async def test_it_ends_with_the_time() -> None:
    with pytest.raises(OutOfTime):
        await Tries(blocked("web")).carried_out()


async def test_what_can_never_be_evicted_is_tried_once() -> None:
    tries = Tries(blocked("one", "two", never=True), True)
    with pytest.raises(EvictionBlocked):
        await tries.carried_out()
    assert tries.blocked_by == [("one", "two")]
