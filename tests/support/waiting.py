"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], *, within_seconds: float = 60) -> None:
    """Return as soon as the condition holds; fail when it never does."""
    deadline = time.monotonic() + within_seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {within_seconds} s: {condition.__qualname__}")
        await asyncio.sleep(0.02)
