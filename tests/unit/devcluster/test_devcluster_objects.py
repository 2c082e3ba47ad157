"""What is written to the API server and to kwokctl: pure functions of the settings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import DevCluster, DevClusterError, Pool, Settings
from devcluster.api import collection, path_of, wait_for
from devcluster.binaries.catalog import GROUPS
from devcluster.cluster import names
from devcluster.fill import snapshot_file
from devcluster.kwokctl import configuration, free_ports
from devcluster.nodes import nodes
from devcluster.workloads import WORKLOADS, Workload, replicas, workload_objects

PROGRAMS = {tool.name: Path("/programs") / tool.name for tool in GROUPS["control-plane"].tools}


def options(settings: Settings, home: Path) -> dict[str, Any]:
    document = next(yaml.safe_load_all(configuration(settings, PROGRAMS, home)))
    found: dict[str, Any] = document["options"]
    return found


def test_a_cluster_listens_on_the_local_address_alone_and_on_ports_of_its_own(tmp_path: Path) -> None:
    chosen = options(Settings(), tmp_path)
    assert chosen["bindAddress"] == "127.0.0.1"
    ports = [value for name, value in chosen.items() if name.endswith("Port")]
    assert len(set(ports)) == len(ports) == 7
    assert chosen["kubeApiserverBinary"] == "/programs/kube-apiserver"


@pytest.mark.parametrize(
    ("settings", "option", "value"),
    [
        pytest.param(Settings(), "disable", [], id="everything runs"),
        pytest.param(
            Settings(controllers=False),
            "disable",
            ["kube-controller-manager", "kube-scheduler", "kwok-controller"],
            id="the API server alone",
        ),
        pytest.param(Settings(metrics=True), "enable", ["metrics-server"], id="with metrics"),
        pytest.param(Settings(node_grace_seconds=8), "nodeLeaseDurationSeconds", 8, id="a short lease"),
        pytest.param(
            Settings(node_grace_seconds=8),
            "kubeControllerManagerNodeMonitorPeriodMilliseconds",
            2000,
            id="and a controller that looks often enough",
        ),
    ],
)
def test_settings_reach_kwokctl(settings: Settings, option: str, value: object, tmp_path: Path) -> None:
    assert options(settings, tmp_path)[option] == value


def test_free_ports_are_distinct_and_end_somewhere() -> None:
    assert len(set(free_ports(20))) == 20
    with pytest.raises(DevClusterError, match="free ports"):
        free_ports(10_001)


@pytest.mark.parametrize("name", ["", "UPPER", "../other", "a b", "-dash", "x" * 41])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(DevClusterError, match="is no cluster name"):
        Settings(name=name)


def test_nodes_are_spread_over_zones_and_pools_by_share() -> None:
    settings = Settings(nodes=30, pools=(Pool("general", 4), Pool("memory", 1, memory="64Gi")))
    labels = [node["metadata"]["labels"] for node in nodes(settings)]
    assert Counter(label["topology.kubernetes.io/zone"] for label in labels) == dict.fromkeys(settings.zones, 10)
    assert Counter(label["devcluster/pool"] for label in labels) == {"general": 24, "memory": 6}


def test_a_larger_cluster_keeps_the_nodes_of_a_smaller_one() -> None:
    small, large = nodes(Settings(nodes=7)), nodes(Settings(nodes=40))
    assert large[:7] == small


@pytest.mark.parametrize("pods", [200, 300, 1000])
def test_the_shop_has_about_as_many_pods_as_asked_for(pods: int) -> None:
    assert sum(replicas(pods, 20).values()) == pytest.approx(pods, rel=0.05)


def test_a_tiny_shop_still_has_every_workload() -> None:
    assert min(replicas(1, 1).values()) == 1
    assert len(replicas(1, 1)) == len(WORKLOADS)


@pytest.mark.parametrize(
    ("workload", "count", "kinds"),
    [
        pytest.param(Workload("n", "w", 2), 2, ["Deployment", "Service", "PodDisruptionBudget"], id="a deployment"),
        pytest.param(Workload("n", "w", 1), 1, ["Deployment", "Service"], id="one pod has no budget"),
        pytest.param(Workload("n", "w", 0, kind="DaemonSet"), 9, ["DaemonSet", "Service"], id="daemons"),
        pytest.param(
            Workload("n", "w", 2, autoscaled=True),
            2,
            ["Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"],
            id="an autoscaled one",
        ),
        pytest.param(
            Workload("n", "w", 3, kind="StatefulSet"), 3, ["StatefulSet", "Service", "PodDisruptionBudget"], id="a set"
        ),
    ],
)
def test_a_workload_comes_with_what_belongs_to_it(workload: Workload, count: int, kinds: list[str]) -> None:
    assert [body["kind"] for body in workload_objects(workload, count)] == kinds


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace", "path"),
    [
        pytest.param("v1", "Node", None, "/api/v1/nodes/x", id="a core kind of the cluster"),
        pytest.param("v1", "Pod", "shop", "/api/v1/namespaces/shop/pods/x", id="a core kind of a namespace"),
        pytest.param("apps/v1", "Deployment", "shop", "/apis/apps/v1/namespaces/shop/deployments/x", id="a group"),
        pytest.param("storage.k8s.io/v1", "StorageClass", None, "/apis/storage.k8s.io/v1/storageclasses/x", id="-es"),
    ],
)
def test_objects_have_their_path(api_version: str, kind: str, namespace: str | None, path: str) -> None:
    metadata = {"name": "x"} | ({"namespace": namespace} if namespace else {})
    assert path_of({"apiVersion": api_version, "kind": kind, "metadata": metadata}) == path
    assert path.startswith(collection(f"{api_version}/{path.split('/')[-2]}", namespace))


def test_a_snapshot_is_known_by_what_is_in_it_and_not_by_the_cluster(tmp_path: Path) -> None:
    base = Settings(name="one", nodes=10)
    assert snapshot_file(base, 100) == snapshot_file(Settings(name="two", nodes=10, controllers=False), 100)
    others = {snapshot_file(base, 101), snapshot_file(Settings(nodes=11), 100), snapshot_file(base, 100)}
    others.add(snapshot_file(Settings(nodes=10, zones=("only",)), 100))
    assert len(others) == 4


def test_settings_are_read_back_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = Settings(name="stored", nodes=3, zones=("z",), pools=(Pool("p", cpu="4"),), metrics=True)
    cluster = DevCluster(settings)
    cluster.home.mkdir(parents=True)
    cluster.remember()
    assert DevCluster.open("stored").settings == settings
    assert names() == ["stored"]
    with pytest.raises(DevClusterError, match=r"no cluster 'other' is up \(up: stored\)"):
        DevCluster.open("other")


def test_waiting_ends_with_what_did_not_come() -> None:
    with pytest.raises(DevClusterError, match="rain did not come within 0 s"):
        wait_for("rain", lambda: None, 0.05)
