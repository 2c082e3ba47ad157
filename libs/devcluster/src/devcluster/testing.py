"""Clusters for test runs: one that all processes of a run share, private ones, and namespaces."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .api import collection, wait_for
from .cluster import DevCluster
from .errors import DevClusterError
from .settings import Settings, clusters_folder

# Half of Kubernetes' own grace: a busy machine must not lose nodes that nobody made dark.
NODE_GRACE_SECONDS = 20


def run_name(run: int) -> str:
    """The name of the cluster shared by a test run, known by its main process's id."""
    return f"test-{run}"


def shared_cluster(run: int) -> DevCluster:
    """The run's cluster, started by whoever asks first; the others wait. It ends with the run's main process."""
    name = run_name(run)
    with _lock(name):
        try:
            cluster = DevCluster.open(name)
            if cluster.status().ready:
                return cluster
            cluster.down()  # whoever started it died on the way
        except DevClusterError:
            pass
        return DevCluster(Settings(name=name, node_grace_seconds=NODE_GRACE_SECONDS)).up(owner=run)


def end_shared_cluster(run: int) -> None:
    """Removes what the run shared, if it shared anything."""
    name = run_name(run)
    if (clusters_folder() / name).exists():
        DevCluster(Settings(name=name)).down()
    (clusters_folder() / f".{name}.lock").unlink(missing_ok=True)


@contextmanager
def _lock(name: str) -> Iterator[None]:
    path = clusters_folder() / f".{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def private_cluster(settings: Settings | None = None) -> Iterator[DevCluster]:
    """A cluster of one's own; the name in the settings is replaced by a unique one."""
    chosen = settings or Settings(node_grace_seconds=NODE_GRACE_SECONDS)
    with DevCluster(replace(chosen, name=f"test-{os.getpid()}-{uuid.uuid4().hex[:6]}")) as cluster:
        yield cluster


@contextmanager
def fresh_namespace(cluster: DevCluster) -> Iterator[str]:
    """A namespace where pods can be made at once; its deletion is asked for and not waited for."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = collection("v1/serviceaccounts", name) + "/default"
    wait_for(f"the service account of {name}", lambda: cluster.api.exists(account))
    try:
        yield name
    finally:
        cluster.api.delete(f"{collection('v1/namespaces')}/{name}")
