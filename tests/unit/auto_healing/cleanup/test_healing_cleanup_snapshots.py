"""A volume claim goes only when its data is in a snapshot, or when the policy gives it up."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.clock import SteppedClock
from tests.support.rows import a_snapshot

from auto_healing import marks
from auto_healing.actions.action import Doing
from auto_healing.actions.cleanup.settings import ClaimSettings
from auto_healing.actions.cleanup.snapshots import snapshot_of
from auto_healing.kube.restorable import restorable
from auto_healing.plan import Harm, Step
from common.contracts import ObjectRef
from common.kube.errors import Conflict, NotFound

DRIVER = "disk.csi.example.com"
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop", "uid": "uid-data"},
    "spec": {"volumeName": "pv-1", "resources": {"requests": {"storage": "1Gi"}}},
}


class Disks:
    """A cluster with one volume and, where `classes` is not None, with snapshots that are ready when a test says so."""

    def __init__(self, classes: Sequence[Any] | None, *, driver: str = DRIVER, ready: bool = True) -> None:
        self.classes = classes
        self.volume = {"spec": {"csi": {"driver": driver}} if driver else {"nfs": {}}}
        self.ready = ready
        self.snapshots: dict[str, Any] = {}

    async def read(self, ref: ObjectRef) -> Any:
        if ref.kind == "PersistentVolume":
            return self.volume
        found = self.snapshots.get(ref.name)
        return found and {**found, "status": {"readyToUse": self.ready}}

    async def list(self, kind: str) -> Sequence[Any]:
        assert kind == "VolumeSnapshotClass"
        if self.classes is None:
            raise NotFound("not served")
        return self.classes

    async def create(self, manifest: Any) -> Any:
        if manifest["metadata"]["name"] in self.snapshots:
            raise Conflict("it is there already")
        self.snapshots[manifest["metadata"]["name"]] = manifest


def a_class(name: str, driver: str = DRIVER, *, default: bool = False) -> dict[str, Any]:
    annotations = {"snapshot.storage.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "driver": driver}


def a_doing(disks: Disks) -> Doing:
    clock = SteppedClock()
    target = ObjectRef(kind="Cluster", namespace="shop", name="clean-volume-claims")
    cluster: Any = disks
    return Doing(
        run_id=UUID(int=1),
        number=0,
        step=Step(action="clean-volume-claims", target=target, harm=Harm.HARMFUL, reason="unused"),
        cluster=cluster,
        snapshot=a_snapshot(),
        store=cluster,
        clock=clock,
        deadline=clock.now() + timedelta(minutes=10),
    )


@pytest.mark.parametrize(
    ("disks", "without_snapshot", "refusal", "snapshots"),
    [
        pytest.param(Disks([a_class("fast")]), "refuse", "", 1, id="its driver can make one"),
        pytest.param(Disks(None), "refuse", "not installed", 0, id="snapshots are not installed"),
        pytest.param(Disks(None), "delete", "", 0, id="not installed, and its data may go"),
        pytest.param(Disks([a_class("other", "else")]), "refuse", "no VolumeSnapshotClass", 0, id="no class for it"),
        pytest.param(Disks([], driver=""), "refuse", "no CSI driver", 0, id="no CSI driver"),
    ],
)
async def test_when_a_claim_may_go(disks: Disks, without_snapshot: str, refusal: str, snapshots: int) -> None:
    settings = ClaimSettings.model_validate({"without_snapshot": without_snapshot})
    ready = await snapshot_of(a_doing(disks), CLAIM, settings)
    assert refusal in ready.refusal
    assert bool(ready.refusal) is bool(refusal)
    assert len(disks.snapshots) == snapshots


async def test_a_claim_that_never_had_a_volume_has_nothing_to_lose() -> None:
    unbound = {**CLAIM, "spec": {}}
    ready = await snapshot_of(a_doing(Disks(None)), unbound, ClaimSettings())
    assert not ready.refusal
    assert "never had a volume" in ready.evidence["snapshot"]


async def test_a_snapshot_that_is_not_ready_keeps_the_claim_for_now() -> None:
    disks = Disks([a_class("fast")], ready=False)
    ready = await snapshot_of(a_doing(disks), CLAIM, ClaimSettings(snapshot_timeout=timedelta()))
    assert "not ready yet" in ready.refusal
    disks.ready = True
    assert not (await snapshot_of(a_doing(disks), CLAIM, ClaimSettings())).refusal
    assert len(disks.snapshots) == 1


async def test_the_default_class_is_taken_and_the_restored_claim_gets_the_content_back() -> None:
    disks = Disks([a_class("slow"), a_class("fast", default=True)])
    ready = await snapshot_of(a_doing(disks), CLAIM, ClaimSettings())
    ((name, made),) = disks.snapshots.items()
    assert made["spec"] == {"volumeSnapshotClassName": "fast", "source": {"persistentVolumeClaimName": "data"}}
    assert ready.manifest["metadata"]["annotations"][marks.SNAPSHOT] == name
    body, _ = restorable(ready.manifest, UUID(int=2), alive=())
    assert body["spec"]["dataSource"]["name"] == name
    assert "volumeName" not in body["spec"]
