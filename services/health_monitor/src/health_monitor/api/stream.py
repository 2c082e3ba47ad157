"""Events and scores as they happen, as server-sent events."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from common.contracts import Severity
from common.database.errors import DatabaseError
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses
from health_monitor.api.events import LAST_CURSOR, After, expired
from health_monitor.api.services import StartedServices
from health_monitor.storage.events import EventFilter, EventLog, EventPage, Expired
from health_monitor.stream import (
    HEARTBEAT,
    HEARTBEAT_SECONDS,
    Client,
    Hub,
    HubClosed,
    Message,
    SlowConsumer,
    event_message,
)

router = APIRouter(prefix="/api/v1", tags=["events"], dependencies=[MAY_READ])

_PAGE = 500
_RECONNECT = format_sse_event(retry=2000)


class What(StrEnum):
    """What is streamed."""

    EVENTS = "events"
    SCORES = "scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages a client wants; an empty set lets everything through."""

    what: frozenset[What]
    severity: Severity | None
    kinds: frozenset[str]
    namespaces: frozenset[str]

    def passes(self, message: Message) -> bool:
        what = What.SCORES if message.severity is None else What.EVENTS
        return (
            what in self.what
            and (not self.kinds or message.key.kind in self.kinds)
            and (not self.namespaces or message.key.namespace in self.namespaces)
            and (self.severity is None or message.severity is None or message.severity.rank >= self.severity.rank)
        )


def _wanted(
    what: Annotated[list[What], Query(description="events, scores or both")] = [*What],  # noqa: B006
    severity: Annotated[Severity | None, Query(description="Only events at least this severe")] = None,
    kind: Annotated[list[str], Query(description="Only about these kinds", max_length=100)] = [],  # noqa: B006
    namespace: Annotated[list[str], Query(description="Only in these namespaces", max_length=100)] = [],  # noqa: B006
) -> Wanted:
    return Wanted(what=frozenset(what), severity=severity, kinds=frozenset(kind), namespaces=frozenset(namespace))


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Messages `event` (a HealthEvent, its cursor as id) and `score` (object, score, at)",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **responses(410),
    },
)
async def stream(
    services: StartedServices,
    wanted: Annotated[Wanted, Depends(_wanted)],
    after: After = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LAST_CURSOR, description="Sent by browsers when they reconnect; like `after`")
    ] = None,
) -> StreamingResponse:
    """What happens from now on, or everything after a cursor and then what happens.

    A comment line comes every 15 s when there is nothing else. A client that does not keep up is disconnected, and
    reads on from the last id it has.
    """
    start = after if last_event_id is None else last_event_id
    if What.EVENTS not in wanted.what:
        return _streamed(_live(services.hub, wanted))
    stored = services.storage.stored
    if stored is None:
        raise Problem(503, f"{services.storage.reason}; scores can be streamed all the same: ?what=scores")
    if start is None:
        return _streamed(_live(services.hub, wanted))
    log = stored.events
    try:
        (await log.bounds()).start(start)
    except Expired as error:
        raise expired(error) from None
    return _streamed(_resumed(services.hub, wanted, log, start))


def _streamed(frames: AsyncIterator[bytes]) -> StreamingResponse:
    # X-Accel-Buffering: nginx would else keep messages back until a buffer is full.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def _live(hub: Hub, wanted: Wanted) -> AsyncIterator[bytes]:
    with suppress(SlowConsumer, HubClosed), hub.client() as client:
        yield _RECONNECT
        async for frame in _following(client, wanted, 0):
            yield frame


async def _resumed(hub: Hub, wanted: Wanted, log: EventLog, cursor: int) -> AsyncIterator[bytes]:
    """Stored events, then live ones. One listens only when nearly all are read: the queue would overflow meanwhile."""
    with suppress(SlowConsumer, HubClosed, Expired, DatabaseError):
        yield _RECONNECT
        async for page in _stored(log, wanted, cursor):
            cursor = page.next_cursor
            yield _frames(page)
        with hub.client() as client:
            async for page in _stored(log, wanted, cursor):
                cursor = page.next_cursor
                yield _frames(page)
            async for frame in _following(client, wanted, cursor):
                yield frame


async def _stored(log: EventLog, wanted: Wanted, cursor: int) -> AsyncIterator[EventPage]:
    where = EventFilter(min_severity=wanted.severity, kinds=wanted.kinds, namespaces=wanted.namespaces)
    more = True
    while more:
        page = await log.read(cursor, where=where, limit=_PAGE)
        yield page
        cursor, more = page.next_cursor, page.more


def _frames(page: EventPage) -> bytes:
    return b"".join(event_message(event).frame for event in page.events)


async def _following(client: Client, wanted: Wanted, cursor: int) -> AsyncIterator[bytes]:
    """Messages as they come, without those up to the cursor, which the client has."""
    while True:
        message = await client.next(HEARTBEAT_SECONDS)
        if message is None:
            yield HEARTBEAT
        elif wanted.passes(message) and (message.cursor == 0 or message.cursor > cursor):
            yield message.frame
