"""Series that are read from the live state at scrape time: only those that somebody would query.

A scrape is rendered in a thread while the event loop goes on. The state belongs to the loop, so it is read there, in
slices of a millisecond or two, and only copies are rendered.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.cluster.intake import IntakeStatistics
from common.cluster.rows import ROW_KINDS, NodeRow
from common.cluster.snapshot import ClusterSnapshot, Source, SourceState
from common.contracts import ObjectKey
from common.contracts.objects import CLUSTER
from health_monitor.engine.engine import Engine

T = TypeVar("T")
Labels = tuple[str, ...]

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")
_SLICE = 1_000
_INTAKE = {
    "relists": ("lists", "Full lists of the kind, the first one included"),
    "watch_starts": ("watches", "Watches of the kind that were begun"),
    "watch_errors": ("errors", "Lists and watches of the kind that failed"),
    "object_changes": ("changes", "Changes of objects that arrived"),
    "objects_malformed": ("malformed", "Objects that could not be read and are left out"),
    "objects_oversized": ("oversized", "Objects that were too large to be read"),
}
_PATIENCE_SECONDS = 10.0  # a loop that does not answer for so long fails the scrape, as it should


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How the service itself is, at one instant."""

    leader: bool
    policy_valid: bool
    stream_clients: int
    stream_dropped: int = 0
    outbox_events: int = 0
    outbox_capacity: int = 0
    outbox_dropped: Mapping[str, int] = field(default_factory=dict)


