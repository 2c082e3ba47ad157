"""All kinds but pods: each from JSON as an API server writes it to its row."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.support.api_objects import metadata

from common.cluster.decode.meta import KEPT_ANNOTATIONS
from common.cluster.kinds import KINDS
from common.cluster.rows import ROW_KINDS, Resources, Row, Selector, Taint
from common.contracts.objects import ObjectKey

AT = "2026-03-01T11:00:00Z"
INSTANT = datetime(2026, 3, 1, 11, tzinfo=UTC)
READY = {"type": "Ready", "status": "True", "reason": "Fine", "lastTransitionTime": AT, "lastHeartbeatTime": AT}


def decode(kind_name: str, item: dict[str, Any]) -> Row:
    kind = next(kind for kind in KINDS if kind.name == kind_name)
    item = {"metadata": metadata("x", "shop"), **item}
    return kind.to_row(msgspec.json.decode(msgspec.json.encode(item), type=kind.shape))


CASES = [
    pytest.param(
        "Node",
        {
            "spec": {
                "providerID": "aws:///x",
                "unschedulable": True,
                "taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": AT}],
            },
            "status": {
                "capacity": {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"},
                "allocatable": {"cpu": "7500m", "pods": "110"},
                "conditions": [READY],
                "nodeInfo": {"kubeletVersion": "v1.36.3"},
            },
        },
        {
            "provider_id": "aws:///x",
            "unschedulable": True,
            "taints": (Taint(key="k", effect="NoSchedule", added_at=INSTANT),),
            "ready": True,
            "capacity": Resources(cpu_millicores=8000, memory_bytes=32 << 30, ephemeral_bytes=100 << 30, pods=110),
            "allocatable": Resources(cpu_millicores=7500, pods=110),
            "kubelet_version": "v1.36.3",
        },
        id="node",
    ),
    pytest.param("Namespace", {"status": {"phase": "Terminating"}}, {"phase": "Terminating"}, id="namespace"),
    pytest.param(
        "Lease",
        {
            "spec": {
                "holderIdentity": "n",
                "leaseDurationSeconds": 15,
                "renewTime": "2026-03-01T11:00:00.250000Z",
            }
        },
        {"holder": "n", "duration_seconds": 15, "renewed_at": INSTANT.replace(microsecond=250_000)},
        id="lease",
    ),
    pytest.param(
        "Deployment",
        {
            "metadata": metadata("x", "shop", annotations={"deployment.kubernetes.io/revision": "4"}, generation=7),
            "spec": {
                "replicas": 3,
                "paused": True,
                "progressDeadlineSeconds": 600,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {"app": "x"}},
            },
            "status": {
                "observedGeneration": 6,
                "replicas": 4,
                "readyReplicas": 2,
                "availableReplicas": 1,
                "updatedReplicas": 2,
                "conditions": [READY],
            },
        },
        {
            "replicas": 3,
            "current_replicas": 4,
            "ready_replicas": 2,
            "available_replicas": 1,
            "updated_replicas": 2,
            "generation": 7,
            "observed_generation": 6,
            "paused": True,
            "strategy": "Recreate",
            "revision": "4",
            "progress_deadline_seconds": 600,
            "selector": Selector(labels={"app": "x"}),
        },
        id="deployment",
    ),
    pytest.param("ReplicaSet", {"spec": {"replicas": 0}}, {"replicas": 0, "revision": ""}, id="old replica set"),
    pytest.param("ReplicaSet", {}, {"replicas": 1, "selector": Selector(labels={})}, id="one replica by default"),
    pytest.param(
        "StatefulSet",
        {
            "spec": {
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            },
            "status": {"currentRevision": "x-1", "updateRevision": "x-2"},
        },
        {
            "strategy": "RollingUpdate",
            "partition": 2,
            "claim_templates": ("data",),
            "current_revision": "x-1",
            "revision": "x-2",
        },
        id="stateful set",
    ),
    pytest.param(
        "DaemonSet",
        {
            "spec": {"updateStrategy": {"type": "OnDelete"}},
            "status": {
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "numberReady": 3,
                "numberAvailable": 2,
                "updatedNumberScheduled": 1,
                "numberMisscheduled": 6,
            },
        },
        {
            "replicas": 5,
            "current_replicas": 4,
            "ready_replicas": 3,
            "available_replicas": 2,
            "updated_replicas": 1,
            "misscheduled": 6,
            "strategy": "OnDelete",
        },
        id="daemon set",
    ),
    pytest.param(
        "Job",
        {
            "spec": {"parallelism": 2, "completions": 5, "backoffLimit": 3, "suspend": True},
            "status": {"active": 1, "succeeded": 2, "failed": 3, "startTime": AT, "completionTime": AT},
        },
        {
            "parallelism": 2,
            "completions": 5,
            "backoff_limit": 3,
            "suspended": True,
            "active": 1,
            "succeeded": 2,
            "failed": 3,
            "started_at": INSTANT,
            "completed_at": INSTANT,
        },
        id="job",
    ),
    pytest.param(
        "CronJob",
        {
            "spec": {"schedule": "0 * * * *", "timeZone": "Europe/Berlin", "suspend": False},
            "status": {"active": [{"name": "a"}, {"name": "b"}], "lastScheduleTime": AT, "lastSuccessfulTime": AT},
        },
        {
            "schedule": "0 * * * *",
            "time_zone": "Europe/Berlin",
            "active": 2,
            "last_scheduled_at": INSTANT,
            "last_successful_at": INSTANT,
        },
        id="cron job",
    ),
    pytest.param(
        "HorizontalPodAutoscaler",
        {
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}, "minReplicas": 2, "maxReplicas": 9},
            "status": {"currentReplicas": 3, "desiredReplicas": 4, "conditions": [READY]},
        },
        {
            "target_kind": "Deployment",
            "target_name": "x",
            "min_replicas": 2,
            "max_replicas": 9,
            "current_replicas": 3,
            "desired_replicas": 4,
        },
        id="autoscaler",
    ),
    pytest.param(
        "PodDisruptionBudget",
        {
            "spec": {"maxUnavailable": "25%", "selector": {}},
            "status": {
                "disruptionsAllowed": 1,
                "currentHealthy": 4,
                "desiredHealthy": 3,
                "expectedPods": 4,
                "conditions": [READY],
            },
        },
        {
            "max_unavailable": "25%",
            "min_available": "",
            "selector": Selector(labels={}, everything=True),
            "disruptions_allowed": 1,
            "current_healthy": 4,
            "desired_healthy": 3,
            "expected_pods": 4,
        },
        id="budget in percent that selects everything",
    ),
    pytest.param(
        "PodDisruptionBudget",
        {
            "spec": {
                "minAvailable": 2,
                "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
            }
        },
        {"min_available": "2", "selector": Selector(labels={}, expressions=(("app", "In", ("a", "b")),))},
        id="budget in numbers with an expression",
    ),
    pytest.param("PodDisruptionBudget", {"spec": {}}, {"selector": Selector(labels={})}, id="budget for nothing"),
    pytest.param(
        "PersistentVolumeClaim",
        {
            "spec": {
                "volumeName": "pv",
                "storageClassName": "fast",
                "resources": {"requests": {"storage": "10Gi"}},
            },
            "status": {"phase": "Bound"},
        },
        {"phase": "Bound", "volume": "pv", "storage_class": "fast", "requested_bytes": 10 << 30},
        id="claim",
    ),
    pytest.param(
        "PersistentVolume",
        {
            "spec": {
                "claimRef": {"namespace": "shop", "name": "data"},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "fast",
            },
            "status": {"phase": "Failed", "reason": "R", "message": "M", "lastPhaseTransitionTime": AT},
        },
        {
            "phase": "Failed",
            "reason": "R",
            "message": "M",
            "claim_namespace": "shop",
            "claim_name": "data",
            "reclaim_policy": "Retain",
            "storage_class": "fast",
            "phase_changed_at": INSTANT,
        },
        id="volume",
    ),
    pytest.param(
        "Service",
        {"spec": {"type": "ClusterIP", "clusterIP": "None", "selector": {"app": "x"}}},
        {"type": "ClusterIP", "headless": True, "selector": {"app": "x"}},
        id="headless service",
    ),
    pytest.param("Service", {"spec": {"clusterIP": "10.0.0.1"}}, {"headless": False, "selector": {}}, id="service"),
    pytest.param(
        "EndpointSlice",
        {
            "metadata": metadata("x", "shop", labels={"kubernetes.io/service-name": "web"}),
            "endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}, {"conditions": {}}, {}],
        },
        {"service": "web", "ready": 3, "not_ready": 1},
        id="endpoints that say nothing are ready",
    ),
    pytest.param("EndpointSlice", {"endpoints": None}, {"ready": 0, "not_ready": 0}, id="no endpoints"),
    pytest.param(
        "Event",
        {
            "involvedObject": {
                "kind": "Pod",
                "namespace": "shop",
                "name": "web",
                "uid": "u",
                "fieldPath": "spec.containers{app}",
            },
            "reason": "Unhealthy",
            "message": "m" * 900,
            "firstTimestamp": AT,
            "lastTimestamp": "2026-03-01T11:05:00Z",
            "count": 5,
        },
        {
            "about": ObjectKey("Pod", "shop", "web"),
            "about_uid": "u",
            "field_path": "spec.containers{app}",
            "reason": "Unhealthy",
            "message": "m" * 500,
            "count": 5,
            "first_at": INSTANT,
            "last_at": INSTANT.replace(minute=5),
        },
        id="event that counts",
    ),
    pytest.param(
        "Event",
        {
            "eventTime": "2026-03-01T11:00:00.000000Z",
            "firstTimestamp": None,
            "lastTimestamp": None,
            "series": {"count": 9, "lastObservedTime": "2026-03-01T11:09:00.000000Z"},
        },
        {"count": 9, "first_at": INSTANT, "last_at": INSTANT.replace(minute=9)},
        id="event with a series",
    ),
    pytest.param("Event", {}, {"count": 1, "last_at": INSTANT}, id="event that only was made"),
]


@pytest.mark.parametrize(("kind", "item", "expected"), CASES)
def test_rows(kind: str, item: dict[str, Any], expected: dict[str, Any]) -> None:
    row = decode(kind, item)
    assert row.key == ObjectKey(kind, "shop", "x")
    assert {name: getattr(row, name) for name in expected} == expected


def test_conditions_keep_times_and_words() -> None:
    row = decode("Node", {"status": {"conditions": [READY]}})
    condition = row.condition("Ready")  # type: ignore[attr-defined]
    assert (condition.status, condition.reason, condition.changed_at, condition.seen_at) == (
        "True",
        "Fine",
        INSTANT,
        INSTANT,
    )


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_takes_an_object_that_says_nothing(kind: str) -> None:
    assert decode(kind, {}).name == "x"


def test_every_row_kind_is_watched_and_no_secret_is() -> None:
    assert {kind.row for kind in KINDS} == set(ROW_KINDS)
    assert all("secrets" not in kind.path for kind in KINDS)


def test_only_the_controller_is_an_owner() -> None:
    owner = {"kind": "Thing", "name": "t", "uid": "u"}
    assert decode("Job", {"metadata": metadata("x", "shop", ownerReferences=[owner])}).owner is None
    controller = decode(
        "Job", {"metadata": metadata("x", "shop", ownerReferences=[owner, {**owner, "controller": True}])}
    )
    assert controller.owner is not None


def test_few_annotations_are_kept() -> None:
    annotations = {f"{key}x": "1" for key in KEPT_ANNOTATIONS} | {"kubectl.kubernetes.io/last-applied": "{}"}
    row = decode("Deployment", {"metadata": metadata("x", "shop", annotations=annotations)})
    assert sorted(row.annotations) == sorted(f"{key}x" for key in KEPT_ANNOTATIONS)


def test_a_kind_in_one_namespace() -> None:
    by_name = {kind.name: kind for kind in KINDS}
    assert by_name["Deployment"].within("shop").path == "/apis/apps/v1/namespaces/shop/deployments"
    assert by_name["Node"].within("shop").path == "/api/v1/nodes"
    assert by_name["Lease"].within("shop") is by_name["Lease"]
    assert (by_name["Deployment"].group, by_name["Deployment"].resource) == ("apps", "deployments")
    assert (by_name["Pod"].group, by_name["Pod"].resource) == ("", "pods")
