"""The control plane itself: what is up, what is gone after down, and after its owner was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import DevCluster, DevClusterError, Settings, processes
from devcluster.api import collection, wait_for
from devcluster.settings import clusters_folder

pytestmark = pytest.mark.cluster


def test_a_shared_cluster_is_ready_with_its_nodes_in_zones(devcluster_shared: DevCluster) -> None:
    status = devcluster_shared.status()
    assert status.ready
    assert set(status.processes) == {
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok-controller",
    }
    nodes = devcluster_shared.api.items(collection("v1/nodes"))
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {
        "zone-a",
        "zone-b",
        "zone-c",
    }


def test_a_pod_in_a_fresh_namespace_runs(devcluster_shared: DevCluster, namespace: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"containers": [{"name": "main", "image": "example/app:1"}]},
    }
    devcluster_shared.api.create(pod)
    path = collection("v1/pods", namespace) + "/one"
    wait_for("the pod", lambda: devcluster_shared.api.get(path)["status"]["phase"] == "Running")
    server = devcluster_shared.api.get("/version")
    assert (server["major"], server["gitVersion"]) == ("1", "v1.36.3")


def test_a_second_cluster_of_the_same_name_is_refused_and_the_first_stays(devcluster_shared: DevCluster) -> None:
    with pytest.raises(DevClusterError, match="is up already"):
        DevCluster(devcluster_shared.settings).up()
    assert devcluster_shared.status().ready


def test_a_cluster_goes_when_its_owner_is_killed() -> None:
    script = (
        "import sys, time; from devcluster import DevCluster, Settings\n"
        f"c = DevCluster(Settings(name='orphan-{os.getpid()}', nodes=1, controllers=False)).up()\n"
        "print(c.home, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        home = Path(owner.stdout.readline().strip())
        assert home.parent == clusters_folder()
        assert len(processes.pids(home)) == 2
        owner.send_signal(signal.SIGKILL)
    wait_for("the end of the orphan", lambda: not home.exists() and not processes.pids(home), 60)


@pytest.mark.parametrize("private_cluster", [Settings(nodes=0, controllers=False)], indirect=True)
def test_a_private_cluster_is_broken_and_mended_while_the_shared_one_goes_on(
    private_cluster: DevCluster, devcluster_shared: DevCluster
) -> None:
    private_cluster.stop("kube-apiserver")
    assert not private_cluster.status().ready
    assert set(private_cluster.status().processes) == {"etcd"}
    assert devcluster_shared.status().ready
    private_cluster.start()
    assert private_cluster.status().ready


def test_a_cluster_that_does_not_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd = tmp_path / "etcd"
    etcd.write_text('#!/bin/sh\n[ "$1" = --version ] && echo etcd Version: 3.6.8 && exit\necho no space left; exit 1\n')
    etcd.chmod(0o755)
    monkeypatch.setenv("DEVCLUSTER_ETCD", str(etcd))
    broken = DevCluster(Settings(name=f"broken-{os.getpid()}"))
    with pytest.raises(DevClusterError, match=r"etcd ended by itself \(etcd: no space left\)"):
        broken.up()
    assert not broken.home.exists()
    assert processes.pids(broken.home) == set()
