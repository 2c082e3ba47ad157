"""Real control planes for the benchmarks: etcd and kube-apiserver, filled, and gone with the block."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from devcluster import DevCluster, Settings
from devcluster.fill import filled
from devcluster.processes import HOME_VARIABLE


@contextlib.asynccontextmanager
async def filled_cluster(*, nodes: int, pods: int) -> AsyncIterator[DevCluster]:
    """Nothing runs in it but etcd and the API server. What was filled once is cached as a snapshot."""
    settings = Settings(name=f"bench-{os.getpid()}", nodes=nodes, controllers=False)
    cluster = await asyncio.to_thread(filled, settings, pods=pods)
    try:
        yield cluster
    finally:
        await asyncio.to_thread(cluster.down)


def environment(cluster: DevCluster) -> dict[str, str]:
    """For programs that talk to the cluster. Its guardian ends them, too, should this process be killed."""
    return {"KUBECONFIG": str(cluster.kubeconfig), HOME_VARIABLE: str(cluster.home)}
