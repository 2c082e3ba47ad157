"""Stored events: read on from a cursor, or one by its id."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from common.contracts import Change, HealthEvent, Severity
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses
from health_monitor.api.answers import answer
from health_monitor.api.parameters import KnownCode, KnownKind
from health_monitor.api.services import AnyServices, StoredServices
from health_monitor.storage.events import EventFilter, EventPage, Expired

router = APIRouter(prefix="/api/v1", tags=["events"], dependencies=[MAY_READ])

LAST_CURSOR = 2**63 - 1
_LONGEST_WAIT_SECONDS = 60  # shorter than the idle time-outs of most proxies

After = Annotated[
    int | None, Query(ge=0, le=LAST_CURSOR, description="Only events after this cursor; none: from the oldest kept")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events in the order of their cursors."""

    events: list[HealthEvent]
    next_cursor: Annotated[int, Field(description="Read on with `after`, also when there are no events here")]
    head: Annotated[int, Field(description="Cursor of the newest event that is stored")]
    more: Annotated[bool, Field(description="Whether more can be read at once")]


def _filter(
    severity: Annotated[Severity | None, Query(description="Only findings at least this severe")] = None,
    code: Annotated[list[KnownCode], Query(description="Only of these checks", max_length=100)] = [],  # noqa: B006
    kind: Annotated[list[KnownKind], Query(description="Only about these kinds", max_length=100)] = [],  # noqa: B006
    namespace: Annotated[list[str], Query(description="Only in these namespaces", max_length=100)] = [],  # noqa: B006
    change: Annotated[list[Change], Query(description="Only these changes")] = [],  # noqa: B006
) -> EventFilter:
    return EventFilter(
        min_severity=severity,
        codes=frozenset(code),
        kinds=frozenset(kind),
        namespaces=frozenset(namespace),
        changes=frozenset(change),
    )


Where = Annotated[EventFilter, Depends(_filter)]


@router.get("/events", response_model=Events, responses=responses(410))
async def events(
    *,
    services: AnyServices,
    stored: StoredServices,
    where: Where,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most events of one answer")] = 100,
    wait: Annotated[
        float, Query(ge=0, le=_LONGEST_WAIT_SECONDS, description="Seconds to wait for an event when there is none yet")
    ] = 0,
) -> Response:
    """Events after a cursor, oldest first. 410 when events after it are no longer kept, so that some were missed."""
    try:
        waiting = stored.events.read(after, where=where, limit=limit, wait_seconds=wait)
        page = await _unless(services.stopping, waiting) or await stored.events.read(after, where=where, limit=limit)
    except Expired as error:
        raise expired(error) from None
    return answer(Events, Events(events=page.events, next_cursor=page.next_cursor, head=page.head, more=page.more))


@router.get("/events/{event_id}", response_model=HealthEvent, responses=responses(404))
async def event(
    stored: StoredServices, event_id: Annotated[UUID, Path(description="The event's id, as its CloudEvent tells it")]
) -> Response:
    """One event."""
    found = await stored.events.get(event_id)
    if found is None:
        raise Problem(404, "there is no event with this id, or it is no longer kept")
    return answer(HealthEvent, found)


async def _unless(stopping: asyncio.Event, waiting: Coroutine[None, None, EventPage]) -> EventPage | None:
    """What was waited for; None when the service is going down, which has no time for that."""
    page = asyncio.create_task(waiting)
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((page, stop), return_when=asyncio.FIRST_COMPLETED)
        return page.result() if page.done() else None
    finally:
        page.cancel()
        stop.cancel()


def expired(error: Expired) -> Problem:
    return Problem(410, str(error), reason=error.reason, oldest=error.oldest, head=error.head)
