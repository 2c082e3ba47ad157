"""What is kept of an object before it is destroyed: spec, status, logs, events, owner, revisions, node, usage.

Bounded in size, and without credentials: of environment variables only the names are kept, of data only the keys.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from auto_healing.kube.cluster import Cluster, Manifest
from auto_healing.kube.logs import kept_logs
from auto_healing.kube.paths import RESOURCES_BY_KIND
from auto_healing.kube.redaction import cleaned, text
from auto_healing.kube.revisions import REVISED, Revision, controller_of, revisions_of, template_changes
from auto_healing.kube.rows import ref_of
from common.cluster.rows import NodeRow, Resources
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, ObjectRef
from common.kube.errors import KubeError

EVENTS = 50
PODS = 200  # that are named

Bundle = dict[str, Any]


async def collect(
    cluster: Cluster, ref: ObjectRef, snapshot: ClusterSnapshot, *, found: Manifest | None = None
) -> Bundle:
    """The bundle as JSON values. What could not be had is named with the reason under `missing`.

    `found` is the object where it was read a moment ago. Raises KubeErrors when the object itself cannot be read:
    nothing may be destroyed then.
    """
    found = found or await cluster.read(ref)
    bundle: Bundle = {"object": {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "uid": ref.uid}}
    if found is None:
        return bundle | {"missing": {"manifest": "the object is gone"}}
    missing: dict[str, str] = {}
    parts = {
        "events": _events(cluster, ref),
        "workload": _workload(cluster, found, snapshot),
        "logs": kept_logs(cluster, found, snapshot),
    }
    told = await asyncio.gather(*(_part(name, part, missing) for name, part in parts.items()))
    bundle |= {
        "manifest": cleaned(found),
        "conditions": cleaned({"items": found.get("status", {}).get("conditions") or []})["items"],
        "node": _node(found, snapshot),
        "usage": _usage(ref.key, found, snapshot),
        "pods": _pods(ref.key, snapshot),
    }
    bundle |= dict(zip(parts, told, strict=True))
    kept = {name: part for name, part in bundle.items() if part}
    return kept | ({"missing": missing} if missing else {})


async def _part(name: str, part: Awaitable[Any], missing: dict[str, str]) -> Any:
    try:
        return await part
    except KubeError as error:
        missing[name] = text(str(error), 300)
        return None


async def _events(cluster: Cluster, ref: ObjectRef) -> list[Bundle]:
    """The newest of the last hour, which is how long Kubernetes keeps them by default."""
    fields = f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}"
    found = await cluster.list("Event", ref.namespace or "default", fields=fields)
    told = [
        {
            "type": each.get("type") or "",
            "reason": each.get("reason") or "",
            "message": text(each.get("message") or ""),
            "count": each.get("count") or (each.get("series") or {}).get("count") or 1,
            "first_at": each.get("firstTimestamp") or each.get("eventTime") or "",
            "last_at": each.get("lastTimestamp") or each.get("eventTime") or "",
        }
        for each in found
    ]
    return sorted(told, key=lambda each: str(each["last_at"]))[-EVENTS:]


async def _workload(cluster: Cluster, found: Manifest, snapshot: ClusterSnapshot) -> Bundle:
    """The top workload in short, its newest revision, the one before it, and what changed between them."""
    top = await _top(cluster, found, snapshot)
    told = {} if ref_of(top) == ref_of(found) else _short(top)
    revisions = await revisions_of(cluster, top) if top["kind"] in REVISED else []
    if revisions:
        told["newest_revision"] = _revision(revisions[-1])
    if len(revisions) > 1:
        before, newest = revisions[-2:]
        told |= {"revision_before": _revision(before), "changed": template_changes(before.template, newest.template)}
    return told


def _short(workload: Manifest) -> Bundle:
    metadata, spec = workload["metadata"], workload.get("spec", {})
    return cleaned(
        {
            "kind": workload["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "generation": metadata.get("generation"),
            "replicas": spec.get("replicas"),
            "strategy": spec.get("strategy") or spec.get("updateStrategy"),
            "status": workload.get("status", {}),
        }
    )


async def _top(cluster: Cluster, found: Manifest, snapshot: ClusterSnapshot) -> Manifest:
    """The highest owner that can be read; the object itself when it has none. The snapshot saves the way up."""
    ref = ref_of(found)
    row = snapshot.find(ref.key)
    top = snapshot.find(snapshot.top_owner(row)) if row and row.uid == ref.uid else None
    if top is not None and top is not row and (read := await cluster.read(top.key.ref(top.uid))):
        return read
    return await _climbed(cluster, found)


async def _climbed(cluster: Cluster, found: Manifest) -> Manifest:
    for _ in range(3):  # no chain of the built-in kinds is longer: Pod, ReplicaSet, Deployment; Pod, Job, CronJob
        owner = controller_of(found)
        if owner.get("kind") not in RESOURCES_BY_KIND:  # none, or of a kind of somebody else's
            return found
        namespace = found["metadata"].get("namespace", "")
        ref = ObjectRef(kind=owner["kind"], namespace=namespace, name=owner["name"], uid=owner["uid"])
        above = await cluster.read(ref)
        if above is None:
            return found
        found = above
    return found


def _revision(revision: Revision) -> Bundle:
    at = revision.created_at.isoformat()
    return {"number": revision.number, "name": revision.name, "created_at": at, "ready_pods": revision.ready}


def _node(found: Manifest, snapshot: ClusterSnapshot) -> Bundle | None:
    name = found["metadata"]["name"] if found["kind"] == "Node" else found.get("spec", {}).get("nodeName", "")
    node = snapshot.node(name) if name else None
    return _of_node(node, snapshot) if node else None


def _of_node(node: NodeRow, snapshot: ClusterSnapshot) -> Bundle:
    lease = snapshot.lease(node.name)
    conditions = [
        {
            "type": each.type,
            "status": each.status,
            "reason": each.reason,
            "message": text(each.message, 300),
            "changed_at": each.changed_at.isoformat() if each.changed_at else "",
        }
        for each in node.conditions
    ]
    return {
        "name": node.name,
        "zone": node.zone,
        "unschedulable": node.unschedulable,
        "taints": [f"{taint.key}={taint.value}:{taint.effect}" for taint in node.taints],
        "conditions": conditions,
        "lease_renewed_at": lease.renewed_at.isoformat() if lease and lease.renewed_at else "",
        "kubelet_version": node.kubelet_version,
        "allocatable": _amount(node.allocatable),
        "requested": _amount(snapshot.requested_on(node.name)),
    }


def _amount(amount: Resources) -> Bundle:
    return {"cpu_millicores": amount.cpu_millicores, "memory_bytes": amount.memory_bytes, "pods": amount.pods}


def _usage(key: ObjectKey, found: Manifest, snapshot: ClusterSnapshot) -> Bundle:
    """Of the object and of its node, as metrics.k8s.io measured; empty when it did not."""
    node = found.get("spec", {}).get("nodeName", "") if key.kind == "Pod" else ""
    measured = {str(each): snapshot.usage_of(each) for each in (key, *([ObjectKey("Node", "", node)] if node else ()))}
    return {
        name: {
            "cpu_millicores": usage.cpu_millicores,
            "memory_bytes": usage.memory_bytes,
            "measured_at": usage.measured_at.isoformat(),
            "containers": {
                container: {"cpu_millicores": cpu, "memory_bytes": memory}
                for container, (cpu, memory) in usage.containers.items()
            },
        }
        for name, usage in measured.items()
        if usage
    }


def _pods(key: ObjectKey, snapshot: ClusterSnapshot) -> list[Bundle]:
    """Those on the node or of the workload, in short."""
    if key.kind == "Pod":
        return []
    pods = snapshot.pods_on(key.name) if key.kind == "Node" else snapshot.pods_of(key)
    return [
        {
            "namespace": pod.namespace,
            "name": pod.name,
            "node": pod.node,
            "phase": pod.phase,
            "reason": pod.reason,
            "ready": pod.ready,
            "restarts": sum(status.restarts for status in pod.statuses),
        }
        for pod in list(pods)[:PODS]
    ]
