"""Healers beside a health_monitor, over one cluster and one database; each may be killed and started again."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.healing_service import HealingService
from tests.support.service import WITHIN_SECONDS, Json, Service, free_port, start_program

from common.web.signatures import sign
from devcluster import DevCluster, Settings, testing
from devcluster.api import collection, wait_for
from devcluster.workloads import Workload, pods_of, workload_objects

SHOP = "shop"
REPLICAS = 3
HEALED_SECONDS = 180.0

# The guards that only make one wait are made quick, all others are as they come; rules say themselves that they act.
# Pods that a test breaks may be on the same node or in one zone, which is not to blame for it.
GUARDS = """
attribution: {node_workloads: 1000, zone_nodes: 1000}
guards:
  fresh_view: {settle: 1s, error_ratio: 1.0, p99_seconds: 600, lease_age: 1h, health_monitor_silence: 25s}
  grace: {default: 1s, restarts: 1, codes: {node-not-ready: 1s, pod-crash-loop: 1s, pod-oom-killed: 1s}}
  cooldown: {target: 1s, owner: 1s}
  loop: {repeats: 100}
  attempts: {most: 2}
  rate_limit: {pods_per_minute: 1000, pods_per_hour: 1000}
"""

# Nodes that are not given up soon renew their Leases as seldom.
CHECKS = """
version: 1
checks:
  node-lease-stale: {enabled: false}
"""

TOKEN = secrets.token_hex(16)  # of the tester, and of the healers when they ask health_monitor
PEOPLE = {"alice": "approve", "bob": "read"}  # their names are their tokens


def entry_of(name: str, scope: str, token: str) -> str:
    """Of the setting WEB__TOKENS."""
    return f"{name}:{scope}:{hashlib.sha256(token.encode()).hexdigest()}"


def as_user(name: str) -> Json:
    """For requests of somebody other than the tester."""
    return {"headers": {"Authorization": f"Bearer {name}"}}


@dataclass(kw_only=True)
class Team:
    """Healers are started one by one, each with a webhook of its own."""

    kubeconfig: Path
    database_url: str
    policy: Path
    folder: Path
    monitor_port: int = field(default_factory=free_port)
    services: list[Service] = field(default_factory=list)  # all that there ever were
    signing: dict[str, str] = field(default_factory=dict)  # the secret of each webhook, by the healer's URL

    def start_monitor(self) -> Service:
        """Also in the place of one that was killed."""
        checks = self.folder / "checks.yaml"
        checks.write_text(CHECKS)
        settings = {"CLUSTER__NAME": "test", "ENGINE__STORM_OPENINGS": 100_000, "POLICY__FILE": checks}
        monitor = start_program(
            Service, self.kubeconfig, self.folder, self.database_url, settings, port=self.monitor_port, token=TOKEN
        )
        monitor.secrets += self.signing.values()
        self.services.append(monitor)
        return monitor

    async def start_healer(
        self,
        *,
        instead_of: Service | None = None,
        people: Mapping[str, str] = PEOPLE,
        service: type[HealingService] = HealingService,
    ) -> HealingService:
        """`people` are names, which are their tokens, with their scopes."""
        monitor = next(each for each in reversed(self.services) if each.program == Service.program)
        port = free_port() if instead_of is None else int(instead_of.url.rsplit(":", 1)[1])
        secret = await self._subscribe(monitor, port)
        tokens = [entry_of("tester", "admin", TOKEN), *(entry_of(name, scope, name) for name, scope in people.items())]
        settings = {
            "CLUSTER__NAME": "test",
            "MONITOR__URL": monitor.url,
            "MONITOR__TOKEN": TOKEN,
            "MONITOR__WEBHOOK_SECRETS": secret,
            "POLICY__FILE": self.policy,
            "WEB__TOKENS": ",".join(tokens),
            "LOG__LEVEL": "info",  # below, the queue tells with a traceback of each job that is broken off
        }
        healer = start_program(
            service, self.kubeconfig, self.folder, self.database_url, settings, port=port, token=TOKEN
        )
        healer.secrets.append(secret)
        self.services.append(healer)
        return healer

    async def _subscribe(self, monitor: Service, port: int) -> str:
        url = f"http://127.0.0.1:{port}"
        if url not in self.signing:
            answer = await monitor.answer("/api/v1/subscriptions", "POST", json={"url": f"{url}/api/v1/events"})
            assert answer.status_code == 201, answer.text
            self.signing[url] = str(answer.json()["secret"])
            monitor.secrets.append(self.signing[url])
        return self.signing[url]

    async def deliver(
        self, healer: HealingService, event: Json, *, secret: str | None = None, at: datetime | None = None
    ) -> int:
        """An event by webhook, signed with the healer's secret unless another is given; the status of the answer."""
        body = json.dumps(event).encode()
        headers = sign(secret or self.signing[healer.url], event["id"], at or datetime.now(UTC), body)
        return (await healer.answer("/api/v1/events", "POST", content=body, headers=headers)).status_code


