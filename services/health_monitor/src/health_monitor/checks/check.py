"""What a check is, and what it says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from common.contracts.health import Scalar

S = TypeVar("S")
T = TypeVar("T")
D = TypeVar("D")

NO_TIME = timedelta(0)

# Not kinds of the Kubernetes API, but a check may name them in `reads` all the same.
NODE_USAGE = "NodeUsage"  # what metrics.k8s.io measures
POD_USAGE = "PodUsage"
SOURCES = "Source"  # `snapshot.sources` and `snapshot.api`: how well we see


def threshold(default: D, description: str, *, least: float | None = None, most: float | None = None) -> D:
    """A field of a thresholds dataclass. `description` names the source of the number; `least` and `most` bound what a
    policy file may set. Durations are never negative, so need no bounds of their own."""
    metadata = {"description": description, "least": least, "most": most}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """A condition that holds now. It becomes a finding once it has held for `after`.

    The check only says since when; waiting, and starting anew after an outage of our own view, is done in one place
    for all checks. Give `since` from the object where the API says it, else leave it out: then the time at which the
    symptom was first seen counts.
    """

    message: str
    since: datetime | None = None
    after: timedelta = NO_TIME
    part: str = ""
    severity: Severity | None = None  # None: the check's own
    evidence: Mapping[str, Scalar] = field(default_factory=dict)
    restarts_timer: bool = True  # False where `since` stays true through an outage of our view, such as a past date


@dataclass(frozen=True, slots=True)
class NoThresholds:
    """For checks that have nothing to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[S, T]):
    """One detector. `run(subject, snapshot, thresholds, now)` is pure, sync and quick: it runs on every change.

    `subject` is the row of the object, or its ObjectKey for kinds Cluster and Zone. `thresholds` is a frozen dataclass
    whose defaults are the check's defaults; each field's metadata has a "description" that names the source of the
    number. `reads` lists other kinds whose changes can change the answer. A number that depends on the time alone is
    re-run when due: return a symptom with `since` and `after`, or `look_again`.

    Checks of Cluster and Zone look at much, so they are not run on each change of what they read: once for many.
    Numbers in messages and evidence may tick, but words in the evidence must hold still: a finding is told as changed
    when they change. `since` tells the age, so leave ages out.
    """

    code: str
    title: str
    kind: str  # of the subject, such as "Pod"; "Cluster" and "Zone" too
    severity: Severity
    summary: str  # one or two sentences for the catalogue: what it means for users
    run: Callable[[S, ClusterSnapshot, T, datetime], Iterable[Symptom]]
    thresholds: T
    reads: frozenset[str] = frozenset()
    look_again: timedelta | None = None  # re-run at least this often while any symptom holds
    weight: float | None = None  # points that a finding takes, unless the policy says otherwise; None: its severity's
