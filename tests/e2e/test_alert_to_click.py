"""The whole way: a fault in a real cluster, a real Prometheus and Alertmanager, cards on strict stand-ins of Slack and
Teams, and clicks that come back and take effect, in healing too."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.support.alert_rules import in_a_hurry
from tests.support.alert_service import AlertService, alert_service
from tests.support.chat import buttons, complaints, shown_text
from tests.support.healing_service import HealingService, healing_pair
from tests.support.monitoring import RunAlertmanager, RunPrometheus, posting_to, scraping
from tests.support.promql import Selector, ask, shipped
from tests.support.service import WITHIN_SECONDS, Service, free_port

from devchat import Chat, Message, process
from devchat import Settings as ChatSettings
from devcluster import DevCluster, Settings, testing
from devcluster.api import collection, wait_for
from devcluster.monitoring import Prometheus
from devcluster.workloads import Workload, workload_objects

pytestmark = [pytest.mark.cluster, pytest.mark.database]

OWN = ("health_monitor_", "auto_healing_", "alert_service_")
ALERT_TOKEN, HEALING_TOKEN, DELEGATE_TOKEN = "a" * 32, "b" * 32, "c" * 32

# A pod that crashes is replaced, once a person has said yes.
HEALING_POLICY = """
version: 1
mode: approve
scope: {opt_in: false}
rules:
  - name: crash-loop
    match: {codes: [pod-crash-loop], levels: [pod], min_age: 1s}
    ladder: [evict-pod, call-a-human]
guards:
  grace: {default: 1s, restarts: 1, codes: {pod-crash-loop: 1s}}
  cooldown: {target: 1s, owner: 1s}
"""

UNHEALTHY = {
    "groups": [
        {
            "name": "test",
            "rules": [
                {
                    "alert": "PodUnhealthy",
                    "expr": "health_monitor_pod_score < 60",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "A pod is unhealthy"},
                }
            ],
        }
    ]
}

POLICY = {
    "version": 1,
    "channels": {
        "sre": {"kind": "slack", "conversation": "#sre"},
        "sre-teams": {"kind": "teams", "secret": "teams-sre", "confirm_within": "0s"},
    },
    "routes": [{"name": "shop", "match": ['namespace="shop"'], "channels": ["sre", "sre-teams"]}],
    "people": {
        "ana": {
            "identity": "ana@example.com",
            "shown": "Ana",
            "slack": "U0ANA",
            "rights": ["acknowledge", "silence", "escalate", "approve", "deny"],
        },
        "ben": {"identity": "ben@example.com", "shown": "Ben", "slack": "U0BEN"},
    },
    "gather": "1s",
    "healing": {"quiet": False},
    "correlation": {"by": []},  # each incident has its card
}


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs."""

    cluster: DevCluster
    monitor: Service
    healer: HealingService
    alerts: AlertService
    chat: Chat

    async def card(self, *says: str, channel: str = "sre", vendor: str = "slack") -> Message:
        """The newest card that shows all these words, waited for."""
        return await self.chat.message(
            lambda each: all(word in shown_text(each) for word in says) and bool(buttons(each)),
            channel=channel,
            vendor=vendor,
            within=WITHIN_SECONDS,
        )


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    """A workload of three pods."""
    with testing.private_cluster(Settings(nodes=4)) as cluster:
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for body in workload_objects(Workload("shop", "checkout", 3), replicas=3):
            cluster.api.create(body)
        path = f"{collection('apps/v1/deployments', 'shop')}/checkout"
        wait_for("checkout", lambda: cluster.api.get(path)["status"].get("readyReplicas") == 3, WITHIN_SECONDS)
        yield cluster


