"""Mutes on an object itself: the annotation `k8s-health-checker/mute`, such as "pod-restarts=2026-12-31, pod-evicted".

A muted finding is kept and shown as muted, but not told and not counted. A date is muted to its end in UTC; without
one the mute has no end. `*` stands for every code.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from common.cluster.rows import Labels
from health_monitor.checks import CHECKS_BY_CODE

MUTE = "k8s-health-checker/mute"
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Mutes:
    """What an annotation says. An entry that mutes nothing, since it cannot be read, is told in `mistakes`."""

    ends: dict[str, datetime] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()

    def end(self, code: str, now: datetime) -> datetime | None:
        """Until when the code is muted; None when it is not, or not any more."""
        ends = [end for key in (code, "*") if (end := self.ends.get(key)) and end > now]
        return max(ends, default=None)


NONE = Mutes()


def mutes_of(annotations: Labels) -> Mutes:
    text = annotations.get(MUTE)
    return NONE if text is None else _parsed(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Mutes:
    ends: dict[str, datetime] = {}
    mistakes: list[str] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        code, _, until = (part.strip() for part in entry.partition("="))
        if code != "*" and code not in CHECKS_BY_CODE:
            mistakes.append(f"{entry!r} in {MUTE}: there is no check {code!r}")
        try:
            ends[code] = _end(until) if until else FOREVER
        except ValueError:
            mistakes.append(f"{entry!r} in {MUTE}: {until!r} is no date; write one such as 2026-12-31")
    return Mutes(ends, tuple(mistakes))


def _end(text: str) -> datetime:
    if len(text) == len("2026-12-31"):
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
