"""The shipped rules on what a real kube-state-metrics tells of a real cluster: faults raise their alerts, which end."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml
from tests.support.alert_rules import ALERTMANAGER, in_a_hurry
from tests.support.exported_metrics import EXPORTED
from tests.support.monitoring import scraping
from tests.support.promql import Selector, ask, shipped
from tests.support.rule_faults import Faults, furnish

from devcluster import DevCluster, Settings, testing
from devcluster.api import wait_for
from devcluster.monitoring import Alertmanager, KubeStateMetrics, Prometheus

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

WITHIN_SECONDS = 120
WINDOW = "10s"
RUNNING = ("kube-state-metrics", "prometheus", "alertmanager")
TRIED = 'ALERTS{alertstate="firing", component=~"node|workload|storage", alertname!="KubeletDown"}'
FIRE = {
    ("PodCrashLoop", "pod", "crashing"),
    ("DeploymentUnavailable", "deployment", "crashing"),
    ("DeploymentReplicasMissing", "deployment", "crashing"),
    ("PdbNotEnoughPods", "poddisruptionbudget", "crashing"),
    ("PodImagePull", "pod", "pulling"),
    ("DeploymentRolloutStuck", "deployment", "rolling"),
    ("PodOomKilled", "pod", "hungry"),
    ("PodNotReady", "pod", "archive"),
    ("PodNotReady", "pod", "store"),
    ("StatefulSetReplicasMissing", "statefulset", "store"),
    ("DaemonSetPodsMissing", "daemonset", "agent"),
    ("JobFailed", "job_name", "report"),
    ("CronJobMissed", "cronjob", "late"),
    ("HpaAtMax", "horizontalpodautoscaler", "scaled"),
    ("PersistentVolumeFailed", "persistentvolume", "orphan"),
    ("ClaimLost", "persistentvolumeclaim", "lost"),
    ("NodesNotReadyMany", "component", "node"),
}


@dataclass(frozen=True, slots=True)
class World:
    cluster: DevCluster
    prometheus: Prometheus
    alertmanager: Alertmanager

    def ask(self, query: str) -> list[dict[str, str]]:
        return ask(self.prometheus, query)

    def missing(self, expected: set[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Which of the alerts (name, label, how its value begins) have not fired so far."""
        fired = self.ask(f"last_over_time({TRIED}[10m])")
        return sorted(
            (name, label, start)
            for name, label, start in expected
            if not any(each["alertname"] == name and each.get(label, "").startswith(start) for each in fired)
        )

    def told_of_pods_on(self, node: str) -> list[dict[str, Any]]:
        """Alerts of them that Alertmanager does not hold back, though it holds back for their node."""
        query = {"filter": ["namespace=shop", f"node={node}"]}
        alerts = httpx.get(f"{self.alertmanager.url}/api/v2/alerts", params=query).json()
        return [each for each in alerts if not each["status"]["inhibitedBy"]] if alerts else [{"alerts": None}]

    def unknown_selectors(self) -> list[Selector]:
        """Metrics and labels that rules ask for, and that their exporter does not tell."""
        running = {name for exporter in RUNNING for name in EXPORTED[exporter]}
        running -= {"up"}  # its labels are those of the targets, which are the user's
        asked = {each for each in shipped(self.prometheus) if each.name in running}
        assert {each.name for each in asked} == running
        return [each for each in asked if not self.ask(each.with_its_labels())]


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        cluster = stack.enter_context(testing.private_cluster(Settings(nodes=8, node_grace_seconds=20)))
        furnish(cluster)
        told = stack.enter_context(KubeStateMetrics(cluster.kubeconfig))
        config = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
        alertmanager = stack.enter_context(Alertmanager(config, files={"secrets/alert-service-token": "none"}))
        rules = in_a_hurry(WINDOW)
        scraped = {"kube-state-metrics": [f"127.0.0.1:{told.port}"], "alertmanager": [f"127.0.0.1:{alertmanager.port}"]}
        scrape = scraping(scraped, [f"127.0.0.1:{alertmanager.port}"], list(rules), honor_labels=True)
        scrape["global"]["external_labels"] = {"cluster": "main"}
        prometheus = Prometheus(scrape, files=rules)
        itself = {"targets": [f"127.0.0.1:{prometheus.port}"]}
        scrape["scrape_configs"].append({"job_name": "prometheus", "static_configs": [itself]})
        stack.enter_context(prometheus)
        yield World(cluster, prometheus, alertmanager)


def eventually(what: str, left: Any) -> None:
    """Waits until nothing is left; fails with what is."""
    rest: list[Any] = []

    def none_left() -> bool:
        rest[:] = left()
        return not rest

    try:
        wait_for(what, none_left, WITHIN_SECONDS)
    finally:
        assert rest == []


def test_faults_raise_their_alerts_which_end_with_them(world: World) -> None:
    faults = Faults(world.cluster)
    faults.on()
    expected = FIRE | {
        ("NodeUnknown", "node", faults.dark),
        ("NodeNotReady", "node", faults.not_ready),
        ("NodePressure", "node", faults.pressed),
        ("PodNotReady", "node", faults.dark),
    }
    eventually("every alert", lambda: world.missing(expected))
    eventually("quiet about the pods of the lost node", lambda: world.told_of_pods_on(faults.dark))
    assert world.unknown_selectors() == []
    faults.off()
    eventually("silence", lambda: world.ask(TRIED))
