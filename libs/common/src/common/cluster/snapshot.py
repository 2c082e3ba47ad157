"""What may be asked of the cluster view. The store implements it; pure code sees nothing else of the cluster."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from msgspec import Struct

from common.cluster.rows import (
    EventRow,
    LeaseRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    Resources,
    Row,
    ServiceRow,
    Toleration,
    Usage,
)
from common.contracts.objects import ObjectKey

R = TypeVar("R", bound=Row)


class SourceState(StrEnum):
    """How far a kind can be trusted."""

    STARTING = "starting"  # not listed yet
    SYNCED = "synced"  # listed and watched
    STALE = "stale"  # was synced; the watch is broken, what is kept grows old
    UNSEEN = "unseen"  # forbidden or not served: nothing is known of this kind


class Source(Struct, frozen=True, gc=False, kw_only=True):
    """State of one reflector."""

    kind: str
    state: SourceState
    reason: str = ""  # for people: what is missing and what to do
    heard_at: datetime | None = None  # last byte that proved the stream alive


def not_read_yet(sources: Iterable[Source]) -> str | None:
    """Which kinds have not been listed yet, and why; None when all have. For a probe."""
    missing = [each for each in sources if each.state is SourceState.STARTING]
    why = next((f": {each.reason}" for each in missing if each.reason), "")
    return f"not read yet: {', '.join(each.kind for each in missing)}{why}" if missing else None


class ApiHealth(Struct, frozen=True, gc=False, kw_only=True):
    """The API server as this client saw it over the last minutes."""

    requests: int = 0
    errors: int = 0  # 5xx, 429 and connection losses
    p99_seconds: float = 0.0  # of answered, non-watch requests
    unreachable_since: datetime | None = None


class ClusterSnapshot(Protocol):
    """Immutable until the next await: one event loop owns the store, and pure code does not await.

    A kind that was never seen is empty; ask `sources` before reading absence as health.
    """

    @property
    def sources(self) -> Mapping[str, Source]:
        """By kind; also "NodeUsage" and "PodUsage" for metrics.k8s.io."""

    @property
    def api(self) -> ApiHealth: ...

    @property
    def server_version(self) -> str:
        """Such as v1.36.3; empty while unknown."""

    def rows(self, kind: type[R]) -> Mapping[ObjectKey, R]: ...

    def get(self, kind: type[R], name: str, namespace: str = "") -> R | None: ...

    def find(self, key: ObjectKey) -> Row | None: ...

    def node(self, name: str) -> NodeRow | None: ...

    def lease(self, node: str) -> LeaseRow | None: ...

    def zones(self) -> Mapping[str, Collection[str]]:
        """Zone to names of its nodes."""

    def unready_nodes(self, zone: str | None = None) -> Collection[str]:
        """Names of the nodes of one zone, or of all, whose Ready is not True. Kept incrementally."""

    def readiness_changes(self, node: str) -> Sequence[datetime]:
        """When the node's readiness was seen to change, oldest first, the last 20; the API keeps no such history."""

    def clock_offset(self, node: str) -> timedelta | None:
        """How long before it reached us the node's Lease claims to have been renewed: about zero when clocks agree.

        Negative when the node's clock runs ahead. Of the last renewal that was watched; None when none was, since the
        age of a listed one says nothing.
        """

    def pods_on(self, node: str) -> Collection[PodRow]:
        """Pods bound to the node, finished ones included. The empty name gives those that are not bound to any."""

    def tolerations(self) -> Collection[tuple[Toleration, ...]]:
        """The distinct sets of tolerations that unfinished pods have; few, however many pods. Kept incrementally."""

    def pods_in(self, namespace: str) -> Collection[PodRow]: ...

    def repelling(self, namespace: str) -> Collection[PodRow]:
        """Pods with a required anti-affinity that may be about pods of the namespace. Kept incrementally."""

    def pods_of(self, workload: ObjectKey) -> Collection[PodRow]:
        """Pods whose owner chain contains the workload, at any height."""

    def pods_selected(self, pdb: PodDisruptionBudgetRow) -> Collection[PodRow]: ...

    def pdbs_of(self, pod: PodRow) -> Collection[PodDisruptionBudgetRow]: ...

    def services_of(self, pod: PodRow) -> Collection[ServiceRow]: ...

    def owners(self, row: Row) -> Sequence[ObjectKey]:
        """The chain from the direct controller up to the top one; owners that are gone or unwatched are still named."""

    def top_owner(self, row: Row) -> ObjectKey:
        """The last of `owners`, or the row's own key."""

    def requested_on(self, node: str) -> Resources:
        """Sum of the requests of the unfinished pods bound to the node; `pods` counts them. Kept incrementally."""

    def limits_on(self, node: str) -> Resources: ...

    def warnings_about(self, key: ObjectKey) -> Collection[EventRow]: ...

    def usage_of(self, key: ObjectKey) -> Usage | None:
        """Of a node or pod; None when unknown."""

    def endpoints_of(self, service: ServiceRow) -> tuple[int, int]:
        """Ready and not ready endpoints over all its slices."""
