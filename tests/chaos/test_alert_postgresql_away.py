"""PostgreSQL stops while two Alertmanagers that do not know each other post the same to two replicas."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.alert_service import AlertService, alert_service
from tests.support.chat import a_chat, shown_text
from tests.support.monitoring import RunAlertmanager, posting_to
from tests.support.postgres import DURABLE
from tests.support.waiting import eventually

from common.database.embedded import EmbeddedPostgres
from common.database.embedded_server import Server
from devchat import Chat, Settings
from devcluster.monitoring import Alertmanager

pytestmark = pytest.mark.database

POLICY: dict[str, Any] = {
    "version": 1,
    "channels": {"sre": {"kind": "slack", "conversation": "#sre"}},
    "routes": [{"name": "all", "channels": ["sre"]}],
}


async def fires(name: str, *servers: Alertmanager) -> None:
    """As a Prometheus tells both."""
    labels = {"alertname": name, "namespace": "shop", "severity": "warning"}
    alert = [{"labels": labels, "startsAt": datetime.now(UTC).isoformat()}]
    async with httpx.AsyncClient() as client:
        for server in servers:
            (await client.post(f"{server.url}/api/v2/alerts", json=alert)).raise_for_status()


async def was_refused(server: Alertmanager) -> None:
    """It has posted, and was told to come again."""

    async def refused() -> bool:
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{server.url}/metrics")).text
        failed = re.findall(r'requests_failed_total\{[^}]*integration="webhook"[^}]*\} (\S+)', text)
        return any(float(each) > 0 for each in failed)

    await eventually(refused, within_seconds=120)


async def cards(chat: Chat, name: str) -> int:
    return sum(name in shown_text(each) for each in await chat.messages(channel="sre"))


async def incidents(service: AlertService, name: str) -> int:
    return sum(name in each["title"] for each in await service.incidents())


async def test_nothing_is_lost_and_nothing_is_told_twice(
    private_postgres: EmbeddedPostgres, postgres_folder: Path, run_alertmanager: RunAlertmanager
) -> None:
    server = Server.at(postgres_folder).with_programs()
    url = private_postgres.url
    async with (
        a_chat(Settings(channels=("sre",))) as chat,
        alert_service(url, POLICY, chat) as one,
        alert_service(url, POLICY, chat, leads=False) as other,
    ):
        pair = []
        for replica in (one, other):
            replica.may_complain = True
            config = posting_to(f"{replica.url}/api/v1/webhooks/alertmanager", replica.token)
            pair.append(await asyncio.to_thread(run_alertmanager, config))
        await fires("Before", *pair)
        await one.incident("Before")
        await chat.message(lambda message: "Before" in shown_text(message), channel="sre", within=120)

        await asyncio.to_thread(server.pg_ctl, "stop", "-m", "fast", "-w", "-s")
        await fires("Meanwhile", *pair)
        for each in pair:
            await was_refused(each)
        for replica in (one, other):
            assert (await replica.answer("/livez")).status_code == 200
        await asyncio.to_thread(server.start, DURABLE)
        await one.incident("Meanwhile")
        await chat.message(lambda message: "Meanwhile" in shown_text(message), channel="sre", within=120)
        for name in ("Before", "Meanwhile"):
            assert (await incidents(one, name), await cards(chat, name)) == (1, 1)
