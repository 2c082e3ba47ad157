"""What will be done and what was refused, as values. A dry run returns a plan and stops there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from auto_healing.fault import Fault
from common.contracts import ObjectRef
from common.contracts.health import Scalar

Parameters = Mapping[str, Scalar]

# What waits for many pods one after another takes longer than what acts on one.
_TIMEOUT = timedelta(minutes=10)
_TIMEOUTS = {
    "drain": timedelta(minutes=20),
    "restart-rollout": timedelta(minutes=30),
    "roll-back": timedelta(minutes=30),
}


def timeout_of(action: str) -> timedelta:
    """How long an action may take when nobody says otherwise."""
    return _TIMEOUTS.get(action, _TIMEOUT)


BY_HAND = "by-hand"  # the rule of a plan that a person asked for


class Mode(StrEnum):
    """How far a rule may go by itself."""

    OFF = "off"
    OBSERVE = "observe"  # in the shadow: what would be done is recorded, and whether the trouble went away by itself
    APPROVE = "approve"  # a person says yes to each run
    AUTO = "auto"


class Harm(StrEnum):
    """What a step may do to what works. A tripped guard stops the harmful; restoring is always allowed."""

    HARMFUL = "harmful"
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """One pod that a step takes away, and where its replacement would run."""

    pod: ObjectRef
    from_node: str = ""
    to_node: str = ""  # empty when it fits nowhere, or need not be placed again
    reason: str = ""  # why it fits nowhere, or is not placed again, for people
    blocked_by: tuple[str, ...] = ()  # PDBs that forbid its eviction now
    outage: bool = False  # its workload has no other ready replica
    fits_nowhere: bool = False  # it would be made again, and there is no place for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action on one object."""

    action: str  # its code
    target: ObjectRef  # with uid: one life of the object
    harm: Harm
    reason: str  # one sentence for people
    parameters: Parameters = field(default_factory=dict)
    displaces: tuple[Displacement, ...] = ()
    changes: tuple[str, ...] = ()  # what will be different, a sentence each
    timeout: timedelta = _TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A refusal is an answer: who stopped it, by which numbers, and when it is looked at again."""

    guard: str  # code of the guard, or of what else declined, such as "policy"
    message: str  # one sentence for people
    numbers: Mapping[str, Scalar] = field(default_factory=dict)
    look_again_at: datetime | None = None  # None: when something changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rule, or a person, wants done about a fault."""

    rule: str  # its name, or BY_HAND
    mode: Mode
    fault: Fault
    target: ObjectRef  # what the run is about, and locked by
    rung: int = 0  # of the rule's ladder, from 0
    steps: tuple[Step, ...] = ()
    declined: tuple[Decline, ...] = ()  # every guard that stops it; in order
    expected_seconds: float = 0.0
    verify_window: timedelta = timedelta(minutes=5)

    @property
    def allowed(self) -> bool:
        return bool(self.steps) and not self.declined
