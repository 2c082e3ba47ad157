"""Explanations over HTTP, with a real Alertmanager for what it knows better: silences and inhibition."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.support.alert_intake import Intake, a_post, an_alert
from tests.support.clock import NOON
from tests.support.monitoring import RunAlertmanager, run_alertmanager  # noqa: F401 - a fixture

from alert_service.api import explain
from alert_service.clients.alertmanager import Alertmanager
from alert_service.explaining.gathering import Explaining
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.routing.matchers import parse_matcher
from alert_service.routing.routing import Routes
from alert_service.storage.explanations import Explanations
from common.database.connections import Database

pytestmark = pytest.mark.database

NODE = {"alertname": "KubeNodeNotReady", "node": "n", "severity": "critical"}
POD = {"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": "web-0", "node": "n", "severity": "warning"}
CONFIG: dict[str, Any] = {
    "route": {"receiver": "none", "group_wait": "1h"},
    "receivers": [{"name": "none"}],
    "inhibit_rules": [
        {
            "name": "node-down",
            "source_matchers": ['alertname="KubeNodeNotReady"'],
            "target_matchers": ['pod!=""'],
            "equal": ["node"],
        }
    ],
}


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    return Intake(alert_database, policy={"routes": [{"name": "all", "channels": ["sre"]}]})


def explaining(intake: Intake, alertmanager: Alertmanager | None = None) -> Explaining:
    return Explaining(Explanations(intake.database), alertmanager, policy=intake.policy, routes=Routes(intake.policy))


async def test_of_an_alert(intake: Intake) -> None:
    fingerprint = fingerprint_of({**POD, "severity": "warning"})
    await intake.take(a_post(an_alert("web-0", node="n")))
    async with client(intake, explain.router) as http:
        found = (await http.get(f"/api/v1/alerts/{fingerprint}/explain")).raise_for_status().json()
        unknown = await http.get("/api/v1/alerts/0000000000000000/explain")
    (incident,) = found["incidents"]
    assert (found["firing"], incident["verdict"], incident["summary"]) == (
        True,
        "told",
        "Told on sre by route all. Next, at 2026-03-01 16:00:00 UTC: people are told again that it still fires.",
    )
    assert incident["grouping"]["group_key"].startswith("{}:")
    assert found["alertmanager"]["asked"] is False
    assert unknown.status_code == 404


async def test_of_what_might_fire(intake: Intake) -> None:
    await intake.take(a_post(node_alert(), group="node"))
    async with client(intake, explain.router) as http:
        soon = (await http.post("/api/v1/explain", json={"labels": POD})).raise_for_status().json()
        sunday = {"labels": POD, "at": "2026-03-08T03:00:00+01:00"}
        later = (await http.post("/api/v1/explain", json=sunday)).raise_for_status().json()
        wrong = await http.post("/api/v1/explain", json={"labels": {}, "at": "sunday"})
    assert soon["alert"]["explanation"]["verdict"] == "suppressed"  # the node explains it
    assert soon["alert"]["explanation"]["correlation"]["title"] == "KubeNodeNotReady: n"
    assert later["alert"]["explanation"]["verdict"] == "told"
    assert [each["channel"] for each in later["alert"]["messages"]] == ["sre"]
    assert wrong.status_code == 422
    assert await intake.states() == ["firing"]  # nothing was opened by asking


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({"labels": POD, "at": "9999-12-31T23:59:59Z"}, 422),
        ({"labels": POD, "at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"labels": POD, "at": "2099-12-31T23:59:59-12:00"}, 200),
        ({"labels": {"pod": "nul \0 inside", "namespace": "shop"}}, 422),
        ({"labels": {"alertname": "é☃𝄞 {0} %s <!channel>"}, "annotations": {"summary": "\0"}}, 200),
        ({"labels": {f"label{number}": "x" * 2000 for number in range(100)}}, 200),
        ({"labels": {f"label{number}": "x" for number in range(101)}}, 422),
        ({"labels": {"": "x"}}, 422),
    ],
    ids=["the last instant", "the first", "next century", "a nul", "odd letters", "much", "too much", "no name"],
)
async def test_odd_questions(intake: Intake, question: dict[str, Any], status: int) -> None:
    async with client(intake, explain.router) as http:
        assert (await http.post("/api/v1/explain", json=question)).status_code == status


async def test_what_alertmanager_says(intake: Intake, run_alertmanager: RunAlertmanager) -> None:  # noqa: F811
    running = await asyncio.to_thread(run_alertmanager, CONFIG)
    alertmanager = Alertmanager(running.url)
    now = datetime.now(UTC)
    try:
        async with httpx.AsyncClient(base_url=running.url) as http:
            alerts = [{"labels": each} for each in (NODE, POD)]
            (await http.post("/api/v2/alerts", json=alerts)).raise_for_status()
        silence = await alertmanager.create(
            [parse_matcher('namespace="shop"')],
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            created_by="ana",
            comment="known",
        )
        await intake.take(a_post(node_alert(), group="node"), a_post(an_alert("web-0", node="n"), group="pod"))
        found = await standing(intake, alertmanager)
        soon = now + timedelta(minutes=1)
        foreseen = (await explaining(intake, alertmanager).what_if(POD, {}, at=soon, now=now)).alertmanager
        other = await explaining(intake, alertmanager).what_if({"alertname": "Else"}, {}, at=soon, now=now)
        assert found.state == "suppressed"
        assert [each.id for each in found.silences] == [silence]
        assert [each.alertname for each in found.inhibitors] == ["KubeNodeNotReady"]
        assert [each.id for each in foreseen.silences] == [silence]
        assert [(each.alertname, each.rule) for each in foreseen.inhibitors] == [("KubeNodeNotReady", "node-down")]
        assert (other.alertmanager.state, other.alertmanager.silences) == ("active", [])
    finally:
        await alertmanager.close()


async def test_an_alertmanager_that_is_away_takes_nothing_else_from_the_answer(intake: Intake) -> None:
    alertmanager = Alertmanager("http://127.0.0.1:9")
    try:
        await intake.take(a_post(an_alert("web-0", node="n")))
        found = await explaining(intake, alertmanager).alert(fingerprint_of(POD), now=NOON)
        foreseen = await explaining(intake, alertmanager).what_if(POD, {}, at=NOON, now=NOON)
    finally:
        await alertmanager.close()
    assert found is not None
    assert found.incidents
    assert "does not answer" in found.alertmanager.trouble
    assert "does not answer" in foreseen.alertmanager.trouble


async def standing(intake: Intake, alertmanager: Alertmanager) -> Any:
    """Alertmanager takes a moment to mark what is silenced and inhibited."""
    async with asyncio.timeout(60):
        while True:
            found = await explaining(intake, alertmanager).alert(fingerprint_of(POD), now=NOON)
            assert found is not None
            said = found.alertmanager
            if said.silences and said.inhibitors:
                return said
            await asyncio.sleep(0.1)


def node_alert() -> dict[str, Any]:
    alert = an_alert("", alertname="KubeNodeNotReady", severity="critical")
    labels = NODE
    return alert | {"labels": labels, "fingerprint": fingerprint_of(labels)}


def client(intake: Intake, router: Any) -> httpx.AsyncClient:
    made = intake.client(routers=[router])
    services = made._transport.app.state.services  # type: ignore[attr-defined]
    services.routes = lambda: Routes(intake.policy)
    services.storage.stored.silencing = None
    assert isinstance(services, SimpleNamespace)
    return made
