"""What of a removed object can be created again, and what a person has to know about it. Pure."""

import copy
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from auto_healing import marks
from auto_healing.kube.cluster import Manifest

Json = dict[str, Any]

_SERVERS_OWN = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
)
_BY_DELETION = ("foregroundDeletion", "orphan")  # finalizers that say how it was to be deleted
_OF_ONE_LIFE = ("controller-uid", "batch.kubernetes.io/controller-uid")
_OF_BINDING = (
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node",
)


class NotRestorable(Exception):
    """It cannot be created again, and why, for people."""


def restorable(manifest: Manifest, manifest_id: UUID, *, alive: Collection[str]) -> tuple[Json, list[str]]:
    """The object to create, and sentences about what is different. `alive` are the uids of owners that still exist.

    Raises NotRestorable.
    """
    body: Json = copy.deepcopy(dict(manifest))
    notes: list[str] = []
    body.pop("status", None)
    metadata = body["metadata"]
    for name in _SERVERS_OWN:
        metadata.pop(name, None)
    _leave_owners(metadata, alive, notes)
    finalizers = [each for each in metadata.pop("finalizers", None) or () if each not in _BY_DELETION]
    metadata |= {"finalizers": finalizers} if finalizers else {}
    _BY_KIND.get(body["kind"], _as_it_is)(body, notes)
    annotations = metadata.setdefault("annotations", {})
    annotations.pop(marks.UNUSED_SINCE, None)
    annotations[marks.RESTORED_FROM] = str(manifest_id)
    return body, notes


def _leave_owners(metadata: Json, alive: Collection[str], notes: list[str]) -> None:
    """An owner that is gone would take it along again: the garbage collector deletes what has none but such."""
    owners = metadata.pop("ownerReferences", None) or []
    kept = [owner for owner in owners if owner["uid"] in alive]
    gone = [owner for owner in owners if owner["uid"] not in alive]
    metadata |= {"ownerReferences": kept} if kept else {}
    notes += [f"it no longer belongs to {owner['kind']} {owner['name']}, which is gone" for owner in gone]


def _as_it_is(body: Json, notes: list[str]) -> None:
    """Nothing else is in the way."""


def _pod(body: Json, notes: list[str]) -> None:
    node = body["spec"].pop("nodeName", "")
    if node:
        notes.append(f"it is scheduled anew, it was on {node}")


def _job(body: Json, notes: list[str]) -> None:
    """Its selector and labels name the uid of its former life, unless its owner has chosen them."""
    spec = body["spec"]
    if not spec.get("manualSelector"):
        spec.pop("selector", None)
        for labelled in (body["metadata"], spec["template"].get("metadata", {})):
            labels = labelled.get("labels") or {}
            for name in _OF_ONE_LIFE:
                labels.pop(name, None)
    spec["suspend"] = True
    notes.append("it is suspended, since it would run again; set spec.suspend to false when it should")


def _service(body: Json, notes: list[str]) -> None:
    spec = body["spec"]
    if spec.get("clusterIP", "None") != "None":
        notes.append(f"it gets another cluster IP than {spec.pop('clusterIP')}")
        spec.pop("clusterIPs", None)


def _claim(body: Json, notes: list[str]) -> None:
    """To be bound again to the volume that it names; with a snapshot of it, to a new one with that content."""
    annotations = body["metadata"].get("annotations") or {}
    for name in _OF_BINDING:
        annotations.pop(name, None)
    snapshot = annotations.pop(marks.SNAPSHOT, "")
    if snapshot:
        body["spec"].pop("volumeName", None)
        source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": snapshot}
        body["spec"] |= {"dataSource": source, "dataSourceRef": source}
        notes.append(f"it gets a new volume with the content of VolumeSnapshot {snapshot}")


def _secret(body: Json, notes: list[str]) -> None:
    if not (body.get("data") or body.get("stringData")):
        raise NotRestorable("the content of Secrets is never read, so there is none to restore")


_BY_KIND: dict[str, Callable[[Json, list[str]], None]] = {
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "Secret": _secret,
    "Service": _service,
}
