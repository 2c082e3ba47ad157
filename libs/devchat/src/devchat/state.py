"""What the servers share: the settings, the record, the faults and the limits."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from devchat import limits
from devchat.faults import Faults
from devchat.record import Message, Record
from devchat.settings import Settings


@dataclass(slots=True)
class State:
    """One chat."""

    settings: Settings
    url: str = ""  # known when it listens
    record: Record = field(default_factory=Record)
    faults: Faults = field(default_factory=Faults)
    archived: set[str] = field(default_factory=set)  # channels
    left: set[str] = field(default_factory=set)  # channels that the app is not in
    responses: "dict[str, Response]" = field(default_factory=dict)  # by the path's last part
    on_post: Callable[[Message], None] = lambda message: None
    _limits: dict[str, limits.Bucket | limits.Windows] = field(default_factory=dict)

    def limited(self, name: str, make: Callable[[], limits.Bucket | limits.Windows]) -> int:
        """0, or after how many seconds to come again."""
        if not self.settings.limits:
            return 0
        return self._limits.setdefault(name, make()).take()

    def clear(self) -> None:
        """Forget what was, but not the settings."""
        self.record.clear()
        self.faults.injected.clear()
        self._limits.clear()
        self.archived.clear()
        self.left.clear()

    def post(self, message: Message) -> Message:
        self.record.post(message)
        self.on_post(message)
        return message

    def channel_id(self, name: str) -> str:
        return f"C0{name.upper().replace('-', '')}"

    def channel_named(self, named: str) -> str | None:
        """The channel that a name, a name with #, or an id stands for; @U0ANA for a direct message."""
        if named in self.settings.users:
            return f"@{named}"
        if named.startswith("D0") and named[2:] in self.settings.users:
            return f"@{named[2:]}"
        for each in self.settings.channels:
            if named in (each, f"#{each}", self.channel_id(each)):
                return each
        return None


@dataclass(slots=True)
class Response:
    """What a response_url leads to."""

    message: Message
    user: str
    made_at: float = field(default_factory=time.time)
    uses: int = 0


STATE: web.AppKey[State] = web.AppKey("state", State)
