"""Asking Alertmanager which alerts fire, over HTTP; whatever it answers, old news is no news."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web
from tests.support.clock import SteppedClock

from auto_healing.alerts import Alerts

ALERT: dict[str, Any] = {
    "labels": {"alertname": "TargetDown", "severity": "critical", "namespace": "shop"},
    "annotations": {"summary": "it is down"},
    "startsAt": "2026-03-01T11:58:00.123Z",
    "endsAt": "2026-03-01T12:04:00.123Z",
    "updatedAt": "2026-03-01T12:00:00.123Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "a1b2c3",
    "receivers": [{"name": "web"}],
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
}


def saying(body: Any) -> dict[str, Any]:
    return {"text": json.dumps(body), "content_type": "application/json"}


class Alertmanager:
    """Answers what the test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = saying([ALERT])
        self.asked: list[Mapping[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.Response(**self.says)


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[Alerts, Alertmanager, SteppedClock]]:
    server, clock = Alertmanager(), SteppedClock()
    app = web.Application()
    app.router.add_get("/api/v2/alerts", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    alerts = Alerts(f"http://{host}:{port}", clock)
    try:
        yield alerts, server, clock
    finally:
        await alerts.close()
        await runner.cleanup()


async def test_what_fires_is_told_with_its_labels_and_beginning() -> None:
    async with asking() as (alerts, server, _):
        assert alerts.firing() is None, "nothing is known before the first answer"
        assert "has not been asked yet" in (await alerts.trouble() or "")
        await alerts.ask()

        (firing,) = alerts.firing() or ()
        assert (firing.name, firing.labels["namespace"]) == ("TargetDown", "shop")
        assert firing.since == datetime(2026, 3, 1, 11, 58, 0, 123000, tzinfo=UTC)
        assert await alerts.trouble() is None
        assert server.asked == [{"active": "true", "silenced": "false", "inhibited": "false"}]


async def test_no_alert_is_not_the_same_as_no_answer() -> None:
    async with asking() as (alerts, server, _):
        server.says = saying([])
        await alerts.ask()

        assert alerts.firing() == ()


async def test_what_was_told_holds_for_45_seconds() -> None:
    async with asking() as (alerts, server, clock):
        await alerts.ask()
        server.says = {"status": 503}
        clock.step(45)
        await alerts.ask()
        assert alerts.firing()
        clock.step(1)
        assert alerts.firing() is None


@pytest.mark.parametrize(
    "says",
    [
        pytest.param({"status": 500}, id="an error"),
        pytest.param({"status": 302, "headers": {"Location": "/login"}}, id="a way to a login"),
        pytest.param({"text": "<html>welcome</html>"}, id="a page for people"),
        pytest.param(saying({"status": "success"}), id="another API"),
        pytest.param(saying([{"labels": {"alertname": "A"}}]), id="an alert without a beginning"),
    ],
)
async def test_nonsense_is_told_and_takes_nothing_away(says: dict[str, Any]) -> None:
    async with asking() as (alerts, server, _):
        await alerts.ask()
        server.says = says
        await alerts.ask()

        assert len(alerts.firing() or ()) == 1
        assert "does not tell which alerts fire: " in (await alerts.trouble() or "")


async def test_an_alertmanager_that_is_away_is_told_once_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async with asking() as (alerts, server, _):
        server.says = {"status": 503}
        with caplog.at_level(logging.WARNING, logger="auto_healing.alerts"):
            await alerts.ask()
            await alerts.ask()
        assert len(caplog.records) == 1
        assert alerts.firing() is None

        server.says = saying([ALERT])
        await alerts.ask()
        assert len(alerts.firing() or ()) == 1
        assert await alerts.trouble() is None


async def test_nobody_listening_is_told() -> None:
    alerts = Alerts("http://127.0.0.1:1", SteppedClock())
    await alerts.ask()

    assert alerts.firing() is None
    assert await alerts.trouble() not in {None, ""}
    await alerts.close()


async def test_an_answer_that_never_comes_is_told_by_its_name() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")  # as the library does

    alerts = Alerts("http://alertmanager", SteppedClock(), transport=httpx.MockTransport(never))
    await alerts.ask()

    assert alerts.firing() is None
    assert (await alerts.trouble() or "").endswith("ReadTimeout")
    await alerts.close()
