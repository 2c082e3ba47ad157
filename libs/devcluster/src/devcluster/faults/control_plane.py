"""Faults of the control plane's own processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import processes
from ..errors import DevClusterError

if TYPE_CHECKING:
    from ..cluster import DevCluster


def stopped_on(cluster: DevCluster, _: str | None) -> None:
    cluster.stop("kube-apiserver")


def metrics_on(cluster: DevCluster, _: str | None) -> None:
    if "metrics-server" not in cluster.processes():
        raise DevClusterError(
            "metrics-server does not run in this cluster; start it with metrics: devcluster up --metrics"
        )
    cluster.stop("metrics-server")


def start(cluster: DevCluster, _: str | None) -> None:
    cluster.start()


def slow_on(cluster: DevCluster, _: str | None) -> None:
    processes.slow_down(cluster.home, cluster.processes()["kube-apiserver"], cluster.work / "pids" / "slow-down.pid")


def slow_off(cluster: DevCluster, _: str | None) -> None:
    cluster.stop("slow-down")
    processes.resume(cluster.processes()["kube-apiserver"])
