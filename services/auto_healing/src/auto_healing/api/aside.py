"""Seconds of pure work in a thread, while the event loop goes on deciding and acting."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SWITCH_SECONDS = 0.001  # instead of 0.005: the event loop waits so long each time that it wakes up


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises. One at a time: it sets what holds for the whole process."""
    with _giving_way():
        return await asyncio.to_thread(work, *args, **kwargs)


@contextlib.contextmanager
def _giving_way() -> Iterator[None]:
    """Without the garbage collector, which would hold up everything for 100 ms and more, whenever it went through a
    large cluster's copy; what it would find meanwhile is little, and is found afterwards."""
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collecting:
            gc.enable()
