"""Fan-out of what happens to the clients that are connected now.

Keeps nothing: who missed something reads it from the stored events, by cursor.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from common.contracts import HealthEvent, ObjectKey, Severity
from health_monitor.engine.outcome import ScoreChange

HEARTBEAT = KEEPALIVE_COMMENT
HEARTBEAT_SECONDS = 15.0  # below the 30 to 60 s after which common proxies close an idle connection
# A lost zone of a large cluster moves a few thousand scores at once, which must not cut off those who do keep up.
# Messages are shared by all clients, so this many cost a few megabytes in all.
MAX_WAITING = 10_000


class Message(msgspec.Struct, frozen=True, gc=False):
    """One server-sent event, encoded once for all clients."""

    key: ObjectKey
    severity: Severity | None  # None: a score
    cursor: int  # 0: a score
    frame: bytes


class SlowConsumer(Exception):
    """The client did not read as fast as things happened, and was cut off."""


class HubClosed(Exception):
    """The service is going down."""


class Client:
    """One connected client's bounded queue."""

    def __init__(self, max_waiting: int) -> None:
        self._waiting: deque[Message] = deque()
        self._max_waiting = max_waiting
        self._ended: Exception | None = None
        self._wake = asyncio.Event()

    def offer(self, message: Message) -> bool:
        """Queue the message; False when that was one too many, and the client is cut off."""
        if self._ended is not None:
            return True
        if len(self._waiting) == self._max_waiting:
            self.end(SlowConsumer())
            return False
        self._waiting.append(message)
        self._wake.set()
        return True

    def end(self, why: Exception) -> None:
        self._ended = why
        self._waiting.clear()  # the client may never take another byte
        self._wake.set()

    async def next(self, within: float) -> Message | None:
        """The next message; None when there was none within so many seconds. Raises what ended the client."""
        if not self._waiting and self._ended is None:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), within)
            except TimeoutError:
                return None
        if self._ended is not None:
            raise self._ended
        return self._waiting.popleft()


class Hub:
    """Where producers publish and clients listen. Publishing never waits."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._clients: set[Client] = set()
        self._max_waiting = max_waiting
        self._closed = False
        self.dropped = 0

    @property
    def clients(self) -> int:
        return len(self._clients)

    def publish_events(self, events: Sequence[HealthEvent]) -> None:
        for event in events if self._clients else ():
            self._publish(event_message(event))

    def publish_scores(self, scores: Sequence[ScoreChange]) -> None:
        for score in scores if self._clients else ():
            self._publish(score_message(score))

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Messages from now on, for as long as the block lasts."""
        client = Client(self._max_waiting)
        self._clients.add(client)
        if self._closed:
            client.end(HubClosed())
        try:
            yield client
        finally:
            self._clients.discard(client)

    def close(self) -> None:
        """End every client, also those to come, so that the server can shut down."""
        self._closed = True
        for client in self._clients:
            client.end(HubClosed())

    def _publish(self, message: Message) -> None:
        for client in self._clients:
            if not client.offer(message):
                self.dropped += 1


def event_message(event: HealthEvent) -> Message:
    """A stored event; its cursor is the id from which a client that lost the connection reads on."""
    finding = event.data.finding
    frame = format_sse_event(event="event", data_str=event.model_dump_json(), id=str(event.cursor))
    return Message(finding.object.key, finding.severity, event.cursor, frame)


def score_message(change: ScoreChange) -> Message:
    """A score that moved; null when the object is gone. It has no id: scores are not replayed."""
    data = {"object": change.key.ref(), "score": change.score, "at": change.at}
    frame = format_sse_event(event="score", data_str=msgspec.json.encode(data).decode())
    return Message(change.key, None, 0, frame)
