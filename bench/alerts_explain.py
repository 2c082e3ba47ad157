"""Explanations and what-ifs as the API answers them, over a thousand routes and ten thousand open alerts."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from uuid import uuid4

import httpx

from alert_service.api import explain
from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.posts import received
from alert_service.incidents.settling import Settling
from alert_service.policy import AlertPolicy
from alert_service.routing.family import Due
from alert_service.routing.routing import Routes
from alert_service.storage.deliveries import Deliveries
from bench.figure import Benchmark, Figure, percentile
from bench.postgres import temporary_postgres
from common.clock import SystemClock
from common.database.connections import Database
from common.database.engine import Target
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token

EXPLAIN, WHAT_IF = "alerts.explain", "alerts.what_if"
IN_A_GROUP = 10
BATCH = 100  # groups that are stored at once, as the pipeline does


@dataclass(frozen=True, slots=True)
class Size:
    alerts: int
    routes: int
    asked: int


FULL = Size(alerts=10_000, routes=1_000, asked=300)
QUICK = Size(alerts=200, routes=100, asked=20)


def policy_of(routes: int) -> AlertPolicy:
    """Each team has a route with a pattern; the last takes whatever is left, so that all of them are asked."""
    teams = [
        {"name": f"team-{number}", "match": [f'team=~"team-{number}|owner-{number}"'], "channels": ["sre"]}
        for number in range(routes - 1)
    ]
    steps = [{"people": ["ana"], "channels": ["sre"]}]
    return AlertPolicy.model_validate(
        {
            "channels": {"sre": {"kind": "slack", "conversation": "#sre"}},
            "people": {"ana": {"identity": "ana@example.com"}},
            "escalations": {"up": {"steps": steps}},
            "routes": [*teams, {"name": "rest", "channels": ["sre"], "escalation": "up"}],
        }
    )


def labels_of(number: int) -> dict[str, str]:
    group, pod = divmod(number, IN_A_GROUP)
    return {
        "alertname": "KubePodNotReady",
        "cluster": "prod",
        "namespace": f"shop-{group}",
        "node": f"node-{number}",
        "pod": f"web-{pod}",
        "severity": "warning",
    }


async def _fill(database: Database, settling: Settling, policy: AlertPolicy, alerts: int) -> None:
    """As many open alerts, each group an incident, settled and stored as the pipeline does."""
    groups = range(alerts // IN_A_GROUP)
    for start in range(0, len(groups), BATCH):
        now = SystemClock().now()
        opened = [_opened(group, policy, now) for group in groups[start : start + BATCH]]
        async with database.begin() as connection:
            await settling.store(connection, opened, now)


def _opened(group: int, policy: AlertPolicy, now: datetime) -> Due:
    alerts = [
        Alert(fingerprint=fingerprint_of(labels), status=AlertStatus.FIRING, labels=labels, starts_at=now)
        for labels in (labels_of(group * IN_A_GROUP + number) for number in range(IN_A_GROUP))
    ]
    post = Post(source=Source.ALERTMANAGER, group_key=f"group-{group}", alerts=alerts)
    done = received(None, post, policy, now=now, new_id=uuid4())
    if done is None:
        raise RuntimeError("an alert that fires opened nothing")
    return Due(before=None, done=done)


@contextlib.asynccontextmanager
async def _client(size: Size) -> AsyncIterator[httpx.AsyncClient]:
    """The real routes over a real database; nothing else of the service runs."""
    policy = policy_of(size.routes)
    async with temporary_postgres() as url:
        target = Target.of(url, schema="alerts", service="bench")
        await upgrade(target, "alert_service:migrations")
        database = Database(target, DatabaseSettings())
        try:
            settling = Settling(Deliveries(database), lambda: policy)
            await _fill(database, settling, policy, size.alerts)
            async with _asking(database, policy, settling.routes) as http:
                yield http
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def _asking(database: Database, policy: AlertPolicy, routes: Routes) -> AsyncIterator[httpx.AsyncClient]:
    token, entry = new_token("bench", Scope.READ)
    app = create_app(
        "alert_service",
        "bench",
        routers=[explain.router],
        authenticator=StaticTokens.parse(entry),
        probes=(),
        metrics=ServiceMetrics("alert_service", "bench"),
        settings=WebSettings(),
    )
    stored = SimpleNamespace(database=database, silencing=None)
    app.state.services = SimpleNamespace(
        now=SystemClock().now,
        policy=lambda: policy,
        routes=lambda: routes,
        storage=SimpleNamespace(stored=stored, reason=""),
    )
    transport, headers = httpx.ASGITransport(app), {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers, timeout=None) as http:
        yield http


async def _timed(ask: Callable[[int], Awaitable[httpx.Response]], size: Size) -> list[float]:
    """Milliseconds, each of another alert. Raises RuntimeError for an answer that leaves routes out."""
    took = []
    step = max(size.alerts // size.asked, 1)
    for number in range(0, step * size.asked, step):
        started = time.perf_counter()
        answer = await ask(number)
        took.append((time.perf_counter() - started) * 1e3)
        if answer.raise_for_status().text.count('"route":') != size.routes:
            raise RuntimeError(f"the answer does not name {size.routes} routes: {answer.text[:500]}")
    return took


async def run(quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    async with _client(size) as http:
        explained = await _timed(
            lambda number: http.get(f"/api/v1/alerts/{fingerprint_of(labels_of(number))}/explain"), size
        )
        foreseen = await _timed(lambda number: http.post("/api/v1/explain", json={"labels": labels_of(number)}), size)
    return [
        _figure(EXPLAIN, "explanation of an alert", explained, size),
        _figure(WHAT_IF, "preview of an alert that might fire now", foreseen, size),
    ]


def _figure(id: str, what: str, took: list[float], size: Size) -> Figure:
    return Figure(
        id=id,
        what=what,
        unit="ms",
        target=50,
        better="lower",
        runs=took,
        value=percentile(took, 99),
        conditions=(
            f"p99 of {size.asked} different ones over {size.alerts:,} open alerts in {size.alerts // IN_A_GROUP:,} "
            f"incidents and {size.routes:,} routes, all of which are asked and named in the answer; in process, from "
            f"the question to the last byte of JSON, on a real PostgreSQL and without Alertmanager; "
            f"p50 {percentile(took, 50):.1f} ms"
        ),
    )


BENCHMARK = Benchmark(id=EXPLAIN, title="explanations of alerts", run=run, family=(WHAT_IF,))
