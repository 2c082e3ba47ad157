"""Webhooks of health_monitor: what is signed is stored before it is acknowledged, everything else is refused."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.clock import NOON
from tests.support.healing_database import a_healing_url, healing_target
from tests.support.healing_events import an_event
from tests.support.healing_store import a_healing_client
from tests.support.postgres import Postgres

from auto_healing.api.intake import router
from auto_healing.storage.inbox import Inbox
from common.contracts import HealthEvent
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.web.signatures import new_secret, sign

pytestmark = pytest.mark.database

SECRET, OTHER = new_secret(), new_secret()
EVENT = an_event(1)
Headers = dict[str, str]


def receiving(database: Database, *secrets: str) -> tuple[httpx.AsyncClient, Any]:
    """The route, which asks for no token, and the services behind it."""
    client = a_healing_client(database, [router], scope=None)
    services = client._transport.app.state.services  # type: ignore[attr-defined]
    services.webhook_secrets = secrets or (SECRET,)
    services.storage.stored.inbox = Inbox(database)
    return client, services


def body_of(event: HealthEvent) -> bytes:
    return event.model_dump_json().encode()


async def send(
    client: httpx.AsyncClient, event: HealthEvent = EVENT, *, secret: str = SECRET, **changes: Any
) -> httpx.Response:
    body = changes.get("body", body_of(event))
    headers = sign(secret, changes.get("message_id", event.id), changes.get("at", NOON), body)
    headers |= {"content-type": "application/cloudevents+json"}
    return await client.post("/api/v1/events", content=changes.get("sent", body), headers=headers)


@pytest.fixture(scope="module")
def empty_url(postgres: Postgres) -> Iterator[str]:
    """For all tests in which nothing is stored."""
    with a_healing_url(postgres) as url:
        yield url


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    """Nothing waits in it, after the test as before."""
    database = Database(healing_target(empty_url), DatabaseSettings())
    yield database
    assert await Inbox(database).waiting(10) == []
    await database.close()


async def test_a_signed_event_is_stored_once_however_often_it_comes(healing_database: Database) -> None:
    client, _ = receiving(healing_database)
    async with client:
        for _ in range(3):
            answer = await send(client)
            assert (answer.status_code, answer.content) == (204, b"")

    assert await Inbox(healing_database).waiting(10) == [EVENT]


async def test_a_late_event_is_taken_too(healing_database: Database) -> None:
    client, _ = receiving(healing_database)
    later, late = an_event(2), an_event(1, id="late", name="web-0")
    async with client:
        assert (await send(client, later)).status_code == 204
        assert (await send(client, late)).status_code == 204

    assert await Inbox(healing_database).waiting(10) == [late, later]


async def test_both_secrets_hold_while_one_is_replaced(healing_database: Database) -> None:
    client, _ = receiving(healing_database, OTHER, SECRET)
    async with client:
        assert (await send(client)).status_code == 204
        assert (await send(client, an_event(2), secret=OTHER)).status_code == 204


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        pytest.param({"secret": OTHER}, 401, "no_signature_matches", id="signed by somebody else"),
        pytest.param({"sent": body_of(an_event(9))}, 401, "no_signature_matches", id="another body than was signed"),
        pytest.param({"at": NOON - timedelta(minutes=6)}, 401, "too_old", id="a recording of long ago"),
        pytest.param({"at": NOON + timedelta(minutes=6)}, 401, "too_new", id="from the future"),
        pytest.param({"message_id": "another"}, 422, "webhook-id", id="an id that is not the event's"),
        pytest.param({"body": b"{}"}, 422, "no health event", id="signed, but no event"),
        pytest.param({"body": b"\xff\x00"}, 422, "no health event", id="signed, but no text"),
    ],
)
async def test_what_is_wrong_is_refused_and_not_stored(
    empty: Database, changes: dict[str, Any], status: int, said: str
) -> None:
    client, _ = receiving(empty)
    async with client:
        answer = await send(client, **changes)

    assert answer.status_code == status
    assert said in answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "without",
    [
        pytest.param(lambda headers: {}, id="no signature at all"),
        pytest.param(lambda headers: headers | {"webhook-timestamp": "soon"}, id="a time that is none"),
        pytest.param(lambda headers: headers | {"webhook-signature": "v1,%%%"}, id="a signature that is none"),
    ],
)
async def test_headers_that_are_no_signature_are_refused(
    empty: Database, without: Callable[[Headers], Headers]
) -> None:
    client, _ = receiving(empty)
    body = body_of(EVENT)
    async with client:
        answer = await client.post("/api/v1/events", content=body, headers=without(sign(SECRET, EVENT.id, NOON, body)))

    assert answer.status_code == 401


async def test_a_type_of_a_later_version_is_acknowledged_and_left_alone(empty: Database) -> None:
    client, _ = receiving(empty)
    async with client:
        answer = await send(client, an_event(1, type="io.k8s-health-checker.health.weather.v1"))

    assert answer.status_code == 204


async def test_without_a_secret_nothing_is_believed(empty: Database) -> None:
    client, services = receiving(empty)
    services.webhook_secrets = ()
    async with client:
        answer = await send(client)

    assert answer.status_code == 401
    assert "AUTO_HEALING_MONITOR__WEBHOOK_SECRETS" in answer.json()["detail"]


async def test_before_the_database_is_open_the_sender_is_asked_to_come_again(empty: Database) -> None:
    client, services = receiving(empty)
    services.storage.stored, services.storage.reason = None, "the database is not open yet"
    async with client:
        answer = await send(client)

    assert (answer.status_code, answer.json()["detail"]) == (503, "the database is not open yet")
    assert answer.headers["retry-after"]


async def test_while_the_database_is_away_nothing_is_acknowledged() -> None:
    database = Database(healing_target("postgresql://u@127.0.0.1:1/x"), DatabaseSettings(connect_timeout_seconds=1))
    client, _ = receiving(database)
    async with client:
        answer = await send(client)
    await database.close()

    assert answer.status_code == 503
