"""Revisions of a workload: what Kubernetes keeps of its former pod templates, and how their pods do now."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auto_healing.kube.cluster import Cluster, Manifest
from auto_healing.kube.redaction import NAMED_VALUES, text

DEPLOYMENT_REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"
REVISED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
CHANGES = 100  # that are told of two templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One template that a workload had or has. `ready` counts pods of it that are ready now."""

    number: int
    name: str  # of the ReplicaSet or ControllerRevision that keeps it
    uid: str
    pods_hash: str  # value of the label by which its pods are known
    template: Manifest
    created_at: datetime
    ready: int = 0


async def revisions_of(cluster: Cluster, workload: Manifest) -> list[Revision]:
    """Of a Deployment, StatefulSet or DaemonSet, the oldest first; the last is the newest."""
    metadata, selector = workload["metadata"], selector_text(workload["spec"].get("selector") or {})
    kept = "ReplicaSet" if workload["kind"] == "Deployment" else "ControllerRevision"
    found = await cluster.list(kept, metadata["namespace"], labels=selector)
    own = [each for each in found if controller_of(each).get("uid") == metadata["uid"]]
    if kept == "ReplicaSet":
        revisions = [_of_replica_set(each) for each in own]
    else:
        ready = await _ready_pods(cluster, metadata["namespace"], selector)
        revisions = [_of_controller_revision(each, workload["kind"], ready) for each in own]
    return sorted(revisions, key=lambda revision: revision.number)


def _of_replica_set(found: Manifest) -> Revision:
    metadata = found["metadata"]
    template = dict(found["spec"]["template"])
    labels = {key: value for key, value in template["metadata"].get("labels", {}).items() if key != TEMPLATE_HASH}
    template["metadata"] = {**template["metadata"], "labels": labels}
    return Revision(
        number=int((metadata.get("annotations") or {}).get(DEPLOYMENT_REVISION, 0)),
        name=metadata["name"],
        uid=metadata["uid"],
        pods_hash=(metadata.get("labels") or {}).get(TEMPLATE_HASH, ""),
        template=template,
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        ready=found.get("status", {}).get("readyReplicas", 0),
    )


def _of_controller_revision(found: Manifest, kind: str, ready: Mapping[str, int]) -> Revision:
    metadata = found["metadata"]
    template = {key: value for key, value in found["data"]["spec"]["template"].items() if key != "$patch"}
    # Pods of a StatefulSet carry the revision's name, those of a DaemonSet its hash.
    pods_hash = metadata["name"] if kind == "StatefulSet" else metadata.get("labels", {}).get(REVISION_HASH, "")
    return Revision(
        number=found["revision"],
        name=metadata["name"],
        uid=metadata["uid"],
        pods_hash=pods_hash,
        template=template,
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        ready=ready.get(pods_hash, 0),
    )


async def _ready_pods(cluster: Cluster, namespace: str, selector: str) -> Counter[str]:
    pods = await cluster.list("Pod", namespace, labels=selector)
    return Counter(pod["metadata"].get("labels", {}).get(REVISION_HASH, "") for pod in pods if is_ready(pod))


def is_ready(pod: Manifest) -> bool:
    """Ready, and not being deleted."""
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def controller_of(found: Manifest) -> Mapping[str, Any]:
    """The owner reference of the object's controller; empty when it has none."""
    references: Sequence[Mapping[str, Any]] = found["metadata"].get("ownerReferences") or ()
    return next((each for each in references if each.get("controller")), {})


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector as the API takes it in a query."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, operator, values = each["key"], each["operator"], ",".join(each.get("values") or ())
        shapes = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(shapes.get(operator, f"!{key}"))
    return ",".join(parts)


def template_changes(before: Manifest, after: Manifest) -> list[str]:
    """What differs between two templates, a line each. Of environment variables only that they differ."""
    old, new = dict(_flat("", before)), dict(_flat("", after))
    lines = [_line(path, old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys())]
    told = [line for line in lines if line]
    return told if len(told) <= CHANGES else [*told[:CHANGES], f"... and {len(told) - CHANGES} more"]


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    """Leaves by path. Items of lists are known by their name where they have one."""
    if isinstance(value, Mapping):
        items = [(f"{path}.{key}" if path else str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        items = [(f"{path}[{_item_name(each, number)}]", each) for number, each in enumerate(value)]
    else:
        return [(path, value)]
    return [leaf for name, each in items for leaf in _flat(name, each)]


def _item_name(item: Any, number: int) -> str:
    name = item.get("name") if isinstance(item, Mapping) else None
    return str(name) if name else str(number)


def _line(path: str, old: Any, new: Any) -> str:
    if old == new:
        return ""
    hidden = path.endswith(".value") and any(f"{name}[" in path for name in NAMED_VALUES)
    if hidden and old is not None and new is not None:
        return f"{path}: has another value"
    told = [("nothing" if each is None else "a value" if hidden else text(str(each), 200)) for each in (old, new)]
    return f"{path}: {told[0]} -> {told[1]}"
