"""What a cleanup rule works with and answers: who is looked at, and what of it nobody uses any more."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from auto_healing import marks
from auto_healing.actions.cleanup.settings import CleanupSettings, RuleSettings
from auto_healing.kube.cluster import Cluster
from common.cluster.rows import NamespaceRow, OwnerRef, Row, kind_name
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which namespaces a rule looks into."""

    included: tuple[str, ...] = ()  # patterns; empty: all
    excluded: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: CleanupSettings, rule: RuleSettings) -> "Scope":
        return cls(included=tuple(rule.namespaces), excluded=tuple(settings.excluded_namespaces))

    def covers(self, namespace: str) -> bool:
        return not _matches(namespace, self.excluded) and (not self.included or _matches(namespace, self.included))


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def kept_newer(keep: int, what: str) -> str:
    """The end of the reason why an older one goes; empty when none of them is kept."""
    if not keep:
        return ""
    return f", and {keep} newer {f'one {what} is' if keep == 1 else f'ones {what} are'} kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the cluster for a rule."""

    now: datetime
    snapshot: ClusterSnapshot
    cluster: Cluster
    settings: Any  # of the rule, as its own class of RuleSettings
    scope: Scope = field(default_factory=Scope)

    def covers(self, row: Row) -> bool:
        """Whether the object is in scope, neither being deleted nor opted out, alone or with its namespace."""
        if row.deleted_at is not None or _off(row):
            return False
        return not row.namespace or self.covers_namespace(row.namespace)

    def covers_namespace(self, name: str) -> bool:
        namespace = self.snapshot.get(NamespaceRow, name)
        return self.scope.covers(name) and (namespace is None or not _off(namespace))

    def knows(self, kind: type[Row]) -> bool:
        """Whether the absence of an object of the kind means anything."""
        source = self.snapshot.sources.get(kind_name(kind))
        return source is not None and source.state is SourceState.SYNCED

    def lives(self, kind: type[Row], row: Row, owner: OwnerRef) -> bool:
        """Whether the owner of a row is still there, in the same life."""
        found = self.snapshot.get(kind, owner.name, row.namespace)
        return found is not None and found.uid == owner.uid

    def older(self, than: timedelta, at: datetime | None) -> bool:
        """Whether something that is said to be at an instant is that long ago; what is not known is not."""
        return at is not None and self.now - at >= than


def _off(row: Row) -> bool:
    return row.labels.get(marks.HEAL) == "off" or row.annotations.get(marks.HEAL) == "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An object that may go, with the reason as the end of a sentence about it."""

    ref: ObjectRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """An object that looks unused and is left, because that cannot be proven."""

    object: ObjectKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found. `total` counts all objects of the kind in scope, which a run's cap is a share of."""

    candidates: tuple[Candidate, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    total: int = 0


def candidate(row: Row, reason: str) -> Candidate:
    return Candidate(ref=row.key.ref(row.uid), reason=reason)


def unproven(row: Row, reason: str) -> Unproven:
    return Unproven(object=row.key, reason=reason)
