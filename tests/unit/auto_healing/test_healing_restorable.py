"""What of a removed object can be created again."""

from typing import Any
from uuid import UUID

import pytest

from auto_healing import marks
from auto_healing.kube.restorable import NotRestorable, restorable

ID = UUID(int=9)


def an_object(kind: str = "ConfigMap", *, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    own = {
        "name": "web",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-03-01T12:00:00Z",
        "managedFields": [{}],
    }
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": own | metadata,
        "status": {"phase": "x"},
        **({} if spec is None else {"spec": spec}),
    }


def test_what_the_server_sets_is_left_out_and_the_rest_stays() -> None:
    before = an_object(
        labels={"app": "web"}, annotations={"a": "b", marks.UNUSED_SINCE: "2026"}, finalizers=["orphan", "x/y"]
    )
    body, notes = restorable(before, ID, alive=())
    assert body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"app": "web"},
            "annotations": {"a": "b", marks.RESTORED_FROM: str(ID)},
            "finalizers": ["x/y"],
        },
    }
    assert notes == []
    assert before["metadata"]["uid"] == "u1", "what is stored is left as it is"


def test_owners_that_are_gone_are_left_out() -> None:
    owners = [{"kind": "Deployment", "name": name, "uid": name} for name in ("here", "gone")]
    body, notes = restorable(an_object(ownerReferences=owners), ID, alive={"here"})
    assert body["metadata"]["ownerReferences"] == owners[:1]
    assert notes == ["it no longer belongs to Deployment gone, which is gone"]


def test_a_pod_is_scheduled_anew() -> None:
    body, notes = restorable(an_object("Pod", spec={"nodeName": "n1", "containers": []}), ID, alive=())
    assert body["spec"] == {"containers": []}
    assert notes == ["it is scheduled anew, it was on n1"]


@pytest.mark.parametrize("chosen", [True, False], ids=["a selector of its owner stays", "the server's own goes"])
def test_a_job_is_suspended(chosen: bool) -> None:
    labels = {"controller-uid": "u1", "batch.kubernetes.io/controller-uid": "u1", "app": "x"}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": labels}}}
    body, _ = restorable(an_object("Job", spec=spec | ({"manualSelector": True} if chosen else {})), ID, alive=())
    assert body["spec"]["suspend"] is True
    assert ("selector" in body["spec"]) is chosen
    assert body["spec"]["template"]["metadata"]["labels"] == (labels if chosen else {"app": "x"})


SERVICES = {
    "one of its own": ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": []}, {"ports": []}, 1),
    "headless": ({"clusterIP": "None", "clusterIPs": ["None"]}, {"clusterIP": "None", "clusterIPs": ["None"]}, 0),
    "none, as ExternalName": ({"externalName": "x"}, {"externalName": "x"}, 0),
}


@pytest.mark.parametrize("address", SERVICES)
def test_a_service_gets_an_address(address: str) -> None:
    spec, expected, told = SERVICES[address]
    body, notes = restorable(an_object("Service", spec=spec), ID, alive=())
    assert (body["spec"], len(notes)) == (expected, told)


def test_a_claim_is_bound_anew_to_its_volume() -> None:
    annotations = {"pv.kubernetes.io/bind-completed": "yes", "volume.kubernetes.io/selected-node": "n1"}
    claim = an_object("PersistentVolumeClaim", spec={"volumeName": "v1"}, annotations=annotations)
    body, notes = restorable(claim, ID, alive=())
    assert body["spec"] == {"volumeName": "v1"}
    assert body["metadata"]["annotations"] == {marks.RESTORED_FROM: str(ID)}
    assert notes == []


def test_a_claim_of_which_a_snapshot_was_made_gets_its_content() -> None:
    claim = an_object("PersistentVolumeClaim", spec={"volumeName": "v1"}, annotations={marks.SNAPSHOT: "s1"})
    body, notes = restorable(claim, ID, alive=())
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s1"}
    assert body["spec"] == {"dataSource": source, "dataSourceRef": source}
    assert notes == ["it gets a new volume with the content of VolumeSnapshot s1"]


def test_a_secret_whose_content_was_never_read_is_not_made_up() -> None:
    with pytest.raises(NotRestorable, match="never read"):
        restorable(an_object("Secret"), ID, alive=())
