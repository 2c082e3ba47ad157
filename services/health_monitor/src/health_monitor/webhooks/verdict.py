"""What the answer to a webhook means, and when to try again. Pure.

Two things can be wrong. The receiver is not there: then no other event gets through either, and one probe after
another is enough until it is back. Or it refuses one event: then the others go on.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

# An event that the receiver does not take; anything else but success says something about the receiver.
_REFUSES_EVENT = frozenset({400, 413, 415, 422})
_REFUSED_DELAYS = (timedelta(seconds=30), timedelta(minutes=5))
_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300, 900))
GIVE_UP_AFTER = timedelta(hours=24)
# So many failures in a row are no coincidence.
TRIPS_AT = 3
_FIRST_PROBE_SECONDS = 2.0
# After an outage the receiver hears of us within this time, and one request a minute is no burden on anybody.
_LONGEST_PROBE_SECONDS = 60.0
_LONGEST_RETRY_AFTER = timedelta(hours=1)
_SPREAD = 0.2


class AttemptVerdict(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    UNAVAILABLE = "unavailable"  # no answer, or one that says nothing about the event
    REFUSED = "refused"  # the receiver does not take this event
    GONE = "gone"  # the receiver wants no events any more


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or an error where there was none."""

    status: int | None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def verdict(self) -> AttemptVerdict:
        if self.status is None:
            return AttemptVerdict.UNAVAILABLE
        if 200 <= self.status < 300:
            return AttemptVerdict.DELIVERED
        if self.status == 410:
            return AttemptVerdict.GONE
        return AttemptVerdict.REFUSED if self.status in _REFUSES_EVENT else AttemptVerdict.UNAVAILABLE

    @property
    def reason(self) -> str | None:
        """Why it was not delivered, for people."""
        if self.verdict is AttemptVerdict.DELIVERED:
            return None
        if self.status is not None and 300 <= self.status < 400:
            return f"answered {self.status}: redirects are not followed, subscribe with the final URL"
        return self.error or f"answered {self.status}"


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header, in seconds or as a date (RFC 9110, 10.2.3), but an hour at most; None for nonsense."""
    if header is None:
        return None
    text = header.strip()
    try:
        if text.isascii() and text.isdigit():
            wait = timedelta(seconds=min(int(text[:9]), 10**6))
        else:
            at = parsedate_to_datetime(text)
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except ValueError:
        return None
    return max(timedelta(0), min(wait, _LONGEST_RETRY_AFTER))


def next_attempt_at(
    verdict: AttemptVerdict, attempts: int, queued_at: datetime, now: datetime, *, luck: float
) -> datetime | None:
    """When to try an event again after `attempts` failures; None to give it up. `luck` in 0 to 1 spreads retries."""
    if verdict is AttemptVerdict.REFUSED:
        if attempts > len(_REFUSED_DELAYS):
            return None
        return now + _spread(_REFUSED_DELAYS[attempts - 1], luck)
    if now - queued_at >= GIVE_UP_AFTER:
        return None
    return now + _spread(_DELAYS[min(attempts, len(_DELAYS)) - 1], luck)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a receiver fares: failures in a row, since when, why, and when it is asked again."""

    failures: int = 0
    failing_since: datetime | None = None
    retry_at: datetime | None = None
    last_error: str | None = None

    @property
    def tripped(self) -> bool:
        return self.failures >= TRIPS_AT

    def open_at(self, now: datetime) -> bool:
        return self.retry_at is None or self.retry_at <= now

    def after(self, answer: Answer, now: datetime, *, luck: float) -> "Endpoint":
        """After one more attempt."""
        if answer.verdict is AttemptVerdict.DELIVERED:
            return Endpoint()
        if answer.verdict is AttemptVerdict.REFUSED:  # it is there, and it answers
            return Endpoint(last_error=answer.reason)
        if not self.open_at(now):  # it was on its way when another attempt found out
            return self
        failures = self.failures + 1
        return replace(
            self,
            failures=failures,
            failing_since=self.failing_since or now,
            retry_at=_retry_at(failures, answer, now, luck),
            last_error=answer.reason,
        )


def _retry_at(failures: int, answer: Answer, now: datetime, luck: float) -> datetime | None:
    waits = [] if answer.retry_after is None else [answer.retry_after]
    if failures >= TRIPS_AT:
        seconds = _FIRST_PROBE_SECONDS * 2.0 ** min(failures - TRIPS_AT, 10)
        waits.append(_spread(timedelta(seconds=min(seconds, _LONGEST_PROBE_SECONDS)), luck))
    return now + max(waits) if waits else None


def _spread(delay: timedelta, luck: float) -> timedelta:
    """The delay, a fifth more or less, so that what failed together does not come back together."""
    return delay * (1 + _SPREAD * (2 * luck - 1))