@contextlib.asynccontextmanager
async def everything(shop: DevCluster, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The three services, each a process, over one PostgreSQL and one cluster, and a chat in a process of its own."""
    healing_policy = tmp_path / "healing.yaml"
    healing_policy.write_text(HEALING_POLICY)
    port = free_port()
    entries = [
        f"{name}:{scopes}:{hashlib.sha256(token.encode()).hexdigest()}"
        for name, scopes, token in (
            ("tester", "admin", HEALING_TOKEN),
            ("alert-service", "approve+delegate", DELEGATE_TOKEN),
        )
    ]
    told = {
        "ALERTS__URL": f"http://127.0.0.1:{port}",
        "ALERTS__TOKEN": ALERT_TOKEN,
        "WEB__TOKENS": ",".join(entries),
    }
    async with (
        process(ChatSettings(channels=("sre",))) as chat,
        healing_pair(shop.kubeconfig, database_url, healing_policy, healing=told, token=HEALING_TOKEN) as (
            monitor,
            healer,
        ),
        alert_service(
            database_url,
            POLICY,
            chat,
            port=port,
            token=ALERT_TOKEN,
            CLUSTER="test",
            HEALTH__URL=monitor.url,
            HEALTH__TOKEN=monitor.token,
            HEALING__URL=healer.url,
            HEALING__TOKEN=DELEGATE_TOKEN,
        ) as alerts,
    ):
        healer.secrets += [ALERT_TOKEN, DELEGATE_TOKEN]
        alerts.secrets += [monitor.token, DELEGATE_TOKEN]
        yield World(shop, monitor, healer, alerts, chat)


def rules() -> dict[str, str]:
    """The shipped ones, and one more, by what health_monitor says of each pod."""
    return {"test.yaml": yaml.safe_dump(UNHEALTHY), **in_a_hurry()}


def monitored(world: World, alertmanager_port: int) -> dict[str, Any]:
    """Prometheus scrapes all three services, with their credentials."""
    config = scraping({}, [f"127.0.0.1:{alertmanager_port}"], list(rules()), seconds=1)
    config["scrape_configs"] = [
        {
            "job_name": service.program.replace("_", "-"),
            "authorization": {"credentials": service.token},
            "static_configs": [{"targets": [service.url.removeprefix("http://")]}],
        }
        for service in (world.monitor, world.healer, world.alerts)
    ]
    return config


async def test_a_fault_is_told_and_what_people_answer_takes_effect(
    shop: DevCluster,
    health_url: str,
    tmp_path: Path,
    run_prometheus: RunPrometheus,
    run_alertmanager: RunAlertmanager,
) -> None:
    async with everything(shop, health_url, tmp_path) as world:
        chat, alerts = world.chat, world.alerts
        posting = posting_to(f"{alerts.url}/api/v1/webhooks/alertmanager", ALERT_TOKEN)
        alertmanager = await asyncio.to_thread(run_alertmanager, posting)
        prometheus = await asyncio.to_thread(run_prometheus, monitored(world, alertmanager.port), files=rules())

        # A pod crashes. health_monitor tells at once, and healing asks for leave: both stand on one card.
        pod = shop.api.items(collection("v1/pods", "shop"))[0]["metadata"]["name"]
        await asyncio.to_thread(shop.fault("crash-loop", f"shop/{pod}").on)
        card = await world.card("pod-crash-loop", "Approve healing")
        assert card.pings == []

        # Somebody whom the policy does not know approves nothing.
        assert (await chat.press(card, "Approve healing", user="U0EVE")).complaints == []
        refusal = await chat.message(lambda each: each.only_for == "U0EVE", channel="sre")
        assert refusal.text
        assert not [each for each in await world.healer.ledger() if each["event"] == "approved"]

        # What Prometheus saw came by Alertmanager, and was taken on from Teams, by a link and a name.
        told = await alerts.incident("PodUnhealthy", "firing")
        message = await chat.message(
            lambda each: "Acknowledge" in buttons(each) and str(told["id"]) in shown_text(each),
            channel="sre",
            vendor="teams",
        )
        page = await chat.press(message, "Acknowledge", user="U0BEN")
        assert page.status == 200, page.answer
        taken = await alerts.until(f"incidents/{told['id']}", lambda each: each["incident"]["acknowledgement"])
        assert taken["incident"]["acknowledgement"]["by"] == "ben@example.com"

        # Ana takes it on, and says yes. Healing knows that it was her.
        assert (await chat.press(card, "Acknowledge")).complaints == []
        acknowledged = await world.card("pod-crash-loop", "acknowledged")
        assert acknowledged.id == card.id
        assert (await chat.press(acknowledged, "Approve healing")).complaints == []
        approval = await world.healer.eventually(lambda: of_ledger(world.healer, "approved"), WITHIN_SECONDS)
        assert "ana@example.com" in approval["actor"]
        path = f"{collection('v1/pods', 'shop')}/{pod}"
        await asyncio.to_thread(wait_for, "the eviction", lambda: not shop.api.exists(path), WITHIN_SECONDS)

        # The same card tells the end, and nobody has to look it up.
        over = await world.card("pod-crash-loop", "Worth telling")
        assert (over.id, over.versions > 2) == (card.id, True)
        incident = await alerts.incident("pod-crash-loop", "resolved")
        happened = [(each["kind"], each["by"]) for each in incident["timeline"]]
        assert ("acknowledged", "ana@example.com") in happened
        assert ("approved", "ana@example.com") in happened

        # Every message was escaped, within all limits, and accounted for.
        assert await complaints(chat) == []
        refused = [each for each in await chat.exchanges() if each.status not in (200, 202, 429)]
        assert refused == []
        assert await asyncio.to_thread(unknown_selectors, prometheus) == []


def unknown_selectors(prometheus: Prometheus) -> list[Selector]:
    """What the rules ask of the three services that those do not tell; a count that never happened has no labels."""
    own = [each for each in shipped(prometheus) if each.name.startswith(OWN)]
    told = httpx.get(f"{prometheus.url}/api/v1/label/__name__/values").json()["data"]
    assert {each.name for each in own} & set(told)
    return [each for each in own if each.name in told and not ask(prometheus, each.with_its_labels())]


async def of_ledger(healer: HealingService, event: str) -> Any:
    return next((each for each in await healer.ledger() if each["event"] == event), None)
