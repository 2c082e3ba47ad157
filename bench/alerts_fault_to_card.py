"""How soon a fault is a card: by health events, and by a real Prometheus and Alertmanager beside them, in one run.

Pods of namespaces of their own crash one after the other. alert_service reads health_monitor's events; Prometheus
scrapes health_monitor, evaluates a rule about its scores, and tells Alertmanager, which posts to the same
alert_service. Slack's stand-in says when it took the card that names the fault.
"""

import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
from demo.service import Service

from bench.alerting import alerting, conversations
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure, percentile, split
from bench.harm import Harm, breaking, harms, prepared
from bench.postgres import temporary_postgres
from bench.prometheus import is_cached
from bench.watched import watched
from devchat import Chat, Exchange, process
from devchat.settings import Settings
from devcluster import DevCluster
from devcluster.api import tls
from devcluster.monitoring import Alertmanager, Prometheus

P99, SOONER = "alerts.fault_to_card.p99", "alerts.fault_to_card.ratio"
SPREAD = 10  # channels of either way, since Slack takes a message a second of each
OURS = tuple(f"events-{number}" for number in range(SPREAD))
THEIRS = tuple(f"prometheus-{number}" for number in range(SPREAD))
CARDS_SECONDS = 180.0
# As they come, but for `for`, which would only be later: https://prometheus.io/docs/prometheus/latest/configuration
FULL_SECONDS, GROUP_WAIT_SECONDS = 15, 30
QUICK_SECONDS, QUICK_WAIT_SECONDS = 2, 2
RULE = "WorkloadUnwell"


async def run(quick: bool) -> list[Figure]:
    if quick and not is_cached():
        print(f"bench: {P99}: left out of the small round, since Prometheus is not cached yet", file=sys.stderr)
        return []
    nodes, pods, count = (50, 500, 2) if quick else (1_000, 10_000, 30)
    interval, wait = (QUICK_SECONDS, QUICK_WAIT_SECONDS) if quick else (FULL_SECONDS, GROUP_WAIT_SECONDS)
    async with (
        filled_cluster(nodes=nodes, pods=pods) as cluster,
        temporary_postgres() as database,
        process(Settings(channels=(*OURS, *THEIRS))) as chat,
        _both_ways(cluster, database, chat, interval=interval, wait=wait),
    ):
        broken = await _broken(cluster, count)
        cards = await _cards(chat, broken)
    return _figures(broken, cards, f"{nodes:,} nodes, {pods:,} pods", interval=interval, wait=wait)


@contextlib.asynccontextmanager
async def _both_ways(
    cluster: DevCluster, database: str, chat: Chat, *, interval: int, wait: int
) -> AsyncIterator[None]:
    """health_monitor, alert_service, Prometheus and Alertmanager, once everything is ready."""
    opened = {"HEALTH_MONITOR_DATABASE__URL": database, "HEALTH_MONITOR_WEB__METRICS_OPEN": "true"}
    async with watched(cluster, opened) as monitor, _telling(database, chat, monitor) as alerts:
        with contextlib.ExitStack() as stack:
            alertmanager = Alertmanager(_posting(alerts, wait))
            await asyncio.to_thread(stack.enter_context, alertmanager)
            config = _scraping(monitor, alertmanager, interval)
            await asyncio.to_thread(stack.enter_context, Prometheus(config, files={"rules.yaml": _rules()}))
            yield


@contextlib.asynccontextmanager
async def _telling(database: str, chat: Chat, monitor: Service) -> AsyncIterator[Service]:
    settings = {"ALERT_SERVICE_HEALTH__URL": monitor.url, "ALERT_SERVICE_HEALTH__TOKEN": monitor.token}
    async with alerting(database, chat, _policy(), settings) as service:
        await service.until("/readyz", _reads_events)
        yield service


def _reads_events(body: Any) -> bool:
    return any(each["name"] == "health_monitor" and each["state"] == "ready" for each in body["dependencies"])


def _policy() -> dict[str, Any]:
    """Nothing is put together: each fault has a card of its own on either way."""
    routes = [
        {
            "name": names[number],
            "match": [f'alertname{operator}"{RULE}"', f'namespace=~".*{number}"'],
            "channels": [names[number]],
        }
        for names, operator in ((THEIRS, "="), (OURS, "!="))
        for number in range(SPREAD)
    ]
    return {
        "version": 1,
        "channels": conversations(*OURS, *THEIRS),
        "routes": routes,
        "correlation": {"by": []},
        "storm": {"incidents": 1000},
    }


def _posting(alerts: Service, wait: int) -> dict[str, Any]:
    hook = {
        "url": f"{alerts.url}/api/v1/webhooks/alertmanager",
        "http_config": {"authorization": {"credentials": alerts.token}},
    }
    route = {"receiver": "alert-service", "group_by": ["alertname", "namespace"], "group_wait": f"{wait}s"}
    return {"route": route, "receivers": [{"name": "alert-service", "webhook_configs": [hook]}]}


