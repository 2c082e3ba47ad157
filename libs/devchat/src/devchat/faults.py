"""Faults that are injected from outside, and which request each of them meets."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to requests to `on` (a pattern over endpoints), `times` times, or until faults are cleared.

    error: Slack answers ok:false with `error`. status: the HTTP status, with Retry-After where `retry_after` is given.
    delay: as usual, `seconds` later. cut: the connection ends, nothing is done. cut-after: it is done, then the
    connection ends. swallow: answered as usual, but nothing is posted.
    """

    on: str
    kind: Literal["error", "status", "delay", "cut", "cut-after", "swallow"]
    times: int | None = None
    channel: str = ""
    error: str = ""
    status: int = 503
    retry_after: float | None = None
    seconds: float = 0.0
    met: int = 0


class Faults:
    """Those that are still in force; the oldest is asked first."""

    def __init__(self) -> None:
        self.injected: list[Fault] = []

    def meet(self, endpoint: str, channel: str) -> Fault | None:
        """The fault that this request meets; it counts as met."""
        for fault in self.injected:
            if fnmatchcase(endpoint, fault.on) and fault.channel in ("", channel):
                fault.met += 1
                if fault.times is not None and fault.met >= fault.times:
                    self.injected.remove(fault)
                return fault
        return None
