"""Evidence of objects of a real cluster."""

import msgspec
import pytest
from tests.support.healing_cluster import Place, a_workload, ref_of
from tests.support.waiting import eventually

from auto_healing.kube.evidence import collect
from common.cluster.scan import scan_cluster
from common.contracts import ObjectRef
from devcluster.api import STRATEGIC_PATCH

pytestmark = pytest.mark.cluster


async def of(place: Place, ref: ObjectRef) -> dict[str, object]:
    """As stored: it has to be JSON."""
    kept = await collect(place.live, ref, await scan_cluster(place.api, namespace=place.namespace))
    decoded: dict[str, object] = msgspec.json.decode(msgspec.json.encode(kept))
    assert decoded == kept
    return kept


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_a_pod_is_told_with_its_owner_and_what_the_newest_revision_changed(place: Place, kind: str) -> None:
    place.cluster.api.create(a_workload(place.namespace, kind))
    await place.ready(kind, "web", 1)
    container = {"name": "app", "image": "web:2", "env": [{"name": "GREETING", "value": "hidden-too"}]}
    template = {"template": {"spec": {"containers": [container]}}}
    place.cluster.api.patch(place.path(kind, "web"), {"spec": template}, STRATEGIC_PATCH)
    await place.ready(kind, "web", 1)
    pod = ref_of(place.pods()[0])
    await place.live.event(pod, reason="Looked", message="somebody looked at it")

    kept = await of(place, pod)

    workload, logs = kept["workload"], kept["logs"]
    assert isinstance(workload, dict)
    assert (workload["kind"], workload["name"]) == (kind, "web")
    assert workload["newest_revision"]["number"] == 2
    assert workload["changed"] == [
        "spec.containers[app].env[GREETING].value: has another value",
        "spec.containers[app].image: web:1 -> web:2",
    ]
    assert "somebody looked at it" in str(kept["events"])
    assert isinstance(logs, dict)
    assert "get pods/log" in logs["app"]["current"]["missing"]
    assert "hidden" not in str(kept)
    assert isinstance(kept["node"], dict)
    assert kept["node"]["conditions"]


async def test_a_workload_is_told_with_its_pods(place: Place) -> None:
    place.cluster.api.create(a_workload(place.namespace, replicas=2, pod={"nodeSelector": {"no-such": "node"}}))

    async def made() -> bool:
        return len(place.pods()) == 2

    await eventually(made)
    kept = await of(place, place.ref("Deployment", "web"))

    assert isinstance(kept["pods"], list)
    assert {pod["phase"] for pod in kept["pods"]} == {"Pending"}
    assert isinstance(kept["logs"], dict)
    assert {log["app"]["current"]["missing"] for log in kept["logs"].values()} == {"it runs on no node"}


async def test_a_node_is_told_with_its_conditions(place: Place) -> None:
    node = ref_of(place.cluster.api.items("/api/v1/nodes")[0] | {"kind": "Node"})
    kept = await of(place, node)
    assert isinstance(kept["node"], dict)
    assert "Ready" in {condition["type"] for condition in kept["node"]["conditions"]}
    assert len(msgspec.json.encode(kept)) < 100_000
