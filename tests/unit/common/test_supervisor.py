"""A background task that crashes is counted, told and started anew."""

import asyncio

import pytest
from tests.support.waiting import eventually

from common.supervisor import Supervisor


async def test_a_crashed_task_is_told_counted_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    crashes: list[str] = []
    starts = 0
    release = asyncio.Event()

    async def work() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise RuntimeError("lost")
        await release.wait()

    supervisor = Supervisor(crashes.append, first_pause_seconds=0.001)
    supervisor.start("watch", work)
    await eventually(lambda: _is(starts == 2))

    assert crashes == ["watch"]
    assert await supervisor.trouble() == "watch crashed with RuntimeError"
    assert "task watch crashed" in caplog.text
    release.set()
    await eventually(lambda: _no_trouble(supervisor))
    await supervisor.stop_all()


async def test_a_task_that_returns_is_done() -> None:
    starts = 0

    async def work() -> None:
        nonlocal starts
        starts += 1

    supervisor = Supervisor(lambda name: None, first_pause_seconds=0)
    supervisor.start("once", work)
    for _ in range(5):
        await asyncio.sleep(0)

    assert starts == 1
    assert await supervisor.trouble() is None


async def test_tasks_end_in_the_reverse_order_of_their_starts() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    supervisor = Supervisor(lambda name: None)
    for name in ("watch", "monitor", "outbox"):
        supervisor.start(name, lambda name=name: work(name))
    await asyncio.sleep(0)
    await supervisor.stop("monitor")
    await supervisor.stop("unknown")
    await supervisor.stop_all()

    assert ended == ["monitor", "outbox", "watch"]


async def _is(true: bool) -> bool:
    return true


async def _no_trouble(supervisor: Supervisor) -> bool:
    return await supervisor.trouble() is None
