"""What /metrics shows of the cluster, judged by promtool where there is one."""

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_deployment, a_namespace, a_node, a_pod, a_snapshot

from common.cluster.intake import IntakeStatistics
from common.cluster.rows import Row
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.metrics import ServiceMetrics
from devcluster.binaries import ensure
from health_monitor.collector import HealthCollector, OnLoop, Vitals, VitalsCollector
from health_monitor.engine.engine import Engine
from health_monitor.metrics import Metrics

VITALS = Vitals(
    leader=True,
    policy_valid=True,
    stream_clients=2,
    outbox_events=3,
    outbox_capacity=100,
    outbox_dropped={"overflow": 4},
)
EVICTED = {"phase": "Failed", "reason": "Evicted", "ready": False}


def metrics_of(store: Store, *, pods_below: float = 50) -> ServiceMetrics:
    engine = Engine(store)
    engine.start()
    engine.work(NOON)
    service = ServiceMetrics("health_monitor", "1.0")
    Metrics(service)
    on_loop = OnLoop(asyncio.get_running_loop())
    now = NOON + timedelta(seconds=5)
    intake = {"Pod": IntakeStatistics(lists=2, lag_seconds=1.5), "Node": IntakeStatistics(lists=1)}
    service.registry.register(
        HealthCollector(engine, store, on_loop, now=lambda: now, pods_below=pods_below, intake=lambda: intake)
    )
    service.registry.register(VitalsCollector(lambda: VITALS, on_loop))
    return service


def a_cluster(*rows: Row) -> Store:
    return a_snapshot(
        a_namespace(),
        a_node("n1", conditions=(a_condition("Ready", "False"),)),
        a_node("n2", zone="zone-b"),
        a_deployment(),
        a_pod("p1"),
        *rows,
    )


def samples(text: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, tuple(sorted(sample.labels.items())), sample.value


def value(text: str, name: str, **labels: str) -> float | None:
    wanted = (f"health_monitor_{name}", tuple(sorted(labels.items())))
    return next((number for name, given, number in samples(text) if (name, given) == wanted), None)


async def exposition(service: ServiceMetrics) -> str:
    """Made in a thread, as a scrape is."""
    return (await asyncio.to_thread(generate_latest, service.registry)).decode()


async def test_scores_findings_and_the_state_of_the_watch_are_shown() -> None:
    text = await exposition(metrics_of(a_cluster()))

    assert 0 < (value(text, "cluster_score") or 0) < 100
    assert value(text, "cluster_confidence_ratio") is not None
    assert value(text, "zone_score", zone="zone-b") == 100
    assert value(text, "namespace_score", namespace="shop") is not None
    assert (value(text, "node_score", node="n1") or 100) < 100
    assert value(text, "node_score", node="n2") == 100
    assert value(text, "workload_score", namespace="shop", kind="Deployment", workload="checkout") is not None
    assert value(text, "findings", code="node-not-ready", severity="critical") == 1
    assert value(text, "source_synced", kind="Pod") == 1
    assert value(text, "watch_lag_seconds", kind="Pod") == 5
    assert value(text, "watch_delay_seconds", kind="Pod") == 1.5
    assert value(text, "watch_delay_seconds", kind="Node") is None
    assert value(text, "relists_total", kind="Pod") == 2
    assert value(text, "store_objects", kind="Node") == 2
    assert value(text, "leader") == 1
    assert value(text, "outbox_events") == 3
    assert value(text, "outbox_dropped_total", reason="overflow") == 4


@pytest.mark.parametrize(
    ("pods_below", "shown"),
    [
        pytest.param(101, {"sick"}, id="all pods with a finding by opt-in, and no healthy one"),
        pytest.param(0, set(), id="none"),
    ],
)
async def test_pods_have_series_only_below_a_score(pods_below: float, shown: set[str]) -> None:
    text = await exposition(metrics_of(a_cluster(a_pod("sick", **EVICTED)), pods_below=pods_below))
    pods = {dict(labels)["pod"] for name, labels, _ in samples(text) if name == "health_monitor_pod_score"}

    assert {pod for pod in pods if pod != "p1"} == shown


async def test_a_source_that_is_not_seen_is_not_synced() -> None:
    store = a_cluster()
    store.set_source(Source(kind="Pod", state=SourceState.UNSEEN))
    text = await exposition(metrics_of(store))

    assert value(text, "source_synced", kind="Pod") == 0
    assert value(text, "watch_lag_seconds", kind="Pod") is None


async def test_promtool_finds_nothing_to_complain_about() -> None:
    promtool = ensure("prometheus")["promtool"]
    text = await exposition(metrics_of(a_cluster(a_pod("sick", **EVICTED)), pods_below=101))
    judged = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )

    assert (judged.returncode, judged.stdout + judged.stderr) == (0, b"")


async def test_reading_on_the_loop_itself_does_not_wait_for_it() -> None:
    assert OnLoop(asyncio.get_running_loop()).read(lambda: 7) == 7


async def test_an_error_of_a_reading_fails_the_scrape_and_not_the_loop() -> None:
    on_loop = OnLoop(asyncio.get_running_loop())

    def broken() -> int:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await asyncio.to_thread(on_loop.read, broken)
