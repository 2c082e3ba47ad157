"""The cluster as it is known now: rows by kind and key, their indexes, and how far each kind can be trusted.

One event loop owns it. It is changed only between awaits, so what it hands out holds still until the next await.
"""

import gc
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar, cast

from common.clock import SystemClock
from common.cluster.changes import NODE_USAGE, POD_USAGE, RowChange
from common.cluster.histories import ClockOffsets, ReadinessChanges, TolerationSets
from common.cluster.indexes import Grouped, Rows, Selected, Selectors, Totals
from common.cluster.rows import (
    ROW_KINDS,
    CronJobRow,
    EndpointSliceRow,
    EventRow,
    JobRow,
    LeaseRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    Resources,
    Row,
    Selector,
    ServiceRow,
    Toleration,
    Usage,
    WorkloadRow,
    kind_name,
)
from common.cluster.snapshot import ApiHealth, Source, SourceState
from common.contracts.objects import ObjectKey

R = TypeVar("R", bound=Row)
Update = Callable[[ObjectKey, Any, Any], None]  # key, row before, row after

NODE_LEASES = "kube-node-lease"
MAX_OWNERS = 10  # deeper chains are a loop
INDEXES = (
    "_zones",
    "_unready",
    "_readiness",
    "_offsets",
    "_tolerations",
    "_pods_on",
    "_pods_in",
    "_repelling",
    "_pods_of",
    "_owned",
    "_requested",
    "_limits",
    "_pdbs",
    "_selected",
    "_services",
    "_slices",
    "_warnings",
)
EVERYWHERE = ""  # no namespace is called so
EVENTS_KEPT = 10_000
EVENT_LIFE = timedelta(hours=1)  # as long as the API server keeps them by default (--event-ttl)


