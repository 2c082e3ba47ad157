"""What was done lately, in memory, for guards: asked thousands of times in a storm, so never by SQL."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from auto_healing.plan import Harm
from auto_healing.run import RunState
from common.contracts import ObjectKey

KEPT = timedelta(days=1)  # after its beginning a run that has ended is forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run that acts or has acted: its place, its reason and how it went."""

    id: UUID
    rule: str
    action: str
    harm: Harm
    target: ObjectKey
    owner: ObjectKey  # top workload of the target, or the target itself
    uid: str = ""  # of the target
    revision: str = ""
    node: str = ""  # that it happened on, or is about
    zone: str = ""
    pool: str = ""
    namespace: str = ""
    code: str = ""  # of the finding it answers
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    displaced: int = 0  # pods it takes or took away


class History(Protocol):
    """Runs of the last day that were started, and all that are active. Newest first."""

    def active(self) -> Collection[PastRun]:
        """Runs between their first step and their verdict."""

    def of_target(self, target: ObjectKey) -> Collection[PastRun]: ...

    def of_owner(self, owner: ObjectKey) -> Collection[PastRun]: ...

    def in_namespace(self, namespace: str) -> Collection[PastRun]: ...

    def unanswered(self, target: ObjectKey) -> Collection[PastRun]:
        """Of the last day, in any order: proposals that nobody approved in time, or that a person said no to."""

    def since(self, at: datetime) -> Collection[PastRun]: ...
