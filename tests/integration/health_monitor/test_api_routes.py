"""The REST API over real rows and a real PostgreSQL."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.health_api import Api, an_api
from tests.support.health_database import an_event, claim, health_target, scalar
from tests.support.rows import (
    a_condition,
    a_deployment,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    owned_by,
)

from common.cluster.rows import Row
from common.contracts import Change, Severity
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.web.auth import Scope
from health_monitor.policy.file import PolicyFile

NOT_READY = (a_condition("Ready", "False", reason="KubeletNotReady"),)
EVICTED: dict[str, Any] = {"phase": "Failed", "reason": "Evicted"}


def some_rows() -> list[Row]:
    deployment = a_deployment()
    replica_set = a_replica_set(owner=owned_by(deployment))
    pods = [a_pod(f"p{n}", owner=owned_by(replica_set)) for n in range(3)]
    return [
        a_namespace(),
        a_node("n1", conditions=NOT_READY),
        a_node("n2"),
        a_node("n3"),
        deployment,
        replica_set,
        *pods,
        a_pod("gone", **EVICTED),
    ]


def without_database(**options: Any) -> Api:
    return an_api(a_snapshot(*some_rows()), **options)


async def get(api: Api, path: str, *, scope: Scope = Scope.READ, status: int = 200, **parameters: Any) -> Any:
    async with api.client(scope) as client:
        answer = await client.get(f"/api/v1/{path}", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_cluster_is_told_at_a_glance() -> None:
    cluster = await get(without_database(), "cluster")

    assert cluster["name"] == "test"
    assert cluster["objects"] == {"zones": 1, "nodes": 3, "namespaces": 1, "workloads": 2, "pods": 4}
    assert cluster["findings"]["critical"] >= 1
    assert sum(each["points"] for each in cluster["score"]["deductions"]) == pytest.approx(
        100 - cluster["score"]["value"]
    )
    assert {each["state"] for each in cluster["sources"]} == {"synced"}


async def test_lists_are_read_page_by_page() -> None:
    api = without_database()
    first = await get(api, "nodes", limit=2)
    second = await get(api, "nodes", limit=2, cursor=first["next_cursor"])

    assert [each["object"]["name"] for each in first["items"] + second["items"]] == ["n1", "n2", "n3"]
    assert first["items"][0]["codes"] == ["node-not-ready"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "parameters", "names"),
    [
        pytest.param("nodes", {"max_score": 99}, ["n1"], id="by score"),
        pytest.param("nodes", {"severity": "critical"}, ["n1"], id="by severity"),
        pytest.param("pods", {"code": "pod-evicted"}, ["gone"], id="by check"),
        pytest.param("pods", {"labels": "app=nope"}, [], id="by label"),
        pytest.param("pods", {"namespace": "nope"}, [], id="by namespace"),
        pytest.param("workloads", {"sort": "name"}, ["checkout", "gone"], id="by name"),
        pytest.param("zones", {}, ["zone-a"], id="zones"),
        pytest.param("namespaces", {}, ["shop"], id="namespaces"),
    ],
)
async def test_lists_are_filtered(path: str, parameters: dict[str, Any], names: list[str]) -> None:
    found = await get(without_database(), path, **parameters)

    assert [each["object"]["name"] for each in found["items"]] == names


@pytest.mark.parametrize(
    ("path", "parameters", "place"),
    [
        pytest.param("nodes", {"cursor": "nonsense!"}, "/cursor", id="a cursor that is none"),
        pytest.param("nodes", {"labels": "a==b==c"}, "/labels", id="a label selector that cannot be read"),
        pytest.param("nodes", {"max_score": 101}, "/max_score", id="a score that there is not"),
        pytest.param("findings", {"limit": 0}, "/limit", id="an empty page"),
        pytest.param("pods", {"code": "pod-crashloop"}, "/code", id="a check that there is not"),
        pytest.param("findings", {"kind": "pods"}, "/kind", id="a kind as kubectl abbreviates it"),
    ],
)
async def test_mistakes_are_named_with_their_place(path: str, parameters: dict[str, Any], place: str) -> None:
    problem = await get(without_database(), path, status=422, **parameters)

    assert problem["errors"][0]["path"] == place


async def test_a_cursor_of_another_order_is_refused() -> None:
    api = without_database()
    page = await get(api, "nodes", limit=1)

    await get(api, "nodes", sort="name", cursor=page["next_cursor"], status=422)
    await get(api, "pods", cursor=page["next_cursor"], status=422)


@pytest.mark.parametrize(
    "path", ["zones/zone-a", "nodes/n1", "namespaces/shop", "workloads/shop/Deployment/checkout", "pods/shop/p0"]
)
async def test_one_object_is_described(path: str) -> None:
    detail = await get(without_database(), path)

    assert 0 <= detail["score"]["value"] <= 100
    assert detail["timeline"]["events"] == []
    assert "without a database" in detail["timeline"]["note"]


async def test_a_pod_tells_whose_it_is() -> None:
    detail = await get(without_database(), "pods/shop/p0")

    assert [owner["kind"] for owner in detail["owners"]] == ["ReplicaSet", "Deployment"]


@pytest.mark.parametrize(
    "path", ["zones/nope", "nodes/nope", "namespaces/nope", "workloads/shop/Job/nope", "pods/shop/nope"]
)
async def test_what_does_not_exist_is_not_found(path: str) -> None:
    await get(without_database(), path, status=404)


async def test_findings_are_listed_with_runbook_and_read_on() -> None:
    api = without_database()
    first = await get(api, "findings", limit=1)
    rest = await get(api, "findings", limit=100, cursor=first["next_cursor"])

    assert first["items"][0]["severity"] == "critical"
    assert first["items"][0]["runbook"] == f"docs/runbooks/{first['items'][0]['code']}.md"
    codes = {each["code"] for each in first["items"] + rest["items"]}
    assert {"node-not-ready", "pod-evicted"} <= codes
    only = await get(api, "findings", kind="Node", name="n1")
    assert {each["object"]["name"] for each in only["items"]} == {"n1"}


async def test_an_object_is_explained() -> None:
    async with without_database().client(Scope.READ) as client:
        answer = await client.post("/api/v1/explain", json={"kind": "Node", "name": "n1"})
        unknown = await client.post("/api/v1/explain", json={"kind": "Node", "name": "nope"})

    verdicts = {each["code"]: each["verdict"] for each in answer.json()["checks"]}
    assert verdicts["node-not-ready"] == "fired"
    assert verdicts["node-disk-pressure"] == "silent"
    assert unknown.status_code == 404


async def test_checks_are_listed_with_the_thresholds_of_a_namespace(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "{version: 1, rules: [{namespaces: [batch], checks: {pod-evicted: {severity: info}}}]}", encoding="utf-8"
    )
    api = without_database(policy=PolicyFile.open(file))

    def severity(found: Any) -> str:
        return next(str(each["severity"]) for each in found["items"] if each["code"] == "pod-evicted")

    assert severity(await get(api, "checks")) != "info"
    assert severity(await get(api, "checks", namespace="batch")) == "info"


async def test_mistakes_of_the_policy_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{version: 1}", encoding="utf-8")
    file = PolicyFile.open(path)
    api = without_database(policy=file)
    assert (await get(api, "policy"))["valid"] is True

    path.write_text("{version: 1, checks: {no-such-check: {}}}", encoding="utf-8")
    file.poll()
    status = await get(api, "policy")

    assert status["valid"] is False
    assert "no-such-check" in status["mistakes"][0]["path"] + status["mistakes"][0]["message"]


async def test_nothing_is_told_of_a_cluster_that_is_still_being_read() -> None:
    api = an_api(a_snapshot(*some_rows()), started=False)

    problem = await get(api, "cluster", status=503)
    assert "still being read" in problem["detail"]


@pytest.mark.parametrize("path", ["events", "history", "subscriptions", "stream"])
async def test_without_a_database_stored_things_say_so_in_one_line(path: str) -> None:
    problem = await get(without_database(), path, scope=Scope.ADMIN, status=503)

    assert "without a database" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        pytest.param("GET", "cluster", Scope.READ, id="reading"),
        pytest.param("POST", "explain", Scope.READ, id="explaining"),
        pytest.param("GET", "subscriptions", Scope.OPERATE, id="seeing where webhooks go"),
        pytest.param("POST", "subscriptions", Scope.ADMIN, id="subscribing"),
        pytest.param("DELETE", "subscriptions/6f8d1c1e-0000-4000-8000-000000000000", Scope.ADMIN, id="unsubscribing"),
        pytest.param("POST", "subscriptions/6f8d1c1e-0000-4000-8000-000000000000/rotate", Scope.ADMIN, id="rotating"),
        pytest.param("POST", "subscriptions/6f8d1c1e-0000-4000-8000-000000000000/test", Scope.OPERATE, id="testing"),
    ],
)
async def test_each_route_needs_its_scope(method: str, path: str, needed: Scope) -> None:
    api = without_database()
    allowed = {Scope.READ: 3, Scope.OPERATE: 2, Scope.ADMIN: 1}[needed]
    statuses = []
    for scope in (None, Scope.READ, Scope.OPERATE, Scope.ADMIN):
        async with api.client(scope) as client:
            statuses.append((await client.request(method, f"/api/v1/{path}", json={})).status_code)

    assert statuses[0] == 401
    assert statuses[1:].count(403) == 3 - allowed
    assert 403 not in statuses[4 - allowed :]


# --- with a database


async def published(database: Database, *names: str) -> Api:
    api = an_api(a_snapshot(*some_rows()), database)
    await api.store(await claim(database), [an_event(name) for name in names])
    return api


@pytest.mark.database
async def test_events_are_read_on_from_a_cursor(database: Database) -> None:
    api = await published(database, "a", "b", "c")
    first = await get(api, "events", limit=2)
    second = await get(api, "events", after=first["next_cursor"])

    names = [each["data"]["finding"]["object"]["name"] for each in first["events"] + second["events"]]
    assert names == ["a", "b", "c"]
    assert (first["more"], second["more"], second["head"]) == (True, False, 3)
    one = await get(api, f"events/{first['events'][0]['id']}")
    assert one == first["events"][0]
    await get(api, "events/6f8d1c1e-0000-4000-8000-000000000000", status=404)


@pytest.mark.database
async def test_events_are_filtered(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    told = [
        an_event("a"),
        an_event("b", severity=Severity.INFO),
        an_event("c", code="pod-evicted"),
        an_event("d", Change.RESOLVED),
    ]
    await api.store(await claim(database), told)

    async def names(**parameters: Any) -> list[str]:
        found = await get(api, "events", **parameters)
        return [each["data"]["finding"]["object"]["name"] for each in found["events"]]

    assert await names(severity="warning") == ["a", "c", "d"]
    assert await names(code=["pod-evicted", "pod-restarts"]) == ["c"]
    assert await names(change="resolved") == ["d"]
    assert await names(kind="Node") == []
    assert await names(namespace="shop") == ["a", "b", "c", "d"]


@pytest.mark.database
@pytest.mark.parametrize("subject", ["Pod/shop/p0", "Deployment//checkout", "nonsense"])
async def test_a_history_that_is_not_kept_is_refused(subject: str, database: Database) -> None:
    problem = await get(an_api(a_snapshot(), database), "history", subject=subject, status=422)

    assert problem["errors"][0]["path"] == "/subject"


@pytest.mark.database
async def test_a_long_poll_ends_when_an_event_is_stored(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    epoch = await claim(database)
    waiting = asyncio.create_task(get(api, "events", after=0, wait=60))
    await asyncio.sleep(0)
    await api.store(epoch, [an_event("late")])

    found = await asyncio.wait_for(waiting, 30)
    assert [each["data"]["finding"]["object"]["name"] for each in found["events"]] == ["late"]


@pytest.mark.database
async def test_a_long_poll_ends_when_the_service_does(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    waiting = asyncio.create_task(get(api, "events", after=0, wait=60))
    await asyncio.sleep(0)
    api.stopping.set()

    assert (await asyncio.wait_for(waiting, 30))["events"] == []


@pytest.mark.database
async def test_a_cursor_whose_events_are_gone_is_gone_and_says_where_to_start(database: Database) -> None:
    api = await published(database, "a", "b")
    await scalar(database, "UPDATE stream SET floor = 1 RETURNING floor")

    problem = await get(api, "events", after=0, status=410)
    assert (problem["reason"], problem["oldest"], problem["head"]) == ("too-old", 1, 2)
    ahead = await get(api, "events", after=99, status=410)
    assert ahead["reason"] == "ahead"


@pytest.mark.database
async def test_an_object_tells_what_happened_to_it_newest_first(database: Database) -> None:
    api = an_api(a_snapshot(*some_rows()), database)
    told = [an_event("p0"), an_event("p1"), an_event("p0", Change.RESOLVED)]
    await api.store(await claim(database), told)

    timeline = (await get(api, "pods/shop/p0"))["timeline"]
    assert [each["data"]["change"] for each in timeline["events"]] == ["resolved", "opened"]
    assert timeline["note"] == ""


async def test_a_database_that_is_away_leaves_scores_and_says_so() -> None:
    nobody_listens = health_target("postgresql://nobody@127.0.0.1:1/none")
    api = an_api(a_snapshot(*some_rows()), Database(nobody_listens, DatabaseSettings(connect_timeout_seconds=1)))

    detail = await get(api, "nodes/n1")
    assert "does not answer" in detail["timeline"]["note"]
    assert detail["score"]["value"] < 100
    problem = await get(api, "events", status=503)
    assert "does not answer" in problem["detail"]
