"""What a guard may look at: one instant of the world, as values."""

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from auto_healing.history import History, PastRun
from auto_healing.plan import Plan
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

if TYPE_CHECKING:  # guards import the facts
    from auto_healing.guards.census import Census
    from auto_healing.guards.settings import GuardSettings


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
    storm_at: datetime | None = None  # when health_monitor last told of a storm


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherHealer:
    """Another healer that the cluster was asked for, and what it looks after."""

    code: str  # such as machine-health-check
    name: str  # of its object, for people
    nodes: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()  # values of the label app.kubernetes.io/instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything at one instant. `plan` is what the step belongs to; `by_hand` tells whether a person asked for it."""

    now: datetime
    snapshot: ClusterSnapshot
    settings: "GuardSettings"
    history: History
    plan: Plan
    pauses: Collection[Pause] = ()
    alerts: Collection[FiringAlert] | None = ()  # None: they are to be asked for, and cannot be
    sight: Sight = field(default_factory=Sight)
    by_hand: bool = False
    planned: Collection[PastRun] = ()  # what was allowed a moment ago, and is not in the history yet
    open_findings: Container[tuple[str, ObjectKey, str]] | None = None  # keys of all that are open now; None: not asked
    other_healers: Collection[OtherHealer] = ()
    opt_in: bool = False  # the policy acts by itself only on what has opted in
    opted_in_namespaces: Collection[str] = ()  # by the policy: names, or patterns
    census: "Census | None" = None  # of this snapshot at this instant; None: taken when it is needed
