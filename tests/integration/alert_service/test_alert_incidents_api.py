"""Incidents, alerts and heartbeats over HTTP, and the routes on which they come in."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert
from tests.support.clock import NOON
from tests.support.waiting import eventually
from tests.support.web import OPERATE_TOKEN, READ_TOKEN

from alert_service.incidents.alert import Source
from alert_service.storage.inbox import Inbox, InboxFull
from common.contracts import Notice
from common.contracts.healing import NoticeKind
from common.contracts.objects import ObjectRef
from common.database.connections import Database
from common.database.errors import DatabaseUnavailable

pytestmark = pytest.mark.database

POSTS = "/api/v1/webhooks/alertmanager"


@pytest.fixture
async def intake(alert_database: Database) -> Intake:
    return Intake(alert_database)


@pytest.fixture
async def client(intake: Intake) -> AsyncIterator[httpx.AsyncClient]:
    async with intake.client() as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def basic(password: str, user: str = "alertmanager") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_a_post_is_stored_when_it_is_answered(intake: Intake, client: httpx.AsyncClient) -> None:
    answer = await client.post(POSTS, content=a_post(an_alert()))
    assert (answer.status_code, answer.content) == (200, b"")
    assert await intake.inbox.waiting() == 1


async def test_a_token_comes_as_bearer_or_as_the_password(intake: Intake) -> None:
    """Alertmanager's basic_auth, and its authorization."""
    async with intake.client(None) as client:
        answers = {
            "right": await client.post(POSTS, content=a_post(an_alert()), headers=basic(OPERATE_TOKEN)),
            "colons": await client.post(POSTS, content=a_post(an_alert()), headers=basic(f"{OPERATE_TOKEN}:")),
            "reader": await client.post(POSTS, content=a_post(an_alert()), headers=basic(READ_TOKEN)),
            "wrong": await client.post(POSTS, content=a_post(an_alert()), headers=basic("guess")),
            "none": await client.post(POSTS, content=a_post(an_alert())),
            "nonsense": await client.post(POSTS, content=b"", headers={"Authorization": "Basic !!!"}),
            "elsewhere": await client.get("/api/v1/incidents", headers=basic(OPERATE_TOKEN)),
        }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "right": 200,
        "colons": 401,
        "reader": 403,
        "wrong": 401,
        "none": 401,
        "nonsense": 401,
        "elsewhere": 401,
    }
    assert await intake.inbox.waiting() == 1


async def test_a_notice_is_taken_and_one_that_is_none_is_refused(intake: Intake, client: httpx.AsyncClient) -> None:
    subject = ObjectRef(kind="Pod", namespace="shop", name="checkout-1")
    notice = Notice(id="1", kind=NoticeKind.STARTED, at=NOON, subject=subject, message="it begins")
    taken = await client.post("/api/v1/notices", content=notice.model_dump_json())
    refused = await client.post("/api/v1/notices", content=b'{"kind": "odd"}')
    assert (taken.status_code, refused.status_code) == (204, 400)
    assert "id" in refused.json()["detail"]
    assert await intake.inbox.waiting() == 1
    assert intake.refused == [(Source.HEALING, "unreadable")]


async def test_a_compressed_post_is_refused_with_what_to_do(intake: Intake, client: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "gzip"}
    for path in (POSTS, "/api/v1/notices"):
        answer = await client.post(path, content=gzip.compress(a_post(an_alert())), headers=headers)
        assert answer.status_code == 400
        assert "without Content-Encoding" in answer.json()["detail"]
    assert await intake.inbox.waiting() == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [(InboxFull("too much waits"), "full"), (DatabaseUnavailable("it is gone"), "database")],
    ids=["too much waits", "the database is gone"],
)
async def test_what_cannot_be_stored_is_answered_so_that_alertmanager_comes_again_when(
    intake: Intake, error: Exception, reason: str
) -> None:
    class Failing(Inbox):
        async def put(self, *arguments: Any) -> None:
            raise error

    intake.inbox = Failing(intake.database)
    async with intake.client() as client:
        answer = await client.post(POSTS, content=a_post(an_alert()))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert intake.refused == [(Source.ALERTMANAGER, reason)]