class OnLoop:
    """Runs short reads on the event loop for a thread that waits for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def read(self, question: Callable[[], T]) -> T:
        """What `question` answers. Called on the loop itself it simply asks."""
        with suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                return question()
        answer: Future[T] = Future()
        self._loop.call_soon_threadsafe(_answer, answer, question)
        return answer.result(_PATIENCE_SECONDS)

    def read_each(self, keys: Callable[[], Iterable[ObjectKey]], value: Callable[[ObjectKey], T]) -> dict[ObjectKey, T]:
        """The value of every key, read in slices with room for other work between them."""
        all_keys = self.read(lambda: list(keys()))
        values: dict[ObjectKey, T] = {}
        for start in range(0, len(all_keys), _SLICE):
            some = all_keys[start : start + _SLICE]
            values.update(self.read(lambda some=some: [(key, value(key)) for key in some]))  # type: ignore[misc]
        return values


def _answer(answer: Future[T], question: Callable[[], T]) -> None:
    try:
        answer.set_result(question())
    except Exception as error:
        answer.set_exception(error)


class HealthCollector(Collector):
    """Scores and findings of the cluster, and how far what is seen of it can be trusted."""

    def __init__(
        self,
        engine: Engine,
        snapshot: ClusterSnapshot,
        on_loop: OnLoop,
        *,
        now: Callable[[], datetime],
        pods_below: float,
        intake: Callable[[], Mapping[str, IntakeStatistics]] = dict,
    ) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._on_loop = on_loop
        self._now = now
        self._pods_below = pods_below
        self._intake = intake

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking for names when registering would read the state."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._cluster()
        yield self._scores("zone", ("zone",), self._engine.zones, _name)
        yield self._scores("namespace", ("namespace",), self._engine.namespaces, _name)
        yield self._scores("node", ("node",), lambda: self._snapshot.rows(NodeRow), _name)
        yield self._scores("workload", ("namespace", "kind", "workload"), self._engine.workloads, _workload)
        yield self._pod_scores()
        yield self._findings()
        yield from self._watch()
        yield from self._intakes()

    def _cluster(self) -> Iterator[Metric]:
        score = self._on_loop.read(lambda: self._engine.score(CLUSTER_KEY))
        value = _gauge("cluster_score", "Score of the cluster, 0 to 100")
        confidence = _gauge(
            "cluster_confidence_ratio", "Share of what the cluster score rests on that was seen, 0 to 1"
        )
        if score is not None:
            value.add_metric((), score.value)
            confidence.add_metric((), score.confidence)
        yield from (value, confidence)

    def _scores(
        self, sort: str, labels: Labels, keys: Callable[[], Iterable[ObjectKey]], values: Callable[[ObjectKey], Labels]
    ) -> Metric:
        family = _gauge(f"{sort}_score", f"Score of each {sort}, 0 to 100", labels)
        for key, value in self._on_loop.read_each(keys, self._engine.value).items():
            family.add_metric(values(key), value)
        return family

    def _pod_scores(self) -> Metric:
        """Only pods with a finding can have lost points, so only they are looked at."""
        family = _gauge(
            "pod_score", f"Score of each pod whose score is below {self._pods_below:g}", ("namespace", "pod")
        )
        for key, value in self._on_loop.read_each(self._noted_pods, self._engine.value).items():
            if value < self._pods_below:
                family.add_metric((key.namespace, key.name), value)
        return family

    def _noted_pods(self) -> set[ObjectKey]:
        keys = (opened.finding.object.key for opened in self._engine.all_findings())
        return {key for key in keys if key.kind == "Pod"}

    def _findings(self) -> Metric:
        family = _gauge("findings", "Open findings that are not muted, by check and severity", ("code", "severity"))
        for (code, severity), count in self._on_loop.read(lambda: dict(self._engine.counts())).items():
            family.add_metric((code, severity.value), count)
        return family

    def _watch(self) -> Iterator[Metric]:
        now = self._now()
        sources, counts = self._on_loop.read(self._watch_state)
        synced = _gauge("source_synced", "1 when the kind is listed and watched, else 0", ("kind",))
        silence = _gauge("watch_lag_seconds", "Time since anything was heard from the watch of the kind", ("kind",))
        for source in sources:
            synced.add_metric((source.kind,), float(source.state is SourceState.SYNCED))
            if source.heard_at is not None:
                silence.add_metric((source.kind,), max(0.0, (now - source.heard_at).total_seconds()))
        kept = _gauge("store_objects", "Objects kept, by kind", ("kind",))
        for kind, count in counts.items():
            kept.add_metric((kind,), count)
        yield from (synced, silence, kept)

    def _intakes(self) -> Iterator[Metric]:
        statistics = self._on_loop.read(lambda: {kind: replace(each) for kind, each in self._intake().items()})
        for name, (field_name, text) in _INTAKE.items():
            family = CounterMetricFamily(f"health_monitor_{name}", text, labels=("kind",))
            for kind, each in statistics.items():
                family.add_metric((kind,), getattr(each, field_name))
            yield family
        delay = _gauge(
            "watch_delay_seconds",
            "Age of the kind's newest object when it arrived here, by the API server's clock, in whole seconds",
            ("kind",),
        )
        for kind, each in statistics.items():
            if each.lag_seconds is not None:
                delay.add_metric((kind,), max(0.0, each.lag_seconds))
        yield delay

    def _watch_state(self) -> tuple[list[Source], dict[str, int]]:
        counts = {kind.__name__.removesuffix("Row"): len(self._snapshot.rows(kind)) for kind in ROW_KINDS}
        return list(self._snapshot.sources.values()), counts


class VitalsCollector(Collector):
    """The service's own state."""

    def __init__(self, vitals: Callable[[], Vitals], on_loop: OnLoop) -> None:
        self._vitals = vitals
        self._on_loop = on_loop

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        vitals = self._on_loop.read(self._vitals)
        yield _single("leader", "1 when this replica stores and delivers events, else 0", vitals.leader)
        yield _single("policy_valid", "1 when the policy file was read without a mistake, else 0", vitals.policy_valid)
        yield _single("stream_clients", "Clients connected to the event stream", vitals.stream_clients)
        yield CounterMetricFamily(
            "health_monitor_stream_dropped",
            "Stream clients that were cut off because they did not keep up",
            value=vitals.stream_dropped,
        )
        yield _single("outbox_events", "Events that wait to be stored", vitals.outbox_events)
        yield _single(
            "outbox_capacity_events", "Events that may wait before the oldest are given up", vitals.outbox_capacity
        )
        dropped = CounterMetricFamily(
            "health_monitor_outbox_dropped", "Entries that were given up before they were stored", labels=("reason",)
        )
        for reason, count in vitals.outbox_dropped.items():
            dropped.add_metric((reason,), count)
        yield dropped


def _gauge(name: str, text: str, labels: Labels = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"health_monitor_{name}", text, labels=labels)


def _single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"health_monitor_{name}", text, value=float(value))


def _name(key: ObjectKey) -> Labels:
    return (key.name,)


def _workload(key: ObjectKey) -> Labels:
    return (key.namespace, key.kind, key.name)
