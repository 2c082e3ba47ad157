"""Waiting for what controllers and kubelets do with what was written, until the step's deadline."""

import asyncio
from collections.abc import Awaitable, Callable

from auto_healing.actions.action import Doing

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0


async def until(doing: Doing, holds: Callable[[], Awaitable[bool]]) -> bool:
    """As soon as it holds. False when there was no more time; it is asked at least once."""
    pause = FIRST_SECONDS
    while not await holds():
        left = doing.left.total_seconds()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_SECONDS)
    return True
