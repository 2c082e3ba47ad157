"""Volume snapshots on a real API server: their kinds, a bound claim of a CSI volume, and what the CSI driver would say.

The definitions are those of kubernetes-csi/external-snapshotter, reduced to the fields that are used here.
"""

import asyncio
from typing import Any

from tests.support.healing_cluster import Place
from tests.support.waiting import eventually

from devcluster import DevCluster
from devcluster.api import collection, wait_for

Json = dict[str, Any]

GROUP = "snapshot.storage.k8s.io"
DRIVER = "disk.csi.example.com"
_APPROVED = {"api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/814"}
_TEXT: Json = {"type": "string"}
_SOURCE: Json = {
    "type": "object",
    "properties": {"persistentVolumeClaimName": _TEXT, "volumeSnapshotContentName": _TEXT},
    "x-kubernetes-validations": [
        {
            "rule": "has(self.volumeSnapshotContentName) != has(self.persistentVolumeClaimName)",
            "message": "exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set",
        },
        {"rule": "self == oldSelf", "message": "the source is immutable"},
    ],
}
_SNAPSHOT: Json = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["source"],
            "properties": {"source": _SOURCE, "volumeSnapshotClassName": _TEXT},
        },
        "status": {
            "type": "object",
            "properties": {
                "boundVolumeSnapshotContentName": _TEXT,
                "readyToUse": {"type": "boolean"},
                "error": {"type": "object", "properties": {"message": _TEXT}},
            },
        },
    },
}
_CLASS: Json = {
    "type": "object",
    "required": ["driver", "deletionPolicy"],
    "properties": {"driver": _TEXT, "deletionPolicy": {"type": "string", "enum": ["Delete", "Retain"]}},
}


def _definition(kind: str, plural: str, schema: Json, *, namespaced: bool) -> Json:
    version: Json = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    version |= {"subresources": {"status": {}}} if namespaced else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": _APPROVED},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [version],
        },
    }


DEFINITIONS = (
    _definition("VolumeSnapshot", "volumesnapshots", _SNAPSHOT, namespaced=True),
    _definition("VolumeSnapshotClass", "volumesnapshotclasses", _CLASS, namespaced=False),
)


async def install_snapshots(place: Place) -> None:
    """The kinds, and a class for the driver; what is there already stays."""
    classes = f"/apis/{GROUP}/v1/volumesnapshotclasses"
    for definition in DEFINITIONS:
        await asyncio.to_thread(place.cluster.api.create, definition)
    for path in (collection(f"{GROUP}/v1/volumesnapshots", place.namespace), classes):
        await asyncio.to_thread(_served, place.cluster, path)
    if not place.cluster.api.items(classes):
        body = {"apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "disks"}}
        await place.api.post(classes, body | {"driver": DRIVER, "deletionPolicy": "Retain"})


def _served(cluster: DevCluster, path: str) -> None:
    wait_for(f"the kind of {path}", lambda: cluster.api.exists(path))


async def a_bound_claim(place: Place, name: str) -> str:
    """A claim with a volume of the driver; the volume's name."""
    api, volume = place.cluster.api, f"{place.namespace}-{name}"
    size = {"storage": "1Gi"}
    common: Json = {"accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand"}
    csi = {"driver": DRIVER, "volumeHandle": volume}
    claim_ref = {"namespace": place.namespace, "name": name}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": common | {"capacity": size, "csi": csi, "claimRef": claim_ref},
        }
    )
    api.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": place.namespace},
            "spec": common | {"resources": {"requests": size}, "volumeName": volume},
        }
    )
    path = f"{collection('v1/persistentvolumeclaims', place.namespace)}/{name}"

    async def bound() -> bool:
        return bool(api.get(path)["status"].get("phase") == "Bound")

    await eventually(bound)
    return volume


async def the_snapshot(place: Place) -> Json:
    """The only one of the namespace, waited for."""

    async def there() -> bool:
        return len(place.objects(f"{GROUP}/v1/volumesnapshots")) == 1

    await eventually(there)
    (found,) = place.objects(f"{GROUP}/v1/volumesnapshots")
    return found


def driver_says(place: Place, snapshot: Json, status: Json) -> None:
    """As the CSI driver's sidecar writes it."""
    path = f"{collection(f'{GROUP}/v1/volumesnapshots', place.namespace)}/{snapshot['metadata']['name']}/status"
    place.cluster.api.patch(path, {"status": status})
