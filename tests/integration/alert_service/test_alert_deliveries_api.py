"""Messages over HTTP: listed, looked at, counted by channel, and sent again."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.support.alert_sending import SIMPLE, Obedient, Sending, error
from tests.support.web import OPERATE_TOKEN, READ_TOKEN, TOKENS, client_of

from alert_service.api import deliveries
from alert_service.channels.channel import DeliveryReason
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

pytestmark = pytest.mark.database

POLICY = {"channels": {"sre": {"kind": "slack", "conversation": "#sre"}, "ops": {"kind": "teams", "secret": "ops"}}}


class Delivered:
    """The API over what two channels took."""

    def __init__(self, database: Database, client: httpx.AsyncClient, sending: Sending) -> None:
        self.client, self.sending = client, sending
        self.database = database

    async def get(self, path: str = "", status: int = 200, **query: Any) -> Any:
        answer = await self.client.get(f"/api/v1/deliveries{path}", params=query, headers=bearer(READ_TOKEN))
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, status: int = 200, token: str = OPERATE_TOKEN) -> Any:
        answer = await self.client.post(f"/api/v1/deliveries{path}", json=body, headers=bearer(token))
        assert answer.status_code == status, answer.text
        return answer.json()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def delivered(alert_database: Database) -> AsyncIterator[Delivered]:
    sre, ops = Obedient("sre"), Obedient("ops", SIMPLE)
    sending = Sending(alert_database, sre, ops, policy=POLICY)
    app = create_app(
        "alert_service",
        "1",
        routers=[deliveries.router],
        authenticator=TOKENS,
        probes=[],
        metrics=ServiceMetrics("alert_service", "1"),
        settings=WebSettings(),
    )
    stored = SimpleNamespace(delivery_reports=sending.reports)
    app.state.services = SimpleNamespace(now=sending.clock.now, storage=SimpleNamespace(stored=stored))
    sre.failures = [error(DeliveryReason.REFUSED, retryable=False)] * 2
    await sending.want("plain", "opened", text="refused")
    await sending.send()
    await sending.want("plain", "opened", text="posted")
    await sending.want("plain", "opened", text="accepted", channel="ops")
    await sending.send()
    async with client_of(app) as client:
        yield Delivered(alert_database, client, sending)


async def test_messages_are_listed_page_by_page_and_by_what_became_of_them(delivered: Delivered) -> None:
    first = await delivered.get(limit=2)
    assert [each["state"] for each in first["items"]] == ["accepted", "posted"]
    second = await delivered.get(limit=2, cursor=first["next_cursor"])
    [dead] = second["items"]
    assert (dead["state"], dead["error_reason"], dead["error"]) == ("dead", "refused", "it says refused")
    assert (await delivered.get(state="dead", channel="sre"))["items"] == [dead]
    assert (await delivered.get(incident=str(uuid4())))["items"] == []
    posted = first["items"][1]
    assert posted["latency_seconds"] == 1.0
    assert await delivered.get(f"/{posted['id']}") == posted
    await delivered.get(f"/{uuid4()}", status=404)


async def test_the_report_says_what_each_channel_confirmed(delivered: Delivered) -> None:
    delivered.sending.clock.step(1)
    report = await delivered.get("/report")
    ops, sre = report["channels"]
    assert {name: ops[name] for name in ("channel", "queued", "confirmed", "accepted", "dead", "seconds_p50")} == {
        "channel": "ops",
        "queued": 1,
        "confirmed": 0,
        "accepted": 1,
        "dead": 0,
        "seconds_p50": 1.0,
    }
    assert (sre["queued"], sre["confirmed"], sre["dead"], sre["last_error"]) == (2, 1, 1, "it says refused")
    assert (await delivered.get("/report", until="2020-01-01T00:00:00Z"))["channels"] == []
    await delivered.get("/report", status=422, since="2027-01-01T00:00:00Z")


async def test_what_was_given_up_is_sent_again_by_whoever_may(delivered: Delivered) -> None:
    [dead] = (await delivered.get(state="dead"))["items"]
    await delivered.post(f"/{dead['id']}/redeliver", status=403, token=READ_TOKEN)
    assert await delivered.post(f"/{dead['id']}/redeliver") == {"queued": 1}
    await delivered.post(f"/{dead['id']}/redeliver", status=409)
    await delivered.post(f"/{uuid4()}/redeliver", status=404)
    await delivered.sending.send()
    assert (await delivered.get(f"/{dead['id']}"))["state"] == "posted"
    assert await delivered.post("/redeliver", {"channel": "sre"}) == {"queued": 0}
