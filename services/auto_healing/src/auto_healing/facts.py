"""What a guard may look at: one instant of the world, as values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from auto_healing.guards.settings import GuardSettings
from auto_healing.history import History
from auto_healing.plan import Plan
from common.cluster.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A stop by a person: everywhere when `namespace` is empty."""

    namespace: str = ""
    reason: str
    by: str
    since: datetime
    until: datetime | None = None  # None: until it is lifted


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringAlert:
    """One alert that fires in Alertmanager now."""

    name: str
    labels: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How far the own view can be trusted, beyond what the snapshot's sources say."""

    synced_at: datetime | None = None  # when the view last became complete; None: it is not
    outage_ended_at: datetime | None = None  # when the API server or a watch last came back
    changed_in_last_second: int = 0  # objects that turned unhealthy within one second: a sign of a false alarm
    health_monitor_heard_at: datetime | None = None  # last word of health_monitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything at one instant. `plan` is what the step belongs to; `by_hand` tells whether a person asked for it."""

    now: datetime
    snapshot: ClusterSnapshot
    settings: GuardSettings
    history: History
    plan: Plan
    pauses: Collection[Pause] = ()
    alerts: Collection[FiringAlert] | None = ()  # None: they are to be asked for, and cannot be
    sight: Sight = field(default_factory=Sight)
    by_hand: bool = False
