"""Trying again: a step until its deadline, and the storing of what came of it for as long as this replica leads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import TypeVar

from auto_healing.actions.action import Outcome, Result
from auto_healing.kube.cluster import EvictionBlocked, NotActing
from auto_healing.storage.fence import Deposed
from common.clock import Clock
from common.database.errors import Contended, DatabaseUnavailable, StatementTimeout
from common.kube.errors import Conflict, Gone, KubeError, Throttled, Unavailable
from common.kube.retry import Backoff

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Nothing is wrong with the request itself. After a Conflict the action reads the object anew, after Gone the list.
DATABASE_AWAY = (DatabaseUnavailable, Contended, StatementTimeout)
_PASSING = (Unavailable, Throttled, Conflict, Gone, *DATABASE_AWAY)
BACKOFF = Backoff(first_seconds=0.1, longest_seconds=10.0)
# An action that keeps its deadline says better than we can what it was waiting for.
_GRACE = timedelta(seconds=5)
# In the numbers of what was broken off: nobody knows how far it got, so that it may have to be taken back.
HOW_FAR = {"how_far": "unknown"}
_random = Random()  # noqa: S311 - it spreads retries and guards no secret


async def attempt(
    act: Callable[[], Awaitable[Outcome]], *, clock: Clock, deadline: datetime, grace: timedelta = _GRACE
) -> Outcome:
    """Act until there is an outcome, or the deadline has passed. Raises only NotActing and Deposed.

    An action that raises may have done a part of it: what it leaves is to be looked for, and taken back.
    """
    trouble = "it took too long"
    for tries in count():
        left = (deadline - clock.now()).total_seconds()
        if left <= 0:
            break
        try:
            async with asyncio.timeout(left + grace.total_seconds()):
                return await act()
        except (NotActing, Deposed):
            raise
        except TimeoutError:
            break
        except EvictionBlocked as error:
            return Outcome(
                result=Result.BLOCKED, message=str(error), numbers={"pdbs": ", ".join(error.pdbs), **HOW_FAR}
            )
        except _PASSING as error:
            trouble = str(error)
            wait = BACKOFF.delay(tries, _random, getattr(error, "retry_after_seconds", None))
            await asyncio.sleep(min(wait, max(0.0, left)))
        except KubeError as error:
            return Outcome(result=Result.FAILED, message=str(error), numbers={"status": error.status, **HOW_FAR})
        except Exception as error:
            logger.exception("an action has a defect")
            message = f"the action has a defect: {type(error).__name__}: {error}"
            return Outcome(result=Result.FAILED, message=message, numbers=HOW_FAR)
    return Outcome(result=Result.FAILED, message=f"not done before its deadline: {trouble}", numbers=HOW_FAR)


async def until_stored(write: Callable[[], Awaitable[T]], *, leads: Callable[[], bool]) -> T:
    """Store what has happened, however long the database is away. Raises Deposed, also when this replica is told so."""
    for tries in count():
        try:
            return await write()
        except DATABASE_AWAY as error:
            if not leads():
                raise
            logger.log(logging.DEBUG if tries else logging.WARNING, "what was done cannot be stored yet: %s", error)
            await asyncio.sleep(BACKOFF.delay(tries, _random))
    raise AssertionError("unreachable")


async def pause(tries: int) -> None:
    """Before the same is tried again."""
    await asyncio.sleep(BACKOFF.delay(tries, _random))
