"""A snapshot of a volume before its claim is deleted, so that its data can be had again."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from auto_healing import marks
from auto_healing.actions.action import Doing
from auto_healing.actions.cleanup.engine import Ready
from auto_healing.actions.cleanup.settings import ClaimSettings, WithoutSnapshot
from auto_healing.kube.cluster import Cluster, Manifest
from common.contracts import ObjectKey, ObjectRef
from common.kube.errors import Conflict, KubeError, NotFound

GROUP = "snapshot.storage.k8s.io"
DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
LOOK_SECONDS = 2.0


async def snapshot_of(doing: Doing, claim: Manifest, settings: ClaimSettings) -> Ready:
    """Ready to be deleted when its data is safe, or may be lost by policy; otherwise the reason why it is left."""
    if not claim["spec"].get("volumeName"):
        return Ready(manifest=claim, evidence={"snapshot": "none: it never had a volume"})
    class_name, why_not = await _class_for(doing.cluster, claim)
    if not class_name:
        if settings.without_snapshot is WithoutSnapshot.DELETE:
            return Ready(manifest=claim, evidence={"snapshot": f"none: {why_not}"})
        return Ready(manifest=claim, refusal=f"cannot be kept in a snapshot: {why_not}, and without_snapshot is refuse")
    snapshot = await _made(doing, claim, class_name)
    if missing := await _not_ready(doing, snapshot, settings.snapshot_timeout):
        return Ready(manifest=claim, refusal=f"waits for its VolumeSnapshot {snapshot.name}, which {missing}")
    return Ready(manifest=naming(claim, snapshot.name), evidence={"snapshot": snapshot.name})


def naming(claim: Manifest, snapshot: str) -> dict[str, Any]:
    """The claim as it is kept: made anew, it gets its data from the snapshot, not from a volume that is gone."""
    metadata = claim["metadata"]
    annotations = {**(metadata.get("annotations") or {}), marks.SNAPSHOT: snapshot}
    return {**claim, "metadata": {**metadata, "annotations": annotations}}


async def _class_for(cluster: Cluster, claim: Manifest) -> tuple[str, str]:
    """The VolumeSnapshotClass of the driver, the default one before others; or why there is none."""
    volume = await cluster.read(ObjectKey("PersistentVolume", "", claim["spec"]["volumeName"]).ref())
    driver = ((volume or {}).get("spec", {}).get("csi") or {}).get("driver")
    if not driver:
        return "", "its volume is of no CSI driver, so no snapshot can be made of it"
    try:
        classes = await cluster.list("VolumeSnapshotClass")
    except NotFound:
        return "", f"the cluster knows no snapshots ({GROUP} is not installed)"
    of_driver = [each for each in classes if each.get("driver") == driver]
    of_driver.sort(key=lambda each: (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) != "true")
    if not of_driver:
        return "", f"there is no VolumeSnapshotClass for its driver {driver}"
    return of_driver[0]["metadata"]["name"], ""


async def _made(doing: Doing, claim: Manifest, class_name: str) -> ObjectRef:
    """The snapshot, made now or by an earlier try: its name follows from the claim's uid."""
    metadata = claim["metadata"]
    key = ObjectKey("VolumeSnapshot", metadata["namespace"], f"cleanup-{metadata['uid']}")
    with suppress(Conflict):  # made before
        await doing.cluster.create(
            {
                "apiVersion": f"{GROUP}/v1",
                "kind": key.kind,
                "metadata": {
                    "name": key.name,
                    "namespace": key.namespace,
                    "annotations": {marks.OWNED_BY_RUN: doing.mark},
                },
                "spec": {
                    "volumeSnapshotClassName": class_name,
                    "source": {"persistentVolumeClaimName": metadata["name"]},
                },
            }
        )
    return key.ref()


async def _not_ready(doing: Doing, snapshot: ObjectRef, patience: timedelta) -> str:
    """Waits until it is ready. The end of a sentence about it when it never is: the driver's own words, if any."""
    until = min(doing.clock.now() + patience, doing.deadline)
    while True:
        last = doing.clock.now() >= until  # asked first: the answer that counts is one from after the end
        try:
            found = await doing.cluster.read(snapshot)
            why = _lacks((found or {}).get("status") or {})
        except KubeError as error:
            why = f"cannot be read: {error}"
        if not why or last:
            return why
        await asyncio.sleep(LOOK_SECONDS)


def _lacks(status: Mapping[str, Any]) -> str:
    if status.get("readyToUse"):
        return ""
    said = (status.get("error") or {}).get("message")
    return f"failed: {said}" if said else "is not ready yet"