class Store:
    """Implements ClusterSnapshot, and takes the changes."""

    def __init__(self, *, events_kept: int = EVENTS_KEPT, now: Callable[[], datetime] | None = None) -> None:
        self.api = ApiHealth()
        self.server_version = ""
        self._events_kept = events_kept
        self._sources = {
            kind: Source(kind=kind, state=SourceState.STARTING)
            for kind in (*map(kind_name, ROW_KINDS), NODE_USAGE, POD_USAGE)
        }
        self._tables: dict[type[Row], dict[ObjectKey, Any]] = {kind: {} for kind in ROW_KINDS}
        self._tables_by_name = {kind_name(kind): rows for kind, rows in self._tables.items()}
        self._usage: dict[str, dict[ObjectKey, Usage]] = {"Node": {}, "Pod": {}}
        self._make_indexes(now or SystemClock().now)

    def _make_indexes(self, now: Callable[[], datetime]) -> None:
        self._zones = Grouped[NodeRow, str](lambda node: node.zone or None)
        self._unready = Grouped[NodeRow, str](lambda node: None if node.ready else node.zone)
        self._readiness = ReadinessChanges()
        self._offsets = ClockOffsets(now)
        self._tolerations = TolerationSets()
        self._pods_on = Grouped[PodRow, str](lambda pod: pod.node)
        self._pods_in = Grouped[PodRow, str](lambda pod: pod.namespace)
        self._repelling = Grouped[PodRow, str](_repelled)
        self._pods_of = Grouped[PodRow, ObjectKey](_owner_key)
        self._owned = Grouped[Row, ObjectKey](_owner_key)
        self._requested = Totals(lambda pod: pod.requests)
        self._limits = Totals(lambda pod: pod.limits)
        self._pdbs = Selectors[PodDisruptionBudgetRow](_pdb_selector, self._tables[PodDisruptionBudgetRow])
        self._selected = Selected(self._pdbs, _pdb_selector, self.pods_in)
        self._services = Selectors[ServiceRow](_service_selector, self._tables[ServiceRow])
        self._slices = Grouped[EndpointSliceRow, tuple[str, str]](lambda part: (part.namespace, part.service))
        self._warnings = Grouped[EventRow, ObjectKey](lambda event: event.about)
        owned = (self._owned.update,)
        self._updates: dict[type[Row], tuple[Update, ...]] = {
            kind: owned for kind in ROW_KINDS if issubclass(kind, WorkloadRow | JobRow | CronJobRow)
        } | {
            NodeRow: (self._zones.update, self._unready.update, self._readiness.update),
            LeaseRow: (self._update_offsets,),
            PodRow: (self._update_pod,),
            PodDisruptionBudgetRow: (self._pdbs.update, self._selected.update),
            ServiceRow: (self._services.update,),
            EndpointSliceRow: (self._slices.update,),
            EventRow: (self._warnings.update,),
        }

    def copy(self) -> "Store":
        """The cluster as it is now, for another thread, or for longer than until the next await. Rows are shared.

        Some 40 ms for 150,000 pods; thrice that, if the garbage collector looked at the copy while it grows.
        """
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._copy()
        finally:
            if collecting:
                gc.enable()

    def _copy(self) -> "Store":
        other = Store(events_kept=self._events_kept)
        other.api, other.server_version, other._sources = self.api, self.server_version, dict(self._sources)
        for kind, rows in self._tables.items():
            other._tables[kind].update(rows)
        for measured, usage in self._usage.items():
            other._usage[measured].update(usage)
        for name in INDEXES:
            getattr(other, name).adopt(getattr(self, name))
        return other

    def _update_pod(self, key: ObjectKey, before: PodRow | None, after: PodRow | None) -> None:
        if before is not None and after is not None and _same_place(before, after):
            return
        self._pods_on.update(key, before, after)
        self._pods_in.update(key, before, after)
        self._repelling.update(key, before, after)
        self._pods_of.update(key, before, after)
        self._requested.update(key, before, after)
        self._limits.update(key, before, after)
        self._tolerations.update(key, before, after)
        self._selected.update_pod(key, before, after)

    def _update_offsets(self, key: ObjectKey, before: LeaseRow | None, after: LeaseRow | None) -> None:
        """Only what a live watch brings tells the time; what a list brings was renewed at any time before."""
        if after is None or self._sources["Lease"].state is SourceState.SYNCED:
            self._offsets.update(key, before, after)

    # --- changes

    def apply(self, row: Row, received_at: float = 0.0) -> RowChange | None:
        """Take an added or modified row. None when it is known already."""
        key = row.key
        before = self._tables[type(row)].get(key)
        if before is not None and before.resource_version == row.resource_version and before.uid == row.uid:
            return None
        return self.put(key, before, row, received_at)

    def put(self, key: ObjectKey, before: Row | None, after: Row, received_at: float) -> RowChange:
        """`apply` for callers that have looked up key and row already."""
        kind = type(after)
        table = self._tables[kind]
        if kind is EventRow:
            table.pop(key, None)  # to the end: the front is what was quiet longest
        table[key] = after
        for update in self._updates.get(kind, ()):
            update(key, before, after)
        return RowChange(kind=key.kind, key=key, before=before, after=after, received_at=received_at)

    def remove(self, kind: type[Row], key: ObjectKey, received_at: float = 0.0) -> RowChange | None:
        """Take a deletion. None when there was no such row."""
        before = self._tables[kind].get(key)
        return None if before is None else self._drop(kind, key, before, received_at)

    def prune(self, kind: type[Row], seen_uids: Collection[str], received_at: float = 0.0) -> list[RowChange]:
        """After a relist: remove what was not in it, deletions that the watch has missed."""
        gone = [(key, row) for key, row in self._tables[kind].items() if row.uid not in seen_uids]
        return [self._drop(kind, key, row, received_at) for key, row in gone]

    def replace(self, kind: type[Row], rows: Iterable[Row], received_at: float = 0.0) -> list[RowChange]:
        """Take a whole list of one kind."""
        listed = list(rows)
        changes = [change for row in listed if (change := self.apply(row, received_at))]
        return changes + self.prune(kind, {row.uid for row in listed}, received_at)

    def expire_events(self, now: datetime, received_at: float = 0.0) -> list[RowChange]:
        """Drop events that are too old, and those quiet longest while there are too many."""
        events = self._tables[EventRow]
        limit = now - EVENT_LIFE
        gone = [key for key, event in events.items() if event.last_at is not None and event.last_at < limit]
        changes = [self._drop(EventRow, key, events[key], received_at) for key in gone]
        return changes + self.trim_events(received_at)

    def trim_events(self, received_at: float = 0.0) -> list[RowChange]:
        """Drop the events that were quiet longest while there are too many."""
        events = self._tables[EventRow]
        surplus = list(islice(events, max(0, len(events) - self._events_kept)))
        return [self._drop(EventRow, key, events[key], received_at) for key in surplus]

    def set_usage(self, kind: str, usage: Mapping[ObjectKey, Usage], received_at: float = 0.0) -> list[RowChange]:
        """Take what metrics.k8s.io says of all objects of `kind`, "Node" or "Pod"."""
        return self.put_usage(kind, usage, received_at) + self.prune_usage(kind, usage, received_at)

    def put_usage(self, kind: str, usage: Mapping[ObjectKey, Usage], received_at: float = 0.0) -> list[RowChange]:
        """Take figures of some objects. Told are those that differ by enough to matter."""
        known = self._usage[kind]
        changed = [key for key, value in usage.items() if _differs(known.get(key), value)]
        known.update(usage)
        return [RowChange(kind=f"{kind}Usage", key=key, received_at=received_at) for key in changed]

    def prune_usage(self, kind: str, seen: Container[ObjectKey], received_at: float = 0.0) -> list[RowChange]:
        """Forget the figures of all objects that are not among those."""
        known = self._usage[kind]
        gone = [key for key in known if key not in seen]
        for key in gone:
            del known[key]
        return [RowChange(kind=f"{kind}Usage", key=key, received_at=received_at) for key in gone]

    def set_source(self, source: Source) -> None:
        self._sources[source.kind] = source

    def _drop(self, kind: type[Row], key: ObjectKey, before: Row, received_at: float) -> RowChange:
        del self._tables[kind][key]
        for update in self._updates.get(kind, ()):
            update(key, before, None)
        return RowChange(kind=key.kind, key=key, before=before, received_at=received_at)

    # --- questions

    @property
    def sources(self) -> Mapping[str, Source]:
        return self._sources

    def rows(self, kind: type[R]) -> Mapping[ObjectKey, R]:
        return self._tables[kind]

    def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        key = ObjectKey(kind_name(kind), namespace, name)
        return cast("R | None", self._tables[kind].get(key))

    def find(self, key: ObjectKey) -> Row | None:
        table = self._tables_by_name.get(key.kind)
        return None if table is None else table.get(key)

    def node(self, name: str) -> NodeRow | None:
        return self.get(NodeRow, name)

    def lease(self, node: str) -> LeaseRow | None:
        return self.get(LeaseRow, node, NODE_LEASES)

    def zones(self) -> Mapping[str, Collection[str]]:
        return {zone: [key.name for key in self._zones[zone]] for zone in self._zones}

    def unready_nodes(self, zone: str | None = None) -> Collection[str]:
        zones = self._unready if zone is None else (zone,)
        return [key.name for zone in zones for key in self._unready[zone]]

    def readiness_changes(self, node: str) -> Sequence[datetime]:
        return self._readiness[node]

    def clock_offset(self, node: str) -> timedelta | None:
        return self._offsets[node]

    def tolerations(self) -> Collection[tuple[Toleration, ...]]:
        return self._tolerations.all()

    def pods_on(self, node: str) -> Collection[PodRow]:
        return Rows(self._pods_on[node], self._tables[PodRow])

    def pods_in(self, namespace: str) -> Collection[PodRow]:
        return Rows(self._pods_in[namespace], self._tables[PodRow])

    def repelling(self, namespace: str) -> Collection[PodRow]:
        keys = [*self._repelling[namespace], *self._repelling[EVERYWHERE]]
        return Rows(keys, self._tables[PodRow])

    def pods_of(self, workload: ObjectKey) -> Collection[PodRow]:
        groups = [pods for owner in self._descendants(workload) if (pods := self._pods_of[owner])]
        keys = groups[0] if len(groups) == 1 else [key for group in groups for key in group]
        return Rows(keys, self._tables[PodRow])

    def _descendants(self, workload: ObjectKey) -> Sequence[ObjectKey]:
        """The workload and all workloads below it. A loop of owners ends."""
        found = {workload: None}
        waiting = [workload]
        while waiting:
            below = [key for key in self._owned[waiting.pop()] if key not in found]
            found.update(dict.fromkeys(below))
            waiting += below
        return list(found)

    def pods_selected(self, pdb: PodDisruptionBudgetRow) -> Collection[PodRow]:
        return Rows(self._selected[pdb.key], self._tables[PodRow])

    def pdbs_of(self, pod: PodRow) -> Collection[PodDisruptionBudgetRow]:
        return self._pdbs.matching(pod.namespace, pod.labels)

    def services_of(self, pod: PodRow) -> Collection[ServiceRow]:
        return self._services.matching(pod.namespace, pod.labels)

    def owners(self, row: Row) -> Sequence[ObjectKey]:
        chain: list[ObjectKey] = []
        above: Row | None = row
        while above is not None and len(chain) < MAX_OWNERS and (key := _owner_key(above)):
            chain.append(key)
            above = self.find(key)
        return chain

    def top_owner(self, row: Row) -> ObjectKey:
        chain = self.owners(row)
        return chain[-1] if chain else row.key

    def requested_on(self, node: str) -> Resources:
        return self._requested[node]

    def limits_on(self, node: str) -> Resources:
        return self._limits[node]

    def warnings_about(self, key: ObjectKey) -> Collection[EventRow]:
        events: Collection[EventRow] = Rows(self._warnings[key], self._tables[EventRow])
        row = self.find(key) if events and key.kind != "Node" else None  # kubelets give the node's name as its uid
        return events if row is None else [event for event in events if event.about_uid in {"", row.uid}]

    def usage_of(self, key: ObjectKey) -> Usage | None:
        return self._usage.get(key.kind, {}).get(key)

    def endpoints_of(self, service: ServiceRow) -> tuple[int, int]:
        slices = Rows(self._slices[(service.namespace, service.name)], self._tables[EndpointSliceRow])
        return sum(part.ready for part in slices), sum(part.not_ready for part in slices)


