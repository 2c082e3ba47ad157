"""What the engine hands to the shell around it."""

from dataclasses import dataclass, field
from datetime import datetime

from common.contracts import EventData, Finding, ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """A finding that is open now. A muted one is visible here and nowhere else: it takes no points and is not told."""

    finding: Finding
    opened_at: datetime
    changed_at: datetime
    flapping: bool = False
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """A score of the cluster, a zone, a namespace, a node or a workload moved: to a tenth. None: the object is gone."""

    key: ObjectKey
    score: float | None
    at: datetime


@dataclass(slots=True)
class Outcome:
    """Events in the order in which they are to be told, and scores that moved."""

    events: list[EventData] = field(default_factory=list)
    scores: list[ScoreChange] = field(default_factory=list)
