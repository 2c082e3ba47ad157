"""How soon Slack has its answer to a press of a button, while 10,000 alerts come in within a minute. Every press is
stored before it is answered; afterwards all of them have to have taken effect."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
from demo.service import Service

from alert_service.incidents.values import ButtonValue
from bench.alert_posts import Answered, Load, posted
from bench.alerting import alerting, conversations
from bench.figure import Benchmark, Figure, percentile, split
from bench.postgres import temporary_postgres
from devchat import Chat, process
from devchat.settings import Settings

ID = "alerts.click"
ALERTS_IN_A_POST, CONNECTIONS = 20, 32
PRESSED_INCIDENTS = 50
PER_SECOND = 5.0
SETTLED_SECONDS = 120.0
_STORM_FIRST = 1_000_000  # numbers of its posts: other groups than those that are pressed


async def run(quick: bool) -> list[Figure]:
    seconds = 10 if quick else 60
    posts = 10_000 // ALERTS_IN_A_POST * seconds // 60
    async with (
        temporary_postgres() as database,
        process(Settings(channels=("sre",))) as chat,
        alerting(database, chat, _policy()) as service,
    ):
        incidents = await _opened(service)
        storm = Load(
            posts=posts,
            alerts=ALERTS_IN_A_POST,
            connections=CONNECTIONS,
            first=_STORM_FIRST,
            per_second=posts / seconds,
        )
        stormed = asyncio.create_task(posted(service.url, service.token, storm))
        answered = await _pressed(service.url, chat, incidents, stormed)
        _check(await stormed, storm)
        await _took_effect(service, incidents)
    return [_figure(answered, posts * ALERTS_IN_A_POST, seconds)]


def _policy() -> dict[str, Any]:
    return {
        "version": 1,
        "channels": conversations("sre"),
        "routes": [{"name": "all", "channels": ["sre"]}],
        "people": {"ana": {"identity": "ana@example.com", "slack": "U0ANA"}},
    }


async def _opened(service: Service) -> list[UUID]:
    """Incidents whose buttons are pressed, open before the storm begins."""
    await posted(service.url, service.token, Load(posts=PRESSED_INCIDENTS, alerts=1, connections=4))
    page = await service.until(
        f"/api/v1/incidents?limit={PRESSED_INCIDENTS}", lambda body: len(body["items"]) == PRESSED_INCIDENTS
    )
    return [UUID(each["id"]) for each in page["items"]]


async def _pressed(url: str, chat: Chat, incidents: Sequence[UUID], stormed: "asyncio.Task[Answered]") -> list[float]:
    """Seconds to the answer of each press, at random times until the storm is over. The last press of every incident
    acknowledges it."""
    luck, seconds = Random(1), []
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        number = 0
        while not stormed.done():
            await asyncio.sleep(luck.expovariate(PER_SECOND))
            verb = "acknowledge" if number // len(incidents) % 2 == 0 else "unacknowledge"
            seconds.append(await _press(http, chat, verb, incidents[number % len(incidents)], number))
            number += 1
        for each in incidents:
            number += 1
            await _press(http, chat, "acknowledge", each, number)
    return seconds


async def _press(http: httpx.AsyncClient, chat: Chat, verb: str, incident: UUID, number: int) -> float:
    body = _body(verb, incident, number)
    headers = _signed(body, chat.settings.signing_secret)
    begun = time.monotonic()
    answer = await http.post("/api/v1/slack/interactivity", content=body, headers=headers)
    lasted = time.monotonic() - begun
    answer.raise_for_status()
    return lasted


def _body(verb: str, incident: UUID, number: int) -> bytes:
    """As Slack posts it, of a card that is newer than any alert."""
    value = ButtonValue(incident_id=incident, revision=999_999)
    payload = {
        "type": "block_actions",
        "user": {"id": "U0ANA", "username": "ana", "name": "ana", "team_id": "T0"},
        "api_app_id": "A0",
        "token": "deprecated",
        "container": {"type": "message", "message_ts": "1700000000.000100", "channel_id": "C0", "is_ephemeral": False},
        "trigger_id": f"{number}.1",
        "team": {"id": "T0", "domain": "bench"},
        "channel": {"id": "C0", "name": "sre"},
        "response_url": "",
        "actions": [
            {
                "type": "button",
                "action_id": verb,
                "block_id": "b",
                "value": str(value),
                "action_ts": "1",
            }
        ],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def _signed(body: bytes, secret: str) -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": f"v0={digest}",
    }


def _check(answered: Answered, storm: Load) -> None:
    if len(answered.numbers) != storm.posts:
        raise RuntimeError(f"only {len(answered.numbers)} of {storm.posts} posts of the storm were stored")


async def _took_effect(service: Service, incidents: Sequence[UUID]) -> None:
    """Every incident is acknowledged at the end, as its last press wants it."""
    async with asyncio.timeout(SETTLED_SECONDS):
        for each in incidents:
            await service.until(f"/api/v1/incidents/{each}", lambda body: body["incident"]["state"] == "acknowledged")


def _figure(seconds: list[float], alerts: int, storm_seconds: int) -> Figure:
    return Figure(
        id=ID,
        what="from Slack's request to its answer, 99 in 100 within",
        unit="ms",
        target=300,
        better="lower",
        runs=[percentile(each, 99) * 1000 for each in split(seconds, 5)],
        value=percentile(seconds, 99) * 1000,
        conditions=(
            f"{len(seconds)} presses, {PER_SECOND:g} a second at random times, while {alerts} alerts come in within "
            f"{storm_seconds} s, {ALERTS_IN_A_POST} in a post; PostgreSQL with fsync; every press was stored before it "
            "was answered, and all of them took effect"
        ),
    )


BENCHMARK = Benchmark(id=ID, title="a press during a storm", run=run)
