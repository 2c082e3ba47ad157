"""Everything that was asked, answered, posted and pressed."""

import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

Json = dict[str, Any]
_KEPT = 100_000


class Message(msgspec.Struct, kw_only=True):
    """One message as it stands. Slack's has `blocks`, Teams' has `card`, a generic webhook's has `body`."""

    vendor: str  # slack, teams or hook
    channel: str  # its name, without #
    id: str  # Slack: ts
    at: float  # seconds since the epoch
    by: str  # app, webhook, response or flow
    text: str = ""
    blocks: list[Json] = []
    attachments: list[Json] = []
    card: Json = {}
    body: Json = {}
    metadata: Json = {}
    thread: str = ""  # id of the message that it is a reply to
    broadcast: bool = False
    only_for: str = ""  # user id: nobody else sees it
    pings: list[str] = []  # who is notified by name, such as <!here> or <@U0ANA>
    complaints: list[str] = []  # what the vendor takes, but no careful sender sends
    versions: int = 1
    number: int = 0  # of its last change: rises over all messages
    edited_at: float | None = None
    deleted: bool = False

    @property
    def all_blocks(self) -> list[Json]:
        """Those in attachments too."""
        return [*self.blocks, *(block for each in self.attachments for block in each.get("blocks", []))]


class Exchange(msgspec.Struct, kw_only=True):
    """One request and its answer."""

    number: int
    at: float
    endpoint: str  # such as slack.chat.postMessage, slack.webhook, slack.response_url, teams.workflow, hook
    channel: str
    body: str
    status: int  # 0: cut off
    answer: str
    fault: str = ""  # the kind of the fault that was injected
    retry_after: float | None = None


class Press(msgspec.Struct, kw_only=True):
    """One press of a button, as it was posted to the service, and what the service answered."""

    url: str
    headers: dict[str, str]
    body: str
    status: int = 0  # 0: no answer
    answer: str = ""
    seconds: float = 0.0
    complaints: list[str] = []  # what the person who pressed would have seen as an error


class Record:
    """In memory; the oldest is dropped after many."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=_KEPT)
        self.exchanges: deque[Exchange] = deque(maxlen=_KEPT)
        self.presses: deque[Press] = deque(maxlen=_KEPT)
        self._numbers = count(1)
        self._posted = count(1)
        self._changes = count(1)
        self._by_id: dict[tuple[str, str], Message] = {}

    def clear(self) -> None:
        self.messages.clear()
        self.exchanges.clear()
        self.presses.clear()
        self._by_id.clear()

    def next_number(self) -> int:
        return next(self._numbers)

    def next_ts(self, now: float | None = None) -> str:
        """Unique, and rising with time, as Slack's."""
        return f"{int(now or time.time())}.{next(self._posted) % 1_000_000:06d}"

    def changed(self, message: Message) -> None:
        message.number = next(self._changes)

    def post(self, message: Message) -> Message:
        self.changed(message)
        self.messages.append(message)
        self._by_id[message.channel, message.id] = message
        return message

    def find(self, channel: str, message_id: str) -> Message | None:
        found = self._by_id.get((channel, message_id))
        return None if found is None or found.deleted else found

    def shown(self, channel: str = "", vendor: str = "", after: int = 0) -> Iterator[Message]:
        """The oldest first, without what was deleted; with `after` those that changed since that number."""
        for each in self.messages:
            wanted = channel in ("", each.channel) and vendor in ("", each.vendor)
            if wanted and each.number > after and not each.deleted:
                yield each