def _owner_key(row: Row) -> ObjectKey | None:
    owner = row.owner
    if owner is None:
        return None
    return ObjectKey(owner.kind, "" if owner.kind == "Node" else row.namespace, owner.name)


def _repelled(pod: PodRow) -> str | None:
    """The namespace whose pods it may keep away."""
    terms = pod.scheduling.anti_affinity
    if not terms:
        return None
    return EVERYWHERE if any(term.crosses for term in terms) else pod.namespace


def _pdb_selector(pdb: PodDisruptionBudgetRow) -> Selector:
    return pdb.selector


def _service_selector(service: ServiceRow) -> Selector:
    return Selector(labels=service.selector)


def _same_place(before: PodRow, after: PodRow) -> bool:
    """No index reads what changed. Identity is enough, since the decoder shares equal values; most changes end here."""
    return (
        before.node is after.node
        and before.phase is after.phase
        and before.labels is after.labels
        and before.owner is after.owner
        and before.requests is after.requests
        and before.limits is after.limits
        and before.tolerations is after.tolerations
        and before.scheduling is after.scheduling
    )


def _differs(before: Usage | None, after: Usage) -> bool:
    """By a step: figures tremble all the time, and a tenth more or less changes no answer."""
    return before is None or _steps(before) != _steps(after)


def _steps(usage: Usage) -> list[tuple[int, int]]:
    amounts = ((usage.cpu_millicores, usage.memory_bytes), *usage.containers.values())
    return [(_step(cpu // 10), _step(memory >> 20)) for cpu, memory in amounts]


def _step(number: int) -> int:
    """The number with all but its first four binary digits cleared."""
    places = max(0, number.bit_length() - 4)
    return number >> places << places
