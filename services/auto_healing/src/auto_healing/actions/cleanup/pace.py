"""How many requests are under way at once: few enough that the API server never has to say no, fewer once it did.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from common.kube.errors import Throttled

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 16
PAUSE_SECONDS = 1.0
PATIENCE = 6  # refusals of one request in a row before it counts as failed


class Pace:
    """Halved by each refusal, and one more after each list that went through without any."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._most = at_once
        self.at_once = at_once
        self.refusals = 0

    async def map(self, call: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
        """The results in the order of the items. The first error ends it, when those under way have ended."""
        before = self.refusals
        results: dict[int, R] = {}
        left = iter(enumerate(items))

        async def work(lane: int) -> None:
            for number, item in left:
                results[number] = await self._patiently(call, item)
                if lane >= self.at_once:
                    return

        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in range(min(self.at_once, len(items))):
                    lanes.create_task(work(lane))
        except* Exception as group:
            raise group.exceptions[0] from None
        if self.refusals == before:
            self.at_once = min(self._most, self.at_once + 1)
        return [results[number] for number in range(len(items))]

    async def _patiently(self, call: Callable[[T], Awaitable[R]], item: T) -> R:
        for refused in range(PATIENCE):
            try:
                return await call(item)
            except Throttled as error:
                if refused + 1 == PATIENCE:
                    raise
                self.refusals += 1
                self.at_once = max(1, self.at_once // 2)
                await asyncio.sleep(max(PAUSE_SECONDS * 2**refused, error.retry_after_seconds or 0.0))
        raise AssertionError("unreachable")
