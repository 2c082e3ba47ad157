"""A cluster filled straight through the API server, and the same one again from its snapshot, with controllers."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster import DevCluster, DevClusterError, Settings
from devcluster.api import collection, wait_for
from devcluster.fill import filled, snapshot_file

pytestmark = pytest.mark.cluster

PODS = 23


@pytest.fixture
def settings() -> Settings:
    # The process id in the zone makes the snapshot this test's own, and keeps it from older ones.
    return Settings(name=f"fill-{os.getpid()}", nodes=4, zones=(f"zone-{os.getpid()}",), controllers=False)


def test_a_filled_cluster_starts_again_from_its_snapshot(settings: Settings) -> None:
    snapshot = snapshot_file(settings, PODS)
    try:
        with closing(filled(settings, pods=PODS)) as cluster:
            check_content(cluster)
            cluster.down()
        assert snapshot.is_file()
        with closing(filled(replace(settings, controllers=True), pods=PODS)) as cluster:
            check_controllers_have_nothing_to_do(cluster)
            cluster.down()
    finally:
        snapshot.unlink(missing_ok=True)
    assert not Path(cluster.home).exists()


def check_content(cluster: DevCluster) -> None:
    pods = cluster.api.items(collection("v1/pods"))
    nodes = {node["metadata"]["name"] for node in cluster.api.items(collection("v1/nodes"))}
    owners = {item["metadata"]["uid"]: item for item in cluster.api.items(collection("apps/v1/replicasets"))}
    deployments = {item["metadata"]["uid"] for item in cluster.api.items(collection("apps/v1/deployments"))}
    assert len(pods) == PODS
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    for pod in pods:
        replica_set = owners[pod["metadata"]["ownerReferences"][0]["uid"]]
        assert replica_set["metadata"]["ownerReferences"][0]["uid"] in deployments


def check_controllers_have_nothing_to_do(cluster: DevCluster) -> None:
    """The real controllers have seen every Deployment, and every one has exactly the pods it wants."""
    path = collection("apps/v1/deployments")
    wait_for("the controllers", lambda: all("conditions" in d["status"] for d in cluster.api.items(path)))
    assert [d["status"]["readyReplicas"] for d in cluster.api.items(path)] == [10, 10, PODS - 20]
    assert len(cluster.api.items(collection("v1/pods"))) == PODS
    for node in cluster.api.items(collection("v1/nodes")):
        ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
        assert ready["status"] == "True"


def test_a_fill_that_fails_leaves_no_cluster_and_no_snapshot(settings: Settings) -> None:
    broken = replace(settings, nodes=0)
    with pytest.raises(DevClusterError, match="no node to put pods on"):
        filled(broken, pods=PODS)
    assert not DevCluster(broken).home.exists()
    assert not snapshot_file(broken, PODS).exists()
