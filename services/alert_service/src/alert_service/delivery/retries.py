"""When a message is tried again, and when a channel is. Pure.

Two things can be wrong. The channel is: the vendor is away, the token is revoked, the conversation is archived. Then no
other message gets through either, and one probe after another is enough until it is well. Or the vendor refuses one
message: then the others go on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alert_service.channels.channel import DeliveryError, DeliveryReason

_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 5, 10, 20, 40, 60))
# What only a person can mend is looked at less often.
_BROKEN_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 30, 60))
GIVE_UP_AFTER = timedelta(hours=24)
_SPREAD = 0.2

# A person has to do something about the channel.
BROKEN = frozenset({DeliveryReason.CREDENTIALS, DeliveryReason.NO_CONVERSATION})
# The vendor finds fault with this message alone.
_OF_MESSAGE = frozenset({DeliveryReason.MESSAGE_GONE, DeliveryReason.TOO_LARGE, DeliveryReason.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How a channel fares: failures in a row, why, and from when on it is asked again, by a monotonic clock."""

    failures: int = 0
    error: DeliveryError | None = None
    until: float = 0.0

    @property
    def broken(self) -> bool:
        """Waiting alone will not help."""
        return self.error is not None and self.error.reason in BROKEN

    def after(self, error: DeliveryError, now: float, *, luck: float) -> "Trouble":
        """After one more attempt has failed. `luck` in 0 to 1 spreads retries."""
        if error.reason in _OF_MESSAGE:
            return self
        failures = self.failures + 1
        return Trouble(failures=failures, error=error, until=now + _delay(error, failures, luck).total_seconds())


def next_attempt_at(
    error: DeliveryError, attempts: int, queued_at: datetime, now: datetime, *, luck: float
) -> datetime | None:
    """When to send a message again after `attempts` failures; None to give it up."""
    if now - queued_at >= GIVE_UP_AFTER:
        return None
    if error.retryable or error.reason in BROKEN:
        return now + _delay(error, attempts, luck)
    return None


def _delay(error: DeliveryError, failures: int, luck: float) -> timedelta:
    """What the vendor asks for, at least; a fifth more or less, so that what failed together does not come back
    together."""
    delays = _BROKEN_DELAYS if error.reason in BROKEN else _DELAYS
    delay = delays[min(failures, len(delays)) - 1] * (1 + _SPREAD * (2 * luck - 1))
    if error.retry_after is None:
        return delay
    if error.reason is DeliveryReason.RATE_LIMITED:
        return max(error.retry_after, _DELAYS[0])  # "at once" would be a race with the limit
    return max(delay, error.retry_after)
