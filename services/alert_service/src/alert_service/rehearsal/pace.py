"""How long to wait before the next message, so that a vendor's limits hold. Pure."""

from collections.abc import Sequence

from alert_service.channels.channel import Window


def wait_seconds(limits: Sequence[Window], sent: Sequence[float], now: float) -> float:
    """`sent` are the times of the messages so far, the oldest first, on the clock of `now`."""
    waits = (
        sent[-window.messages] + window.per.total_seconds() - now for window in limits if len(sent) >= window.messages
    )
    return max(0.0, max(waits, default=0.0))
