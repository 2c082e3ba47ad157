"""Faults of nodes: a kubelet that falls silent, or reports something bad."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..api import STRATEGIC_PATCH
from ..errors import DevClusterError
from ..kwokctl import NODE_LABEL
from ..nodes import NODES
from .switch import LABEL, Switches

if TYPE_CHECKING:
    from ..cluster import DevCluster


def _chosen_nodes(cluster: DevCluster, target: str | None, selector: str = NODE_LABEL) -> list[str]:
    """The node that is named, or all that match the selector."""
    if target:
        return [target]
    return [node["metadata"]["name"] for node in cluster.api.items(f"{NODES}?labelSelector={selector}")]


def _label_node(cluster: DevCluster, node: str, label: str, value: str | None) -> None:
    cluster.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: value}}})


def _one_node(cluster: DevCluster, target: str | None) -> str:
    names = _chosen_nodes(cluster, target)
    if not names:
        raise DevClusterError("the cluster has no nodes; make some: devcluster scale --nodes 3")
    return names[0]


def dark_on(cluster: DevCluster, target: str | None) -> None:
    _label_node(cluster, _one_node(cluster, target), NODE_LABEL, "dark")


def dark_off(cluster: DevCluster, target: str | None) -> None:
    for node in _chosen_nodes(cluster, target, f"{NODE_LABEL}=dark"):
        _label_node(cluster, node, NODE_LABEL, "alive")


def condition(name: str, kind: str, bad: tuple[str, str, str], good: tuple[str, str, str]) -> Switches:
    """Switches of a node condition; ``bad`` and ``good`` are its status, reason and message."""

    def write(cluster: DevCluster, node: str, verdict: tuple[str, str, str]) -> None:
        status, reason, message = verdict
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = {"type": kind, "status": status, "reason": reason, "message": message}
        content |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
        cluster.api.patch(f"{NODES}/{node}/status", {"status": {"conditions": [content]}}, STRATEGIC_PATCH)

    def on(cluster: DevCluster, target: str | None) -> None:
        node = _one_node(cluster, target)
        _label_node(cluster, node, LABEL, name)
        write(cluster, node, bad)

    def off(cluster: DevCluster, target: str | None) -> None:
        for node in _chosen_nodes(cluster, target, f"{LABEL}={name}"):
            _label_node(cluster, node, LABEL, None)
            write(cluster, node, good)

    return on, off


def pressure(resource: str, words: str) -> Switches:
    return condition(
        f"{resource.lower()}-pressure",
        f"{resource}Pressure",
        ("True", f"KubeletHas{resource}Pressure", f"kubelet has {words} pressure"),
        ("False", f"KubeletHasNo{resource}Pressure", f"kubelet has no {words} pressure"),
    )
