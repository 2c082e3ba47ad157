"""Subscriptions over the API: made, seen, tried, delivered again, ended."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support.health_api import Api, an_api
from tests.support.health_database import an_event, claim, scalar
from tests.support.receiver import a_receiver
from tests.support.rows import a_snapshot

from common.clock import SystemClock
from common.database.connections import Database
from common.web.auth import Scope

pytestmark = pytest.mark.database

ROOT = "/api/v1/subscriptions"


async def ask(api: Api, method: str, path: str = "", *, status: int = 200, **request: Any) -> Any:
    async with api.client(Scope.ADMIN) as client:
        answer = await client.request(method, f"{ROOT}{path}", **request)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def subscribe(api: Api, **wanted: Any) -> Any:
    return await ask(api, "POST", status=201, json={"url": "https://receiver.example/hook"} | wanted)


async def test_the_secret_is_shown_once(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    created = await subscribe(api, description="pager", filter={"codes": ["pod-evicted"], "min_severity": "warning"})
    own = created["subscription"]

    assert created["secret"].startswith("whsec_")
    assert own["filter"] == {"codes": ["pod-evicted"], "min_severity": "warning", "kinds": [], "namespaces": []}
    listed = await ask(api, "GET")
    assert listed["items"] == [own] == [await ask(api, "GET", f"/{own['id']}")]
    assert created["secret"] not in str(listed)
    rotated = await ask(api, "POST", f"/{own['id']}/rotate")
    assert rotated["secret"] != created["secret"]


async def test_an_ended_subscription_is_gone(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    own = (await subscribe(api))["subscription"]

    await ask(api, "DELETE", f"/{own['id']}", status=204)
    await ask(api, "DELETE", f"/{own['id']}", status=404)
    assert (await ask(api, "GET"))["items"] == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({"url": "ftp://x/y"}, "/url", id="an address that no webhook may go to"),
        pytest.param({"url": "http://169.254.169.254/"}, "/url", id="the metadata service of a cloud"),
        pytest.param({"url": "https://x/", "filter": {"codes": ["nope"]}}, "/filter/codes/0", id="no such check"),
        pytest.param({"url": "https://x/", "filter": {"kinds": ["pod"]}}, "/filter/kinds/0", id="no such kind"),
        pytest.param({"url": "https://x/", "filters": {}}, "/filters", id="a field there is not"),
    ],
)
async def test_mistakes_are_named_with_their_place(database: Database, body: dict[str, Any], place: str) -> None:
    problem = await ask(an_api(a_snapshot(), database), "POST", status=422, json=body)

    assert problem["errors"][0]["path"] == place


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/enable"),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
    ],
)
async def test_what_does_not_exist_is_not_found(database: Database, method: str, path: str) -> None:
    await ask(an_api(a_snapshot(), database), method, f"/{uuid4()}{path}", status=404)


async def test_a_test_calls_the_webhook_at_once_and_tells_its_answer(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    async with a_receiver(SystemClock().now) as receiver:
        created = await subscribe(api, url=receiver.url)
        receiver.secrets.append(created["secret"])
        result = await ask(api, "POST", f"/{created['subscription']['id']}/test")

    assert (result["verdict"], result["status"], result["error"]) == ("delivered", 204, None)
    assert receiver.complaints == []


async def test_a_test_of_a_receiver_that_is_away_says_so(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    own = (await subscribe(api, url="http://127.0.0.1:1/hooks"))["subscription"]
    result = await ask(api, "POST", f"/{own['id']}/test")

    assert (result["verdict"], result["status"]) == ("unavailable", None)
    assert result["error"]


async def test_deliveries_are_listed_newest_first_and_sent_again(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    path = f"/{(await subscribe(api))['subscription']['id']}"
    await api.store(await claim(database), [an_event(name) for name in ("a", "b", "c")])

    first = await ask(api, "GET", f"{path}/deliveries", params={"limit": 2})
    rest = await ask(api, "GET", f"{path}/deliveries", params={"cursor": first["next_cursor"]})
    assert [each["cursor"] for each in first["items"] + rest["items"]] == [3, 2, 1]
    assert {each["state"] for each in first["items"]} == {"queued"}
    assert (await ask(api, "GET", f"{path}/deliveries", params={"state": "dead"}))["items"] == []
    assert await ask(api, "POST", f"{path}/redeliver", json={"cursor": 2}) == {"queued": 1}
    assert await ask(api, "POST", f"{path}/redeliver", json={"cursor": 99}) == {"queued": 0}
    since = {"dead_since": "2026-01-01T00:00:00Z"}
    assert await ask(api, "POST", f"{path}/redeliver", json=since) == {"queued": 0}
    await ask(api, "POST", f"{path}/redeliver", json={"cursor": 1} | since, status=422)
    await ask(api, "POST", f"{path}/redeliver", json={}, status=422)


async def test_a_disabled_subscription_is_enabled_again(database: Database) -> None:
    api = an_api(a_snapshot(), database)
    own = (await subscribe(api))["subscription"]
    await scalar(database, "UPDATE subscription SET disabled_reason = 'answered 410' RETURNING 1")

    assert (await ask(api, "GET", f"/{own['id']}"))["state"] == "disabled"
    assert (await ask(api, "POST", f"/{own['id']}/enable"))["state"] == "active"
