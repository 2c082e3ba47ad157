"""Keeps the background tasks of the service running: one that ends with an error is counted, told and started anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# A task that has run for so long is well again: the next crash is a new one.
_WELL_AFTER_SECONDS = 60.0


class Supervisor:
    """Tasks that run for as long as the service. Use it as a context: at its end they are all cancelled and awaited."""

    def __init__(self, on_crash: Callable[[str], None], *, first_pause_seconds: float = _FIRST_PAUSE_SECONDS) -> None:
        self._on_crash = on_crash
        self._first_pause = first_pause_seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._crashed: dict[str, str] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` under the name. One that returns is done and not started again."""
        self._tasks[name] = asyncio.create_task(self.keep(name, work), name=name)

    async def stop(self, name: str) -> None:
        """Cancel one task and wait for its end; nothing when there is none."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop_all(self) -> None:
        """In the reverse order of their starts: what was built on others ends before them."""
        for name in reversed(list(self._tasks)):
            await self.stop(name)

    async def trouble(self) -> str | None:
        """Which tasks do not run, and why; None when all do. For a probe."""
        return "; ".join(f"{name} {reason}" for name, reason in self._crashed.items()) or None

    async def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until it returns, and anew whenever it crashes."""
        pause = self._first_pause
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            recovery = asyncio.get_running_loop().call_later(_WELL_AFTER_SECONDS, self._crashed.pop, name, None)
            try:
                await work()
                self._crashed.pop(name, None)
                return
            except Exception as error:
                logger.exception("task %s crashed; it is started again in %.0f s", name, pause)
                self._crashed[name] = f"crashed with {type(error).__name__}"
                self._on_crash(name)
            finally:
                recovery.cancel()
            if clock() - started > _WELL_AFTER_SECONDS:
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
