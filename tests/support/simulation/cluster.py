"""The API server of a simulated cluster: rows in a real store, each write with its resourceVersion."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from msgspec.structs import replace
from tests.support.simulation.agenda import Agenda

from common.cluster.changes import RowChange
from common.cluster.rows import (
    ROW_KINDS,
    LeaseRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    Row,
    kind_name,
)
from common.cluster.snapshot import ApiHealth, Source, SourceState
from common.cluster.store import Store
from common.contracts import ObjectKey

R = TypeVar("R", bound=Row)

GRACE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=5)  # of a kubelet that is alive: so old is its Lease


class LivingStore(Store):
    """Renews the Leases of living nodes when it is asked, instead of by ten thousands of writes a day."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__(now=lambda: agenda.now)
        self._agenda = agenda
        self.silent: dict[str, datetime] = {}  # node: when its kubelet was last heard
        self.lags_since: datetime | None = None

    def lease(self, node: str) -> LeaseRow | None:
        now = self.lags_since or self._agenda.now
        return LeaseRow(
            uid=f"lease-{node}",
            name=node,
            namespace="kube-node-lease",
            labels={},
            annotations={},
            holder=node,
            renewed_at=self.silent.get(node, now - HEARTBEAT),
        )


class SimulatedCluster:
    """Whoever changes the cluster does it here. `changes` are what a watch would tell since they were last taken."""

    def __init__(self, agenda: Agenda, random: Random) -> None:
        self.agenda = agenda
        self.random = random
        self.store = LivingStore(agenda)
        self.changes: list[RowChange] = []
        self.touched: dict[ObjectKey, None] = {}  # workloads whose pods have changed
        self.moved_pods: list[tuple[str, str]] = []  # their nodes before and after
        self.down = False
        self.written = 0  # changes so far
        self._version = 0
        self._serial = 0
        self.hear()

    # --- the watch

    def hear(self, state: SourceState = SourceState.SYNCED) -> None:
        """Every watch is alive, or broken."""
        for kind in (*map(kind_name, ROW_KINDS), "NodeUsage", "PodUsage"):
            self.store.set_source(Source(kind=kind, state=state, heard_at=self.agenda.now))

    def answer(self, down: bool) -> None:
        self.down = down
        self.hear(SourceState.STALE if down else SourceState.SYNCED)
        self.store.api = ApiHealth(requests=100, p99_seconds=0.02, unreachable_since=self.agenda.now if down else None)

    def lagging(self) -> Store:
        """The cluster as it is now, for a view that hears of nothing for a while."""
        copy = self.store.copy()
        stale = LivingStore(self.agenda)
        for name, value in vars(copy).items():
            setattr(stale, name, value)
        stale.silent, stale.lags_since = dict(self.store.silent), self.agenda.now
        return stale

    def take_changes(self) -> list[RowChange]:
        changes, self.changes = self.changes, []
        return changes

    # --- objects

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    def put(self, row: R, **fields: Any) -> R:
        """Create or update, as the API server does."""
        self._version += 1
        after = replace(row, resource_version=str(self._version), **fields)
        change = self.store.apply(after)
        if change is not None:
            self._note(change)
        return after

    def remove(self, row: Row) -> None:
        change = self.store.remove(type(row), row.key)
        if change is not None:
            self._note(change)

    def _note(self, change: RowChange) -> None:
        self.changes.append(change)
        self.written += 1
        before, after = change.before, change.after
        row = after or before
        if isinstance(row, PodRow):
            owner = row.owner
            if owner is not None:
                self.touched[ObjectKey(owner.kind, row.namespace, owner.name)] = None
            self.moved_pods.append((_node_of(before), _node_of(after)))

    def pod(self, uid: str, key: ObjectKey) -> PodRow | None:
        """In this very life."""
        row = self.store.get(PodRow, key.name, key.namespace)
        return row if row is not None and row.uid == uid else None

    def node(self, name: str) -> NodeRow | None:
        return self.store.node(name)

    def is_silent(self, node: str) -> bool:
        return node in self.store.silent

    # --- taking pods away

    def delete(self, pod: PodRow) -> bool:
        """Gracefully; False when it is going already. Its kubelet ends it, if there is one that hears of it."""
        if pod.deleted_at is not None:
            return False
        if not pod.node or pod.finished:
            self.remove(pod)
            return True
        self.put(pod, deleted_at=self.agenda.now + GRACE, grace_seconds=30)
        if not self.is_silent(pod.node):
            self.agenda.after(self.random.uniform(2, 12), lambda: self._ended(pod))
        return True

    def _ended(self, pod: PodRow) -> None:
        row = self.pod(pod.uid, pod.key)
        if row is not None and row.deleted_at is not None and not self.is_silent(row.node):
            self.remove(row)

    def evict(self, pod: PodRow) -> tuple[str, ...]:
        """As the Eviction API: names of the PDBs that forbid it now; empty when it goes."""
        budgets = list(self.store.pdbs_of(pod))
        if pod.phase == "Running" and budgets:
            if len(budgets) > 1:
                return tuple(budget.name for budget in budgets)
            (budget,) = budgets
            spared = not pod.ready and budget.current_healthy >= budget.desired_healthy > 0
            if not spared and budget.disruptions_allowed <= 0:
                return (budget.name,)
            if pod.ready and pod.deleted_at is None:
                self._charge(budget)
        self.delete(pod)
        return ()

    def _charge(self, budget: PodDisruptionBudgetRow) -> None:
        self.put(
            budget,
            disruptions_allowed=budget.disruptions_allowed - 1,
            current_healthy=budget.current_healthy - 1,
        )


def _node_of(row: Row | None) -> str:
    return row.node if isinstance(row, PodRow) and not row.finished else ""


def serving(pods: Iterable[PodRow]) -> list[PodRow]:
    """Those that have not ended, and are not going."""
    return [pod for pod in pods if not pod.finished and pod.deleted_at is None]