async def test_more_waits_for_the_database_than_there_is_room_for(alert_database: Database) -> None:
    inbox = Inbox(alert_database)
    with pytest.raises(InboxFull):
        await inbox.put(Source.ALERTMANAGER, "key", b"x" * (65 << 20), NOON)
    await inbox.put(Source.ALERTMANAGER, "key", b"x", NOON)
    assert await inbox.waiting() == 1


async def test_a_database_that_neither_answers_nor_refuses_is_not_waited_for(alert_database: Database) -> None:
    inbox = Inbox(alert_database, patience_seconds=0.5)
    async with alert_database.begin() as hanging:
        await hanging.execute(text("LOCK TABLE inbox"))
        with pytest.raises(DatabaseUnavailable, match="did not answer"):
            await inbox.put(Source.ALERTMANAGER, "key", b"x", NOON)

    async def stored() -> bool:  # all the same, once it can be
        return await inbox.waiting() == 1

    await eventually(stored)


async def test_an_odd_key_spoils_nothing_for_those_that_are_stored_with_it(alert_database: Database) -> None:
    inbox = Inbox(alert_database)
    keys = ("odd \0 \ud800", "even")
    await asyncio.gather(*(inbox.put(Source.HEALING, key, b"x", NOON) for key in keys))
    assert await inbox.waiting() == 2


async def test_incidents_are_listed_by_what_they_are_page_by_page(intake: Intake, client: httpx.AsyncClient) -> None:
    for number in range(3):
        severity = "critical" if number == 2 else "warning"
        alert = an_alert(f"checkout-{number}", severity=severity, cluster=f"c{number}")
        await intake.take(a_post(alert, group=f"group {number}"))
        intake.clock.step(60)
    resolved = a_resolved_alert("checkout-0", at=intake.clock.now(), severity="warning", cluster="c0")
    await intake.take(a_post(resolved, group="group 0"))
    first = await get(client, "incidents", limit=2)
    assert [each["title"][-1] for each in first["items"]] == ["2", "1"]
    rest = await get(client, "incidents", limit=2, cursor=first["next_cursor"])
    assert [each["title"][-1] for each in rest["items"]] == ["0"]
    assert rest["next_cursor"] is None
    found = {
        name: [each["title"][-1] for each in (await get(client, "incidents", **query))["items"]]
        for name, query in {
            "open": {"state": ["firing", "acknowledged"]},
            "critical": {"severity": "critical"},
            "of a pod": {"kind": "Pod", "namespace": "shop", "name": "checkout-1"},
            "of a cluster": {"cluster": "c0"},
            "of an alert": {"alertname": "KubePodCrashLooping", "fingerprint": resolved["fingerprint"]},
            "of another name": {"alertname": "Other"},
            "below another": {"parent": str(uuid4())},
        }.items()
    }
    assert found == {
        "open": ["2", "1"],
        "critical": ["2"],
        "of a pod": ["1"],
        "of a cluster": ["0"],
        "of an alert": ["0"],
        "of another name": [],
        "below another": [],
    }


async def test_alerts_are_listed_by_what_they_are_page_by_page(intake: Intake, client: httpx.AsyncClient) -> None:
    alerts = [an_alert(f"checkout-{number}", at=NOON - timedelta(minutes=number)) for number in range(3)]
    await intake.take(a_post(*alerts))
    await intake.take(a_post(a_resolved_alert("checkout-2", at=intake.clock.step(60))))
    incident = str(await intake.only())
    first = await get(client, "alerts", limit=2)
    assert [each["alert"]["labels"]["pod"] for each in first["items"]] == ["checkout-0", "checkout-1"]
    rest = await get(client, "alerts", limit=2, cursor=first["next_cursor"])
    assert [each["alert"]["status"] for each in rest["items"]] == ["resolved"]
    assert rest["next_cursor"] is None
    assert len((await get(client, "alerts", status="firing", incident=incident))["items"]) == 2
    (one,) = (await get(client, "alerts", fingerprint=alerts[1]["fingerprint"]))["items"]
    assert (one["incident_id"], one["incident_state"], one["alert"]["acknowledged"]) == (incident, "firing", False)


