"""What people do in the story: leave a volume claim behind, ask for a drain that must not be, keep a node for
others."""

import asyncio
import contextlib

from demo.screen import Screen
from demo.service import Service, ServiceFailed
from devcluster import DevCluster
from devcluster.api import collection, wait_for

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "left-behind", "namespace": "platform"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
_BUDGET = f"{collection('policy/v1/poddisruptionbudgets', 'accounts')}/users"
_POD = f"{collection('v1/pods', 'accounts')}/users-0"
_SETTLED_SECONDS = 1.0  # until the view of both services has what the API server has


async def leave_claim_behind(cluster: DevCluster) -> None:
    """A claim that no pod mounts and nothing makes."""
    await asyncio.to_thread(cluster.api.create, CLAIM)


async def keep_new_pods_off(cluster: DevCluster, node: str) -> None:
    """Of a node that goes dark: for its first 40 s the scheduler would send it pods that are being healed elsewhere."""
    taint = {"key": "demo.example.com/others", "effect": "NoSchedule"}
    await asyncio.to_thread(cluster.api.patch, f"{collection('v1/nodes')}/{node}", {"spec": {"taints": [taint]}})


async def ask_for_drain(screen: Screen, cluster: DevCluster, healer: Service) -> None:
    """Of a node whose pods a disruption budget holds; the refusal is in the ledger."""
    screen.chapter("Somebody wants a node drained, whose pods a disruption budget holds")
    node = await asyncio.to_thread(_forbid, cluster)
    await asyncio.sleep(_SETTLED_SECONDS)
    wanted = {"action": "drain", "target": {"kind": "Node", "name": node}, "reason": "to see what is said"}
    with contextlib.suppress(ServiceFailed):  # declined, as the ledger tells
        await healer.post("/api/v1/runs", wanted)
    await asyncio.to_thread(cluster.api.patch, _BUDGET, {"spec": {"maxUnavailable": 1}})


def _forbid(cluster: DevCluster) -> str:
    """The node of a pod that nobody may evict from now on."""
    cluster.api.patch(_BUDGET, {"spec": {"maxUnavailable": 0}})
    wait_for("the disruption budget", lambda: cluster.api.get(_BUDGET)["status"]["disruptionsAllowed"] == 0)
    return str(cluster.api.get(_POD)["spec"]["nodeName"])
