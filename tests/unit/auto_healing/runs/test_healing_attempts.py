"""Trying again: until the deadline, and as long as this replica leads."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import SteppedClock

from auto_healing.actions.action import Outcome, Result
from auto_healing.execute.attempts import HOW_FAR, attempt, until_stored
from auto_healing.kube.cluster import EvictionBlocked, NotActing
from auto_healing.storage.fence import Deposed
from common.clock import SystemClock
from common.database.errors import DatabaseUnavailable
from common.kube.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Throttled, Unauthorized, Unavailable

DONE = Outcome(result=Result.DONE, message="done")
MINUTE = timedelta(minutes=1)
NONE = timedelta(0)


def acting(*will: Any) -> Callable[[], Awaitable[Any]]:
    """Raises or returns one after another."""
    left = list(will)

    async def act() -> Any:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return act


async def attempted(*will: Any, seconds: float = 60) -> Outcome:
    clock = SystemClock()
    return await attempt(acting(*will), clock=clock, deadline=clock.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("away"), Throttled("busy"), Conflict("changed"), Gone("too old"), DatabaseUnavailable("away")],
    ids=["no answer", "throttled", "changed since it was read", "a list that took too long", "no database"],
)
async def test_what_passes_is_tried_again(trouble: Exception) -> None:
    assert await attempted(trouble, trouble, DONE) == DONE


@pytest.mark.parametrize(
    ("error", "result", "words"),
    [
        pytest.param(Forbidden("no right"), Result.FAILED, "no right", id="a missing right"),
        pytest.param(
            Forbidden('admission webhook "no.example.com" denied the request: not today'),
            Result.FAILED,
            "not today",
            id="an admission webhook",
        ),
        pytest.param(Unauthorized("expired"), Result.FAILED, "expired", id="credentials that have expired"),
        pytest.param(NotFound("no such object"), Result.FAILED, "no such object", id="not there"),
        pytest.param(Invalid("cannot be changed"), Result.FAILED, "cannot be changed", id="not accepted"),
        pytest.param(ZeroDivisionError("oops"), Result.FAILED, "defect", id="a defect"),
        pytest.param(
            EvictionBlocked("PDB web", pdbs=["web"], never=False, retry_after_seconds=1),
            Result.BLOCKED,
            "PDB web",
            id="PDB",
        ),
    ],
)
async def test_what_does_not_pass_is_an_outcome(error: Exception, result: Result, words: str) -> None:
    outcome = await attempted(error)
    assert (outcome.result, words in outcome.message) == (result, True)
    assert HOW_FAR.items() <= outcome.numbers.items()  # so that what it may have left is taken back


@pytest.mark.parametrize("error", [NotActing("another leads"), Deposed(3)], ids=["may not write", "deposed"])
async def test_whoever_does_not_lead_any_more_stops(error: Exception) -> None:
    with pytest.raises(type(error)):
        await attempted(error, DONE)


async def test_after_the_deadline_nothing_is_tried() -> None:
    outcome = await attempted(DONE, seconds=-1)
    assert (outcome.result, "deadline" in outcome.message) == (Result.FAILED, True)


async def test_what_hangs_is_ended_at_the_deadline() -> None:
    clock = SystemClock()
    outcome = await attempt(
        asyncio.Event().wait,
        clock=clock,
        deadline=clock.now() + timedelta(seconds=0.05),
        grace=NONE,  # type: ignore[arg-type]
    )
    assert (outcome.result, "deadline" in outcome.message) == (Result.FAILED, True)


async def test_the_last_trouble_is_named_when_time_is_over() -> None:
    clock = SteppedClock()

    async def act() -> Outcome:
        clock.step(31)
        raise Unavailable("no route to the API server")

    outcome = await attempt(act, clock=clock, deadline=clock.now() + MINUTE)
    assert "no route to the API server" in outcome.message


async def test_what_was_done_is_stored_however_long_that_takes() -> None:
    away = DatabaseUnavailable("away")
    assert await until_stored(acting(away, away, "stored"), leads=lambda: True) == "stored"


async def test_who_does_not_lead_any_more_stops_storing() -> None:
    with pytest.raises(DatabaseUnavailable):
        await until_stored(acting(DatabaseUnavailable("away")), leads=lambda: False)
