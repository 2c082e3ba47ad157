"""Incidents compared with a real Alertmanager, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from aiohttp import web
from tests.support.alert_intake import POLICY, Intake, a_post, a_resolved_alert, an_alert
from tests.support.monitoring import RunAlertmanager
from tests.support.waiting import eventually

from alert_service.clients.alertmanager import Alertmanager
from alert_service.clients.asking import Unavailable
from alert_service.incidents.alert import Source
from alert_service.policy import AlertPolicy
from alert_service.reconciling.reconcile import GONE_AFTER
from alert_service.reconciling.reconciler import Reconciler
from alert_service.settings import AlertmanagerSettings
from common.database.connections import Database

pytestmark = pytest.mark.database


def config(url: str) -> dict[str, Any]:
    hook = {"url": url, "send_resolved": True}
    return {
        "route": {
            "receiver": "us",
            "group_by": ["alertname", "namespace"],
            "group_wait": "100ms",
            "group_interval": "100ms",
            "routes": [
                {"matchers": ['severity="critical"', 'team=~"shop|x.*"'], "receiver": "us", "group_by": ["..."]},
                {"match": {"tier": "web"}, "match_re": {"zone": "eu-.*"}, "receiver": "us"},
                {"matchers": ["team=quiet"], "receiver": "nobody"},
            ],
        },
        "receivers": [{"name": "us", "webhook_configs": [hook]}, {"name": "nobody"}],
    }


class Post:
    """Takes what Alertmanager posts, or refuses to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.Response()

    def keys(self) -> set[str]:
        return {msgspec.json.decode(body)["groupKey"] for body in self.bodies}


@asynccontextmanager
async def a_webhook(post: Post) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", post.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


async def fires(url: str, *alerts: dict[str, str], since: datetime) -> None:
    body = [{"labels": labels, "startsAt": since.isoformat()} for labels in alerts]
    async with httpx.AsyncClient() as client:
        (await client.post(f"{url}/api/v2/alerts", json=body)).raise_for_status()


ALERTS = (
    {"alertname": "Plain", "namespace": "shop"},
    {"alertname": "Deep", "severity": "critical", "team": "shop", "odd": 'say "x" \\ y'},
    {"alertname": "Old", "tier": "web", "zone": "eu-1", "namespace": "ä"},
)


class Comparing:
    """A replica and its Alertmanager."""

    def __init__(self, intake: Intake, url: str, receivers: frozenset[str] = frozenset({"us"})) -> None:
        self.intake = intake
        self.client = Alertmanager(url)
        self.reconciler = Reconciler(
            intake.database,
            intake.settling,
            self.client,
            intake.clock,
            settings=AlertmanagerSettings(url=url, receivers=receivers),
            policy=lambda: intake.policy,
            on_settled=intake.settled.extend,
        )

    async def incidents(self) -> dict[str, str]:
        """State by group key."""
        return dict(await self.intake.rows("SELECT group_key, state FROM incident"))


@pytest.fixture
async def intake(alert_database: Database) -> Intake:
    found = Intake(alert_database)
    found.clock.jump(datetime.now(UTC) - found.clock.now())
    return found


async def test_what_nobody_told_of_opens_under_the_key_by_which_it_is_told_later(
    intake: Intake, run_alertmanager: RunAlertmanager
) -> None:
    post = Post()
    async with a_webhook(post) as url:
        server = await asyncio.to_thread(run_alertmanager, config(url))
        others = {"alertname": "NotOurs", "team": "quiet"}
        await fires(server.url, *ALERTS, others, since=intake.clock.now() - timedelta(hours=1))

        async def told() -> bool:
            return len(post.keys()) == len(ALERTS)

        await eventually(told)
        comparing = Comparing(intake, server.url)
        assert await comparing.reconciler.look() == len(ALERTS)
        assert await comparing.incidents() == dict.fromkeys(post.keys(), "firing")
        assert await comparing.reconciler.look() == 0
        await intake.take(*post.bodies)  # what was late
        assert await comparing.incidents() == dict.fromkeys(post.keys(), "firing")
        assert (await intake.history()).count("opened") == len(ALERTS)
        await comparing.client.close()


async def test_a_heartbeat_is_no_incident(alert_database: Database, run_alertmanager: RunAlertmanager) -> None:
    beats = [{"name": "prometheus", "match": ['alertname="Watchdog"']}]
    intake = Intake(alert_database, policy={"heartbeats": beats})
    intake.clock.jump(datetime.now(UTC) - intake.clock.now())
    server = await asyncio.to_thread(run_alertmanager, config("http://127.0.0.1:9/"))
    comparing = Comparing(intake, server.url)
    since = intake.clock.now() - timedelta(hours=1)
    await fires(server.url, {"alertname": "Watchdog"}, {"alertname": "Plain"}, since=since)

    async def known() -> bool:
        return len(await comparing.client.groups()) == 2

    await eventually(known)
    assert await comparing.reconciler.look() == 1
    assert list(await comparing.incidents()) == ['{}:{alertname="Plain"}']
    await comparing.client.close()