def _scraping(monitor: Service, alertmanager: Alertmanager, interval: int) -> dict[str, Any]:
    pace = f"{interval}s"
    return {
        "global": {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace},
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]},
        "scrape_configs": [
            {"job_name": "health-monitor", "static_configs": [{"targets": [monitor.url.removeprefix("http://")]}]}
        ],
    }


def _rules() -> str:
    rule = {
        "alert": RULE,
        "expr": "health_monitor_workload_score < 95",
        "labels": {"severity": "warning"},
        "annotations": {"summary": "unwell in {{ $labels.namespace }}."},
    }
    return json.dumps({"groups": [{"name": "bench", "rules": [rule]}]})


async def _broken(cluster: DevCluster, count: int) -> dict[str, tuple[Harm, float]]:
    """By namespace, what was broken in it, and when the API server had answered."""
    server, context = tls(cluster.kubeconfig)
    luck, broken = Random(1), {}
    async with aiohttp.ClientSession(server, connector=aiohttp.TCPConnector(ssl=context)) as http:
        await prepared(http)
        for harm in await _apart(http, count):
            await asyncio.sleep(luck.uniform(1, 2))
            broken[_namespace(harm)] = (harm, await breaking(http, harm))
    return broken


async def _apart(http: aiohttp.ClientSession, count: int) -> list[Harm]:
    """One pod of each namespace. Raises RuntimeError when there are too few namespaces."""
    found: dict[str, Harm] = {}
    for wanted in (900, 300, 100, 30, 10):  # as many as there are, no two on one node
        with contextlib.suppress(RuntimeError):
            for harm in await harms(http, crash_loops=wanted, dark_nodes=0):
                found.setdefault(_namespace(harm), harm)
            break
    if len(found) < count:
        raise RuntimeError(f"{len(found)} namespaces are not enough for {count} faults")
    return list(found.values())[:count]


def _namespace(harm: Harm) -> str:
    return harm.subject.split("/")[1]


async def _cards(chat: Chat, broken: dict[str, tuple[Harm, float]]) -> dict[str, tuple[float, float]]:
    """When the card of either way was taken, by namespace. Raises TimeoutError."""
    found: dict[str, tuple[float, float]] = {}
    async with asyncio.timeout(CARDS_SECONDS):
        while len(found) < len(broken):
            taken = [each for each in await chat.exchanges("slack.chat.postMessage") if '"ok": true' in each.answer]
            for namespace, (harm, _) in broken.items():
                ours = _first(taken, harm.subject.rpartition("/")[2], "events")
                theirs = _first(taken, f"unwell in {namespace}.", "prometheus")
                if ours is not None and theirs is not None:
                    found[namespace] = (ours, theirs)
            await asyncio.sleep(0.5)
    return found


def _first(taken: list[Exchange], words: str, way: str) -> float | None:
    return next((each.at for each in taken if words in each.body and f"{way}-" in each.channel), None)


def _figures(
    broken: dict[str, tuple[Harm, float]],
    cards: dict[str, tuple[float, float]],
    size: str,
    *,
    interval: int,
    wait: int,
) -> list[Figure]:
    ours = [cards[namespace][0] - at for namespace, (_, at) in broken.items()]
    theirs = [cards[namespace][1] - at for namespace, (_, at) in broken.items()]
    medians = statistics.median(ours), statistics.median(theirs)
    conditions = (
        f"{size}, {len(ours)} crash loops, one after the other in namespaces of their own; from the API server's "
        f"answer to the card taken by Slack's stand-in; health_monitor and alert_service as processes over one "
        f"PostgreSQL with fsync, events read by cursor; medians {medians[0]:.2f} s, and {medians[1]:.1f} s by "
        f"Prometheus ({interval} s scrape and evaluation, no `for`) and Alertmanager (group_wait {wait} s)"
    )
    return [
        Figure(
            id=P99,
            what="from the fault in the cluster to the card, 99 in 100 within",
            unit="ms",
            target=3000,
            better="lower",
            runs=[percentile(each, 99) * 1000 for each in split(ours, min(5, len(ours)))],
            value=percentile(ours, 99) * 1000,
            conditions=conditions,
        ),
        Figure(
            id=SOONER,
            what="how much sooner than by Prometheus and Alertmanager in the same run",
            unit="times",
            target=10,
            better="higher",
            runs=[later / sooner for sooner, later in zip(ours, theirs, strict=True)],
            value=medians[1] / medians[0],
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(
    id="alerts.fault_to_card",
    title="from a fault in the cluster to the card",
    run=run,
    family=(P99, SOONER),
)
