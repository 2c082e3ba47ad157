"""Claims without volumes and volumes without claims."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import a_claim, a_condition, a_pod, a_snapshot, a_volume, a_warning

from common.cluster.rows import PersistentVolumeClaimRow, PersistentVolumeRow, PodRow
from common.contracts import Severity
from health_monitor.checks.workloads import pv_failed, pv_released, pvc_lost, pvc_pending

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


# --- claims


def pending(age: timedelta = timedelta(hours=1), **fields: Any) -> PersistentVolumeClaimRow:
    return a_claim(**({"phase": "Pending", "volume": "", "created_at": NOON - age} | fields))


def waiting(message: str | None = None, age: timedelta = timedelta(hours=1), **fields: Any) -> PodRow:
    """A pod that mounts the claim; `message` is the scheduler's, None when it has a node."""
    conditions = () if message is None else (a_condition("PodScheduled", "False", message=message),)
    own = {"phase": "Pending", "ready": False, "claims": ("data-orders-db-0",), "created_at": NOON - age}
    return a_pod("orders-db-0", **(own | {"conditions": conditions} | fields))


UNBOUND = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
NO_CPU = "0/3 nodes are available: 3 Insufficient cpu."


@pytest.mark.parametrize(
    ("claim", "pods", "told_of"),
    [
        pytest.param(a_claim(), [waiting(UNBOUND)], False, id="bound"),
        pytest.param(pending(), [waiting(UNBOUND)], True, id="a pod waits for it, says the scheduler"),
        pytest.param(pending(), [waiting()], True, id="a pod with a node waits for it"),
        pytest.param(pending(), [waiting("")], True, id="a pod waits, and the scheduler has not said why"),
        pytest.param(pending(5 * MINUTE), [waiting(UNBOUND)], True, id="for 5 minutes"),
        pytest.param(pending(5 * MINUTE - SECOND), [waiting(UNBOUND)], False, id="for not quite 5 minutes"),
        pytest.param(pending(), [waiting(UNBOUND, 4 * MINUTE)], False, id="the pod came only 4 minutes ago"),
        pytest.param(pending(), [], False, id="nobody waits: it waits for its first consumer"),
        pytest.param(pending(DAY), [], True, id="nobody has come for a day"),
        pytest.param(pending(DAY - SECOND), [], False, id="nobody has come for not quite a day"),
        pytest.param(pending(), [waiting(NO_CPU)], False, id="the pod waits for CPU, and the claim for the pod"),
        pytest.param(pending(), [waiting(UNBOUND, claims=("other",))], False, id="the pod waits for another claim"),
        pytest.param(pending(), [waiting(UNBOUND, deleted_at=NOON)], False, id="the pod is deleted"),
        pytest.param(pending(), [waiting(UNBOUND, namespace="test")], False, id="the pod is elsewhere"),
        pytest.param(pending(deleted_at=NOON), [waiting(UNBOUND)], False, id="the claim is deleted"),
    ],
)
def test_a_pending_claim(claim: PersistentVolumeClaimRow, pods: list[PodRow], told_of: bool) -> None:
    assert bool(told([pvc_pending.CHECK], claim, a_snapshot(claim, *pods))) is told_of


def test_a_claim_that_is_waited_for_names_the_pod_and_the_provisioners_words() -> None:
    claim = pending(storage_class="fast")
    warning = a_warning(claim, "ProvisioningFailed", message='storageclass.storage.k8s.io "fast" not found')
    (symptom,) = seen(pvc_pending.CHECK, claim, a_snapshot(claim, waiting(UNBOUND), warning))
    assert symptom.message == (
        "Pod orders-db-0 waits for the claim, which has no volume (storage class fast): "
        'storageclass.storage.k8s.io "fast" not found'
    )
    assert symptom.severity is None
    assert symptom.evidence == {"storage_class": "fast", "pod": "orders-db-0", "warning": "ProvisioningFailed"}


def test_a_claim_without_words_of_the_provisioner_asks_the_obvious() -> None:
    claim = pending(storage_class="")
    (symptom,) = seen(pvc_pending.CHECK, claim, a_snapshot(claim, waiting(UNBOUND)))
    assert symptom.message.endswith("(storage class none): does the storage class exist, and does its provisioner run?")


def test_a_claim_that_nobody_waits_for_is_info_and_keeps_its_time_through_an_outage() -> None:
    (symptom,) = seen(pvc_pending.CHECK, pending())
    assert symptom.severity is Severity.INFO
    assert not symptom.restarts_timer


@pytest.mark.parametrize(("phase", "told_of"), [("Lost", True), ("Bound", False), ("Pending", False)])
def test_a_lost_claim(phase: str, told_of: bool) -> None:
    assert bool(told([pvc_lost.CHECK], a_claim(phase=phase))) is told_of


def test_a_lost_claim_names_the_volume() -> None:
    (symptom,) = seen(pvc_lost.CHECK, a_claim(phase="Lost"))
    assert symptom.message.startswith("The volume pv-data-orders-db-0 of the claim does not exist any more")


# --- volumes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {"message": "disk is attached", "reason": "R"}, "(Delete): disk is attached", id="the driver's words"
        ),
        pytest.param({"reason": "VolumeFailedDelete"}, "(Delete): VolumeFailedDelete", id="a reason alone"),
        pytest.param({}, "(Delete): no reason given", id="nothing"),
    ],
)
def test_a_failed_volume(fields: dict[str, Any], words: str) -> None:
    (symptom,) = seen(pv_failed.CHECK, a_volume(phase="Failed", **fields))
    assert symptom.message.endswith(words)
    assert symptom.evidence["claim"] == "shop/data-orders-db-0"


@pytest.mark.parametrize("phase", ["Bound", "Available", "Released"])
def test_a_volume_that_has_not_failed(phase: str) -> None:
    assert seen(pv_failed.CHECK, a_volume(phase=phase)) == []


@pytest.mark.parametrize(
    ("phase", "policy", "ago", "severity"),
    [
        pytest.param("Bound", "Delete", DAY, None, id="in use"),
        pytest.param("Released", "Delete", 15 * MINUTE, Severity.WARNING, id="should have been deleted 15 minutes ago"),
        pytest.param("Released", "Delete", 15 * MINUTE - SECOND, None, id="not quite 15 minutes ago"),
        pytest.param("Released", "Retain", 7 * DAY, Severity.INFO, id="kept on purpose for a week"),
        pytest.param("Released", "Retain", 7 * DAY - SECOND, None, id="kept for not quite a week"),
    ],
)
def test_a_released_volume(phase: str, policy: str, ago: timedelta, severity: Severity | None) -> None:
    volume: PersistentVolumeRow = a_volume(phase=phase, reclaim_policy=policy, phase_changed_at=NOON - ago)
    assert bool(told([pv_released.CHECK], volume)) is (severity is not None)
    for symptom in seen(pv_released.CHECK, volume) if severity else ():
        assert (symptom.severity or pv_released.CHECK.severity) is severity


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "The claim shop/data-orders-db-0 of the volume is gone: it should have been", id="deleting"),
        pytest.param({"reclaim_policy": "Retain"}, "it is kept on purpose (Retain)", id="kept"),
        pytest.param({"claim_name": ""}, "The claim unknown of the volume is gone", id="claim not said"),
    ],
)
def test_a_released_volume_says_what_it_waits_for(fields: dict[str, Any], words: str) -> None:
    (symptom,) = seen(pv_released.CHECK, a_volume(phase="Released", **fields))
    assert words in symptom.message