async def test_an_incident_is_shown_with_all_that_happened(intake: Intake, client: httpx.AsyncClient) -> None:
    await intake.take(a_post(an_alert("checkout-1"), an_alert("checkout-2")))
    path = f"incidents/{await intake.only()}"
    assert (await client.post(f"/api/v1/{path}/acknowledge", json={})).json()["changed"] is True
    intake.clock.step(60)
    await intake.take(a_post(an_alert("checkout-3", at=intake.clock.now())))
    shown = await get(client, path)
    assert (shown["incident"]["state"], shown["incident"]["firing"], shown["incident"]["alerts"]) == (
        "acknowledged",
        3,
        3,
    )
    assert {each["labels"]["pod"]: each["acknowledged"] for each in shown["alerts"]} == {
        "checkout-1": True,
        "checkout-2": True,
        "checkout-3": False,
    }
    assert [(each["kind"], each["by"]) for each in shown["timeline"]] == [
        ("opened", ""),
        ("acknowledged", "admin"),
        ("alerts_joined", ""),
    ]
    assert {(each["channel"], each["state"]) for each in shown["deliveries"]} == {("sre", "queued")}
    assert shown["incident"]["acknowledgement"]["by"] == "admin"


async def test_a_person_acts_and_what_comes_too_late_explains_itself(intake: Intake, client: httpx.AsyncClient) -> None:
    await intake.take(a_post(an_alert()))
    path = f"/api/v1/incidents/{await intake.only()}"
    acts: list[tuple[str, Any, bool]] = [
        ("unacknowledge", None, False),
        ("acknowledge", {"revision": 1}, True),
        ("acknowledge", {}, False),
        ("unacknowledge", None, True),
        ("escalate", None, False),
        ("note", {"text": "the vendor is on the phone"}, True),
        ("vote", {"noisy": True}, True),
        ("vote", {"noisy": False}, True),
        ("resolve", {"reason": "the rule is gone"}, True),
        ("resolve", {}, False),
        ("acknowledge", {}, False),
    ]
    for name, body, changes in acts:
        answer = await client.post(f"{path}/{name}", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["changed"] is changes, (name, answer.json())
        assert answer.json()["text"]
        intake.clock.step(1)
    assert await intake.states() == ["resolved"]
    assert await intake.rows("SELECT person, noisy FROM vote") == [("admin", False)]
    assert "resolved by admin: the rule is gone" in [
        text for (text,) in await intake.rows("SELECT text FROM timeline ORDER BY id")
    ]


async def test_reading_takes_the_scope_read_and_acting_the_scope_operate(intake: Intake) -> None:
    await intake.take(a_post(an_alert()))
    path = f"/api/v1/incidents/{await intake.only()}"
    async with intake.client(READ_TOKEN) as reader:
        assert (await reader.get(path)).status_code == 200
        assert (await reader.get("/api/v1/heartbeats")).status_code == 200
        assert (await reader.post(f"{path}/acknowledge", json={})).status_code == 403
    assert await intake.states() == ["firing"]


async def test_what_is_not_there_and_what_is_wrong_says_so(client: httpx.AsyncClient) -> None:
    nowhere = f"/api/v1/incidents/{uuid4()}"
    answers = [
        await client.get(nowhere),
        await client.post(f"{nowhere}/acknowledge", json={}),
        await client.post(f"{nowhere}/note", json={"text": ""}),
        await client.post(f"{nowhere}/acknowledge", json={"revision": 0, "more": 1}),
        await client.get("/api/v1/incidents", params={"state": "asleep"}),
        await client.get("/api/v1/alerts", params={"cursor": "made up"}),
        await client.post(POSTS, content=b"nonsense"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 422, 422, 422, 422, 400]
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
