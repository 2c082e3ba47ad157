"""An alert as its source told it, and a post of several."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

Labels = Mapping[str, str]


class AlertStatus(StrEnum):
    """As Alertmanager has it."""

    FIRING = "firing"
    RESOLVED = "resolved"


class AlertSeverity(StrEnum):
    """The four classes of the field: page now, tell the channel, digest, plumbing."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for none, 3 for critical."""
        return _RANKS[self]


_RANKS = {AlertSeverity.NONE: 0, AlertSeverity.INFO: 1, AlertSeverity.WARNING: 2, AlertSeverity.CRITICAL: 3}


class Source(StrEnum):
    """Who told of an alert."""

    ALERTMANAGER = "alertmanager"
    HEALTH = "health"  # health_monitor's events
    HEALING = "healing"  # a healing notice that concerns no incident that is known
    SELF = "self"  # this service, about itself: a heartbeat that stopped, a canary that did not arrive

    @property
    def ends_within(self) -> timedelta:
        """How long after a fault is over it may tell so: rules look back some minutes, and Alertmanager waits for its
        group_interval; health_monitor looks at once."""
        return timedelta(minutes=15 if self is Source.ALERTMANAGER else 5)


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # there are many, and none leads back to itself
    """One alert. Its identity is `fingerprint`; that of this episode of it, the fingerprint and `starts_at`."""

    fingerprint: str  # 16 hexadecimal digits, as Alertmanager computes them
    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime
    ends_at: datetime | None = None  # None while it fires
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def episode(self) -> tuple[str, datetime]:
        return (self.fingerprint, self.starts_at)


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What one source said at once about one group of alerts. A fingerprint that is missing says nothing about it."""

    source: Source
    group_key: str  # the source's own name of the group; of any length
    receiver: str = ""
    external_url: str = ""
    group_labels: dict[str, str] = {}
    alerts: Sequence[Alert] = ()
    truncated: int = 0  # alerts that the source left out: nothing may be closed because of such a post
