"""What decisions rest on, as one instant: which pauses are in force."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from tests.support.clock import NOON, SteppedClock
from tests.support.rows import a_snapshot
from tests.support.waiting import eventually

from auto_healing.facts import Pause
from auto_healing.past import Past
from auto_healing.view import View

FOR_GOOD = Pause(namespace="shop", reason="a migration", by="alice", since=NOON)
FOR_A_MINUTE = Pause(namespace="", reason="an incident", by="bob", since=NOON, until=NOON + timedelta(minutes=1))


class Stored:
    """What is stored does not change, and is read once."""

    def __init__(self) -> None:
        self.asked = 0

    async def list(self, now: Any) -> list[Pause]:
        self.asked += 1
        return [FOR_GOOD, FOR_A_MINUTE]


def needless() -> Any:
    raise AssertionError("pauses are asked for without all the rest of the world")


async def test_a_pause_ends_with_its_time_and_is_asked_for_without_the_rest_of_the_world() -> None:
    clock, stored, told = SteppedClock(), Stored(), []
    watch: Any = SimpleNamespace(store=a_snapshot())
    view = View(watch, clock, policy=needless, past=Past(), alerts=needless, other_healers=needless)
    view.on_pauses = lambda: told.append(view.pauses())
    task = asyncio.create_task(view.follow_pauses(stored))  # type: ignore[arg-type]
    await asyncio.wait_for(view.pauses_known.wait(), 60)
    assert list(view.pauses()) == [FOR_GOOD, FOR_A_MINUTE]

    clock.step(timedelta(minutes=1))
    assert list(view.pauses()) == [FOR_GOOD]

    async def asked_again() -> bool:
        return stored.asked > 1

    await eventually(asked_again)
    assert told == [[FOR_GOOD, FOR_A_MINUTE]]  # what is the same is no news
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