@asynccontextmanager
async def team_of(kubeconfig: Path, database_url: str, folder: Path, policy: str) -> AsyncIterator[Team]:
    """With a health_monitor that is up. Whatever is started, is ended."""
    file = folder / "policy.yaml"
    file.write_text(policy)
    team = Team(kubeconfig=kubeconfig, database_url=database_url, policy=file, folder=folder)
    try:
        await team.start_monitor().storing()
        yield team
    finally:
        for service in reversed(team.services):
            await service.close()


@contextmanager
def a_shop(*names: str) -> Iterator[DevCluster]:
    """Deployments of three pods each, which all run, on nodes that nobody gives up on a slow machine.

    Each has two nodes of its own: what fails on the node of a run's target while its effect is watched counts as harm
    done. The last node is left over.
    """
    with testing.private_cluster(Settings(nodes=2 * len(names) + 1, node_grace_seconds=180)) as cluster:
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP}})
        for name, node in zip([*names, *names], nodes_of(cluster), strict=False):
            cluster.api.patch(f"{collection('v1/nodes')}/{node}", {"metadata": {"labels": {"for": name}}})
        for name in names:
            for body in workload_objects(Workload(SHOP, name, REPLICAS), replicas=REPLICAS):
                if body["kind"] == "Deployment":
                    body["spec"]["template"]["spec"]["nodeSelector"] = {"for": name}
                cluster.api.create(body)
        for name in names:
            wait_for(name, lambda name=name: are_ready(cluster, name), WITHIN_SECONDS)
        yield cluster


def nodes_of(cluster: DevCluster) -> list[str]:
    return sorted(node["metadata"]["name"] for node in cluster.api.items(collection("v1/nodes")))


def are_ready(cluster: DevCluster, name: str) -> bool:
    found = cluster.api.get(f"{collection('apps/v1/deployments', SHOP)}/{name}")
    return found["status"].get("readyReplicas") == REPLICAS


async def break_one(cluster: DevCluster, name: str, fault: str = "crash-loop") -> str:
    """A pod of the Deployment, which is given the fault."""
    pod = str((await asyncio.to_thread(pods_of, cluster.api, f"{SHOP}/{name}"))[0]["metadata"]["name"])
    await asyncio.to_thread(cluster.fault(fault, f"{SHOP}/{pod}").on)
    return pod


async def pods_ever(cluster: DevCluster, name: str) -> int:
    """How many pods of the Deployment were ever made, as its ReplicaSets tell."""
    events = await asyncio.to_thread(cluster.api.items, collection("v1/events", SHOP))
    made = [each for each in events if each["reason"] == "SuccessfulCreate"]
    return sum(each.get("count", 1) for each in made if each["involvedObject"]["name"].rsplit("-", 1)[0] == name)


async def was_replaced(healer: HealingService, cluster: DevCluster, victim: str) -> None:
    """The pod was deleted by one run that healed, and nothing more was done to its Deployment."""
    await healer.says("healed", "delete-pod", within=HEALED_SECONDS, name=victim)
    deployment = victim.rsplit("-", 2)[0]
    runs = (await healer.get("runs", namespace=SHOP, name=victim))["items"]
    assert [run["state"] for run in runs if run["started_at"]] == ["healed"], runs
    told = [each["event"] for each in await healer.ledger() if each["name"] == victim]
    assert told.count("verifying") == 1, told

    async def one_more() -> bool:
        return await pods_ever(cluster, deployment) >= REPLICAS + 1

    await healer.eventually(one_more)
    assert await pods_ever(cluster, deployment) == REPLICAS + 1


async def all_in_order(healer: HealingService, cluster: DevCluster) -> None:
    """The ledger is whole, and no node is cordoned."""
    proof = await healer.get("audit/verify")
    assert proof["intact"] is True, proof
    assert proof["entries"] == len(await healer.ledger())
    nodes = await asyncio.to_thread(cluster.api.items, collection("v1/nodes"))
    assert [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")] == []