async def test_what_it_does_not_know_any_more_is_closed_after_a_while_and_not_by_one_look(
    intake: Intake, run_alertmanager: RunAlertmanager
) -> None:
    post = Post()
    async with a_webhook(post) as url:
        server = await asyncio.to_thread(run_alertmanager, config(url))
        await fires(server.url, *ALERTS, since=intake.clock.now() - timedelta(hours=1))

        async def told() -> bool:
            return len(post.keys()) == len(ALERTS)

        await eventually(told)
        await intake.take(*post.bodies)
        comparing = Comparing(intake, server.url, frozenset())
        await asyncio.to_thread(server.stop)
        with pytest.raises(Unavailable):
            await comparing.reconciler.look()
        await asyncio.to_thread(server.up)  # it keeps silences, and forgets alerts
        assert await comparing.reconciler.look() == 0
        intake.clock.step(GONE_AFTER / 2)
        assert await comparing.reconciler.look() == 0
        intake.clock.step(GONE_AFTER / 2)
        await fires(server.url, ALERTS[0], since=intake.clock.now() - timedelta(hours=1))  # Prometheus tells it again

        async def known() -> bool:
            return len(await comparing.client.groups()) == 1

        await eventually(known)
        assert await comparing.reconciler.look() == len(ALERTS) - 1
        assert sorted((await comparing.incidents()).values()) == ["firing", "resolved", "resolved"]
        assert (await intake.history()).count("reconciled") == len(ALERTS) - 1
        await comparing.client.close()


async def test_what_a_post_that_was_cut_short_left_open_is_closed_once_alertmanager_knows_nothing_of_it(
    intake: Intake, run_alertmanager: RunAlertmanager
) -> None:
    server = await asyncio.to_thread(run_alertmanager, config("http://127.0.0.1:9/"))
    key = '{}:{alertname="KubePodCrashLooping"}'
    await intake.take(a_post(an_alert(), group=key, receiver="us"))
    over = a_resolved_alert(at=intake.clock.now())
    await intake.take(a_post(over, group=key, receiver="us", truncatedAlerts=1))
    assert await intake.states() == ["firing"]
    comparing = Comparing(intake, server.url)
    assert await comparing.reconciler.look() == 0
    intake.clock.step(GONE_AFTER)
    assert await comparing.reconciler.look() == 1
    assert await intake.states() == ["resolved"]
    assert await comparing.reconciler.look() == 0
    await comparing.client.close()


async def test_an_alertmanager_that_does_not_even_hear_the_heartbeat_ends_nothing(
    intake: Intake, run_alertmanager: RunAlertmanager
) -> None:
    beat = {"name": "prod", "match": ["alertname=Watchdog"], "every": "5m"}
    intake.policy = AlertPolicy.model_validate(POLICY | {"heartbeats": [beat]})
    server = await asyncio.to_thread(run_alertmanager, config("http://127.0.0.1:9/"))
    await intake.take(a_post(an_alert(), receiver="us"))
    comparing = Comparing(intake, server.url)
    for _ in range(3):
        assert await comparing.reconciler.look() == 0
        intake.clock.step(GONE_AFTER)
    await fires(server.url, {"alertname": "Watchdog"}, since=datetime.now(UTC))

    async def heard() -> bool:
        return len(await comparing.client.groups()) == 1

    await eventually(heard)
    assert await comparing.reconciler.look() == 0
    intake.clock.step(GONE_AFTER)
    assert await comparing.reconciler.look() == 1
    assert await intake.states() == ["resolved"]
    await comparing.client.close()


async def test_whose_alerts_are_not_from_alertmanager_are_none_of_its_business(
    intake: Intake, run_alertmanager: RunAlertmanager
) -> None:
    server = await asyncio.to_thread(run_alertmanager, config("http://127.0.0.1:9/"))
    await intake.alarms.raise_alarm({"alertname": "Own"}, {})
    await intake.work()
    comparing = Comparing(intake, server.url, frozenset())
    for _ in range(2):
        assert await comparing.reconciler.look() == 0
        intake.clock.step(GONE_AFTER)
    assert await intake.states() == ["firing"]
    assert Source.SELF in {each.incident.source for batch in intake.batches for each in batch.settled}
    await comparing.client.close()
