"""An action is one kind of remedy: what it would do, doing it, and taking it back.

Every write goes through the `Cluster` it is handed. `apply` may be called again after a crash at any line: it looks at
the cluster and does only what is still missing, guarded by uid, and marks what it writes with the run's id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

from auto_healing.kube.cluster import Cluster
from auto_healing.plan import Harm, Parameters, Step
from common.clock import Clock
from common.cluster.rows import Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectRef
from common.contracts.health import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What RBAC must allow, for the catalogue and the manifests."""

    group: str  # "" is the core group
    resource: str  # such as pods or pods/eviction
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an action would do to a target as it is now, found without any write. `refusal` says why it cannot."""

    refusal: str = ""
    displaced: tuple[ObjectRef, ...] = ()  # pods it takes away
    changes: tuple[str, ...] = ()  # what will be different, a sentence each
    expected_seconds: float = 0.0


class Result(StrEnum):
    """How applying ended."""

    DONE = "done"
    ALREADY = "already"  # nothing was left to do: the object is gone, or as it should be
    BLOCKED = "blocked"  # something that may pass forbids it, such as a PDB, until the deadline
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `inverse` is what `undo` needs, as JSON; empty when there is nothing to take back."""

    result: Result
    message: str  # one sentence for people
    numbers: Mapping[str, Scalar] = field(default_factory=dict)
    inverse: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A temporary mutation to be stored before it is made: how it looks when made, and how to take it back."""

    target: ObjectRef
    what: str  # one sentence for people, such as "cordoned because its disk is full"
    path: tuple[str, ...]  # of the field, such as ("spec", "unschedulable")
    before: Any  # JSON value to put back; None: the field was not there
    after: Any  # JSON value that it is set to; found changed at the end, it is somebody else's, and is left
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """One object of many that are about to be deleted: why, and what is kept of it."""

    ref: ObjectRef
    reason: str  # one sentence for people
    manifest: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """One object that was to be deleted and was left, with the reason."""

    ref: ObjectRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """An object that was found unused often and long enough. Whoever touched it after `since` still cares for it."""

    ref: ObjectRef
    reason: str
    since: datetime


class Store(Protocol):
    """What an action must have stored before it destroys or changes something. Each returns when it is committed."""

    async def save_evidence(self, ref: ObjectRef, content: Mapping[str, Any]) -> UUID: ...

    async def save_manifest(self, manifest: Mapping[str, Any]) -> UUID:
        """The whole object, for a restore by one call."""

    async def lease(self, change: Change) -> UUID:
        """A change that returns by itself at `until`. The same change again returns the same id."""

    async def release(self, change: UUID) -> None:
        """It was taken back."""

    async def save_batch(self, doomed: Sequence[Doomed], spared: Sequence[Spared] = ()) -> None:
        """Evidence, manifest and a ledger entry of each of hundreds of objects, in one transaction."""

    async def marked(self, rule: str, namespace: str, due_by: datetime) -> Sequence[Marked]:
        """What cleanup has marked, and whose time had come at that instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """One step being applied or undone. `step.parameters` were checked against the action's before."""

    run_id: UUID
    number: int  # of the step within its run
    step: Step
    cluster: Cluster
    snapshot: ClusterSnapshot
    store: Store
    clock: Clock
    deadline: datetime
    approved: bool = False  # by a person, for this run

    @property
    def mark(self) -> str:
        """Written into what this step changes, so that a second try knows the first."""
        return f"{self.run_id}/{self.number}"

    @property
    def left(self) -> timedelta:
        return self.deadline - self.clock.now()


class Action(Protocol):
    """One per file, and one line in ACTIONS."""

    code: ClassVar[str]  # verb-object, such as evict-pod
    title: ClassVar[str]  # one sentence for the catalogue
    harm: ClassVar[Harm]
    kinds: ClassVar[frozenset[str]]  # that it can be applied to
    expects: ClassVar[str]  # what should be true afterwards, one sentence
    undoable: ClassVar[str]  # how it is undone, one sentence; empty: it cannot be
    permissions: ClassVar[tuple[Permission, ...]]
    parameters: ClassVar[Mapping[str, str]]  # name -> meaning with unit and default, for the catalogue and the policy

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        """Pure. The preconditions are here: what does not hold is a refusal. Raises ValueError for wrong parameters."""

    async def apply(self, doing: Doing) -> Outcome:
        """Re-reads the target, does it, returns. KubeErrors go through: the caller tries again or fails the step."""

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        """Takes back what `outcome` says was done. An action without undo returns FAILED with the reason."""
