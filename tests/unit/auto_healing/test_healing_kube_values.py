"""What is sent to and kept of a cluster, as values: paths, events, refusals, evidence without secrets, revisions."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_node, a_pdb, a_snapshot, a_usage

from auto_healing.kube import evidence
from auto_healing.kube.event import again, event_of
from auto_healing.kube.eviction import blocked, forbids, selecting
from auto_healing.kube.paths import RESOURCES, collection_of, is_secret, path_of
from auto_healing.kube.redaction import REDACTED, cleaned
from auto_healing.kube.revisions import selector_text, template_changes
from common.cluster.kinds import KINDS
from common.contracts import ObjectRef
from common.kube.errors import KubeError, NotFound, Unavailable, from_answer

POD = ObjectRef(kind="Pod", namespace="shop", name="web-1", uid="u-1")


@pytest.mark.parametrize(
    ("ref", "subresource", "path"),
    [
        (POD, "", "/api/v1/namespaces/shop/pods/web-1"),
        (POD, "eviction", "/api/v1/namespaces/shop/pods/web-1/eviction"),
        (ObjectRef(kind="Node", name="n"), "", "/api/v1/nodes/n"),
        (
            ObjectRef(kind="Deployment", namespace="shop", name="web"),
            "scale",
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
        ),
        (ObjectRef(kind="VolumeAttachment", name="a"), "", "/apis/storage.k8s.io/v1/volumeattachments/a"),
    ],
)
def test_each_object_has_its_path(ref: ObjectRef, subresource: str, path: str) -> None:
    assert path_of(ref, subresource) == path


def test_what_is_watched_is_where_it_is_read() -> None:
    known = {resource.kind for resource in RESOURCES}
    assert {kind.name: kind.path for kind in KINDS if kind.name in known and kind.name != "Lease"} == {
        kind.name: collection_of(kind.name) for kind in KINDS if kind.name in known and kind.name != "Lease"
    }


def test_a_kind_that_is_no_object_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="kind Zone"):
        collection_of("Zone")


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/api/v1/secrets", True),
        ("/api/v1/namespaces/shop/secrets", True),
        ("/api/v1/namespaces/secrets/pods", False),
        ("/apis/example.org/v1/secrets", False),
    ],
)
def test_secrets_are_known_by_their_path(path: str, secret: bool) -> None:
    assert is_secret(path) is secret


CAUSE = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"}
BUSY = {"message": "too many requests", "code": 429}
NO_ROOM = {"message": "Cannot evict pod as it would violate the budget.", "details": {"causes": [CAUSE]}}
SEVERAL = {"message": "This pod has more than one PodDisruptionBudget, which eviction does not support."}


@pytest.mark.parametrize(
    ("status", "body", "is_budget", "never", "pdbs"),
    [
        pytest.param(429, NO_ROOM, True, False, ("web",), id="a budget without room"),
        pytest.param(500, SEVERAL, True, True, ("first", "second"), id="several budgets"),
        pytest.param(429, BUSY, False, None, None, id="a busy server"),
        pytest.param(500, {}, False, None, None, id="a broken server"),
        pytest.param(403, {}, False, None, None, id="no right to evict"),
    ],
)
def test_only_a_budget_blocks_an_eviction(
    status: int, body: dict[str, Any], is_budget: bool, never: bool | None, pdbs: tuple[str, ...] | None
) -> None:
    error = from_answer(status, msgspec.json.encode(body), "create pods/eviction", 7.0)
    assert forbids(error) is is_budget
    if is_budget:
        told = blocked(error, "web-1", ["second", "first"])
        assert (told.never, told.pdbs, told.retry_after_seconds) == (never, pdbs, None if never else 7.0)


def test_budgets_that_select_a_pod_are_named() -> None:
    assert selecting([a_pdb("b"), a_pdb("a"), a_pdb("c", selector={"app": "other"})], {"app": "checkout"}) == ["a", "b"]


def an_event(**overrides: Any) -> dict[str, Any]:
    said = {"ref": POD, "reason": "Healed", "message": "deleted it", "warning": False, "now": NOON} | overrides
    return event_of(said.pop("ref"), **said)


def test_the_same_event_has_the_same_name_and_another_has_not() -> None:
    names = [
        an_event(**each)["metadata"]["name"]
        for each in ({}, {"now": NOON + timedelta(hours=1)}, {"message": "evicted it"}, {"reason": "Declined"})
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert again({"metadata": {"resourceVersion": "7"}, "count": 2}, NOON)["count"] == 3
    assert len(an_event(ref=ObjectRef(kind="Pod", name="x" * 253, uid="u"))["metadata"]["name"]) <= 253


def test_nothing_secret_is_kept() -> None:
    pod = {
        "metadata": {
            "name": "web-1",
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hidden-1", "note": "x" * 5000},
        },
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "command": ["run", "--db-password", "hidden-2", "--api-key=hidden-3", "--level", "debug"],
                    "args": ["postgres://user:hidden-4@db/shop", "--token", "--verbose"],
                    "env": [
                        {"name": "PASSWORD", "value": "hidden-5"},
                        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
                    ],
                    "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "hidden-6"}]}},
                }
            ]
        },
        "data": {"password": "hidden-7"},
    }
    kept = cleaned(pod)
    container = kept["spec"]["containers"][0]
    assert "hidden" not in str(kept)
    assert container["command"] == ["run", "--db-password", REDACTED, f"--api-key={REDACTED}", "--level", "debug"]
    assert container["args"][1:] == ["--token", "--verbose"]
    assert container["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "login", "key": "password"}
    assert kept["data"] == {"password": REDACTED}
    assert len(kept["metadata"]["annotations"]["note"]) < 1100


def test_what_changed_between_two_templates_is_told_without_values() -> None:
    def template(image: str, value: str, **more: Any) -> dict[str, Any]:
        env = [{"name": "GREETING", "value": value}]
        return {"spec": {"containers": [{"name": "app", "image": image, "env": env, **more}]}}

    changes = template_changes(template("web:1", "hidden-1"), template("web:2", "hidden-2", tty=True))
    assert changes == [
        "spec.containers[app].env[GREETING].value: has another value",
        "spec.containers[app].image: web:1 -> web:2",
        "spec.containers[app].tty: nothing -> True",
    ]
    many = {str(number): number for number in range(300)}
    assert template_changes({}, many)[-1] == "... and 200 more"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"a": "b", "c": "d"}}, "a=b,c=d"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, "a in (b,c)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, "a notin (b)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}]}, "a,!b"),
        ({}, ""),
    ],
)
def test_selectors_are_written_as_a_query(selector: dict[str, Any], text: str) -> None:
    assert selector_text(selector) == text


class Shelf:
    """A cluster of which only one object can be read."""

    def __init__(self, found: dict[str, Any] | None, *, log: str | KubeError = "started") -> None:
        self._found, self._log = found, log
        self.asked: list[tuple[str, bool]] = []

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        return self._found

    async def list(self, kind: str, namespace: str = "", **_: str) -> list[dict[str, Any]]:
        if kind == "Event":
            raise Unavailable("list events: overloaded, password=hidden-1")
        return []

    async def logs(self, pod: ObjectRef, container: str, *, previous: bool, lines: int) -> str:
        self.asked.append((container, previous))
        if isinstance(self._log, KubeError):
            raise self._log
        return self._log


def a_manifest(**status: Any) -> dict[str, Any]:
    statuses = [{"name": "app", "restartCount": 0} | status]
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "app"}]},
        "status": {"containerStatuses": statuses, "conditions": [{"type": "Ready", "status": "False"}]},
    }


async def collected(shelf: Any, *rows: Any) -> dict[str, Any]:
    return await evidence.collect(shelf, POD, a_snapshot(*rows, usage={POD.key: a_usage()}))


async def test_logs_are_kept_to_their_end_and_what_is_missing_is_named() -> None:
    shelf = Shelf(a_manifest(restartCount=3), log="a" * 50_000 + " password=hidden-2 the end")
    kept = await collected(shelf, a_node())
    assert sorted(shelf.asked) == [("app", False), ("app", True)]
    assert kept["logs"]["app"]["previous"]["text"].endswith("the end")
    assert len(kept["logs"]["app"]["current"]["text"]) == 16_384
    assert kept["missing"] == {"events": "list events: overloaded, password=[redacted]"}
    assert "hidden" not in str(kept)
    assert kept["usage"]["Pod shop/web-1"]["memory_bytes"] == 64 << 20
    assert kept["conditions"] == [{"type": "Ready", "status": "False"}]
    assert kept["node"]["conditions"][0]["type"] == "Ready"


@pytest.mark.parametrize(
    ("shelf", "node", "current", "previous"),
    [
        pytest.param(
            Shelf(a_manifest(), log=NotFound("no log")),
            a_node(),
            {"missing": "no log"},
            {"missing": "it has not been restarted"},
            id="a kubelet without a log",
        ),
        pytest.param(
            Shelf(a_manifest(restartCount=1)),
            a_node(conditions=(a_condition("Ready", "Unknown"),)),
            {"missing": "node node-1 is not Ready, its kubelet was not asked"},
            {"missing": "node node-1 is not Ready, its kubelet was not asked"},
            id="a dead node",
        ),
        pytest.param(
            Shelf(a_manifest()),
            a_node("node-2"),
            {"missing": "it runs on no node"},
            {"missing": "it runs on no node"},
            id="a node that is gone",
        ),
    ],
)
async def test_a_missing_log_is_recorded_with_the_reason(
    shelf: Shelf, node: Any, current: dict[str, str], previous: dict[str, str]
) -> None:
    kept = await collected(shelf, node)
    assert kept["logs"] == {"app": {"current": current, "previous": previous}}


async def test_an_object_that_is_gone_leaves_little() -> None:
    assert await collected(Shelf(None)) == {
        "object": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-1"},
        "missing": {"manifest": "the object is gone"},
    }


async def test_an_object_that_cannot_be_read_must_not_be_destroyed() -> None:
    class Dark(Shelf):
        async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
            raise Unavailable("no answer")

    with pytest.raises(Unavailable):
        await collected(Dark(None))
