"""Pods: what a row keeps of the API server's JSON."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.support.api_objects import changed, pod_json

from common.cluster.decode.pods import PodShape, pod_row
from common.cluster.rows import PodRow, Resources


def decode(item: dict[str, Any], before: PodRow | None = None) -> PodRow:
    return pod_row(msgspec.json.decode(msgspec.json.encode(item), type=PodShape), before)


def container(name: str, cpu: str = "", memory: str = "", **fields: Any) -> dict[str, Any]:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": name, "resources": {"requests": requests}, **fields}


def test_a_running_pod() -> None:
    row = decode(pod_json("checkout-7d4b9c6f5d-x2x9z", "shop"))
    at = datetime(2026, 3, 1, 11, 0, 1, tzinfo=UTC)
    assert (row.namespace, row.name, row.phase, row.ready, row.qos) == (
        "shop",
        "checkout-7d4b9c6f5d-x2x9z",
        "Running",
        True,
        "Burstable",
    )
    assert row.node == "ip-10-0-12-34.eu-west-1.compute.internal"
    assert row.created_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert row.ready_changed_at == row.scheduled_at == at
    assert row.conditions == ()
    assert row.labels["team"] == "payments"
    assert row.annotations == {"k8s-health-checker/heal": "off"}
    assert row.owner is not None
    assert (row.owner.kind, row.owner.name) == ("ReplicaSet", "checkout-7d4b9c6f5d")
    assert [(c.name, c.liveness, c.readiness, c.init) for c in row.containers] == [
        ("app", True, True, False),
        ("proxy", True, True, False),
    ]
    assert [(s.name, s.state, s.ready, s.restarts) for s in row.statuses] == [
        ("app", "running", True, 0),
        ("proxy", "running", True, 0),
    ]
    assert row.requests == Resources(cpu_millicores=350, memory_bytes=640 << 20, pods=1)
    assert row.limits == Resources(cpu_millicores=2000, memory_bytes=640 << 20, pods=1)
    assert [(t.key, t.operator, t.effect, t.seconds) for t in row.tolerations] == [
        ("node.kubernetes.io/not-ready", "Exists", "NoExecute", 300),
        ("node.kubernetes.io/unreachable", "Exists", "NoExecute", 300),
    ]
    assert row.claims == ("checkout-data",)
    assert row.priority_class == "production"
    assert not row.mirror


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"containers": [container("a", "1", "1Gi"), container("b", "500m")]}, (1500, 1 << 30), id="sum"),
        pytest.param(
            {"containers": [container("a", "1")], "initContainers": [container("i", "3", "1Gi")]},
            (3000, 1 << 30),
            id="a greedy init container counts alone",
        ),
        pytest.param(
            {
                "containers": [container("a", "1")],
                "initContainers": [container("s", "500m", restartPolicy="Always"), container("i", "1200m")],
            },
            (1700, 0),
            id="a sidecar runs beside later init containers",
        ),
        pytest.param(
            {
                "containers": [container("a", "1")],
                "initContainers": [container("i", "1200m"), container("s", "500m", restartPolicy="Always")],
            },
            (1500, 0),
            id="a sidecar does not run beside earlier init containers",
        ),
        pytest.param(
            {"containers": [container("a", "1", "1Gi")], "overhead": {"cpu": "250m", "memory": "120Mi"}},
            (1250, (1 << 30) + (120 << 20)),
            id="overhead comes on top",
        ),
        pytest.param(
            {"containers": [container("a", "1", "1Gi")], "resources": {"requests": {"cpu": "2"}}},
            (2000, 1 << 30),
            id="what the pod states replaces the sum for that resource",
        ),
        pytest.param({"containers": [{"name": "a"}]}, (0, 0), id="nothing said"),
        pytest.param(
            {"containers": [{"name": "a", "resources": {"requests": {"cpu": 1, "memory": 1024}}}]},
            (1000, 1024),
            id="numbers are quantities too",
        ),
    ],
)
def test_effective_request(spec: dict[str, Any], expected: tuple[int, int]) -> None:
    requests = decode(changed(pod_json(), spec=spec)).requests
    assert (requests.cpu_millicores, requests.memory_bytes, requests.pods) == (*expected, 1)


def test_devices_and_hugepages_count_like_the_rest() -> None:
    """As the greediest moment wants them: two GPUs at the start, one of them afterwards."""
    start, work = (
        {"name": name, "resources": {"requests": {"nvidia.com/gpu": gpus, "hugepages-2Mi": pages}}}
        for name, gpus, pages in (("start", "2", "0"), ("work", "1", "4Mi"))
    )
    requests = decode(changed(pod_json(), spec={"initContainers": [start], "containers": [work]})).requests
    assert requests.extended == (("nvidia.com/gpu", 2), ("hugepages-2Mi", 4 << 20))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(
            {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}, "restartCount": 7},
            {"state": "waiting", "reason": "CrashLoopBackOff", "message": "back-off 5m0s", "restarts": 7},
            id="waiting",
        ),
        pytest.param(
            {"state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-03-01T11:00:00Z"}}},
            {"state": "terminated", "exit_code": 0, "finished_at": datetime(2026, 3, 1, 11, tzinfo=UTC)},
            id="terminated",
        ),
        pytest.param(
            {
                "state": {"running": {}},
                "lastState": {
                    "terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-03-01T11:00:00Z"}
                },
            },
            {
                "state": "running",
                "last_reason": "OOMKilled",
                "last_exit_code": 137,
                "last_started_at": datetime(2026, 3, 1, 11, tzinfo=UTC),
            },
            id="running after a kill",
        ),
        pytest.param({}, {"state": "", "ready": False, "restarts": 0}, id="not reported"),
    ],
)
def test_container_status(status: dict[str, Any], expected: dict[str, Any]) -> None:
    row = decode(changed(pod_json(), status__containerStatuses=[{"name": "app", **status}]))
    assert {name: getattr(row.statuses[0], name) for name in expected} == expected


def test_conditions_that_are_not_true_are_kept_with_their_reasons() -> None:
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "x" * 900},
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T11:00:00Z"},
        {"type": "Initialized", "status": "True"},
    ]
    row = decode(changed(pod_json(), status__conditions=conditions))
    assert [condition.type for condition in row.conditions] == ["PodScheduled", "Ready"]
    assert len(row.conditions[0].message) == 500
    assert row.scheduled_at is None
    assert not row.ready
    assert row.ready_changed_at == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_claims_of_ephemeral_volumes_are_named_after_pod_and_volume() -> None:
    volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}, {"name": "x", "emptyDir": {}}]
    assert decode(changed(pod_json("web-1"), spec={"volumes": volumes})).claims == ("web-1-scratch",)


def test_a_static_pod_is_a_mirror_and_finalizers_are_kept() -> None:
    row = decode(pod_json(annotations={"kubernetes.io/config.mirror": "abc"}, finalizers=["foregroundDeletion"]))
    assert row.mirror
    assert row.finalizers == ("foregroundDeletion",)


def test_a_pod_that_says_nothing_is_a_row_of_nothing() -> None:
    row = decode({"metadata": {"name": "x", "uid": "u"}})
    assert (row.namespace, row.phase, row.node, row.containers, row.statuses) == ("", "", "", (), ())
    assert row.requests == Resources(pods=1)


def test_equal_values_are_shared_between_pods() -> None:
    one, two = decode(pod_json("a-1")), decode(pod_json("a-2"))
    for name in (
        "labels",
        "annotations",
        "owner",
        "containers",
        "statuses",
        "requests",
        "limits",
        "tolerations",
        "node",
    ):
        assert getattr(one, name) is getattr(two, name), name


@pytest.mark.parametrize(
    ("before", "reused"),
    [
        pytest.param({}, True, id="the same life and generation"),
        pytest.param({"metadata__generation": 2}, False, id="another generation"),
        pytest.param({"metadata__generation": None}, False, id="a server that counts no generations"),
        pytest.param({"metadata__uid": "earlier"}, False, id="another life under the same name"),
        pytest.param({"spec__nodeName": ""}, False, id="not bound then: binding is not counted as a generation"),
    ],
)
def test_what_is_known_of_the_spec_is_reused_only_while_it_cannot_have_changed(
    before: dict[str, Any], reused: bool
) -> None:
    earlier = decode(changed(pod_json(), spec__priorityClassName="earlier", **before))
    assert decode(pod_json(), earlier).priority_class == ("earlier" if reused else "production")
