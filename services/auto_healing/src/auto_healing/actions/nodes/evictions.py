"""Evicts one pod as its budgets allow: again and again, ever more slowly, for as long as there is time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import uniform

from auto_healing.kube.cluster import EvictionBlocked

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 10.0


async def evict_patiently(
    evict: Callable[[], Awaitable[bool]],
    *,
    before_each: Callable[[], Awaitable[None]],
    on_blocked: Callable[[Sequence[str]], None],
    left: Callable[[], timedelta],
) -> bool:
    """False when it was gone already. `before_each` try may raise to end it, as it has to when no time is `left`.

    `on_blocked` is told which budgets forbid it.

    Raises EvictionBlocked only when it can never be evicted, which several budgets for one pod mean.
    """
    delay = FIRST_SECONDS
    while True:
        await before_each()
        try:
            return await evict()
        except EvictionBlocked as blocked:
            on_blocked(blocked.pdbs)
            if blocked.never:
                raise
        wait = uniform(delay / 2, delay)  # noqa: S311 - it spreads requests and guards no secret
        await asyncio.sleep(max(0.0, min(wait, left().total_seconds())))
        delay = min(2 * delay, LONGEST_SECONDS)
