"""Cleanup on a real cluster and a real database, with a clock that a test steps: looks, runs, and what they leave."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.support.clock import SteppedClock
from tests.support.healing_cluster import Place, a_place
from tests.support.healing_database import healing_rows
from tests.support.healing_execution import Execution, an_execution

from auto_healing.actions.cleanup import CLEANUP_ACTIONS, CLEANUP_BY_CODE
from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.cleanup.cleaner import Cleaner, Scan
from auto_healing.facts import Pause, Sight
from auto_healing.guards.settings import GuardSettings
from auto_healing.metrics import SERVICE, Metrics
from auto_healing.policy import HealingPolicy
from auto_healing.policy.settings import Scope
from auto_healing.run import Run
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.keeping import Keeping
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.tombstones import Tombstones
from auto_healing.told import Told
from auto_healing.world import World
from common.cluster.scan import scan_cluster
from common.cluster.store import Store
from common.metrics import ServiceMetrics
from devcluster import DevCluster

Json = dict[str, Any]
HOUR = timedelta(hours=1)
# Leases of nodes are renewed by the real time, and the tests' clock runs ahead of it.
NEVER_BLIND = GuardSettings.model_validate({"fresh_view": {"lease_nodes": 1000}})


@dataclass
class Tidying:
    """One namespace being tidied. `policy` holds for it alone."""

    place: Place
    clock: SteppedClock
    execution: Execution
    tombstones: Tombstones
    policy: HealingPolicy
    pauses: list[Pause] = field(default_factory=list)
    snapshot: Store | None = None
    answers: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = Metrics(ServiceMetrics(SERVICE, "0"))
        self.cleaner = Cleaner(
            tombstones=self.tombstones,
            runs=self,
            cluster=self.execution.cluster,
            world=self.world,
            clock=self.clock,
            observer=Told(self.metrics),
        )

    def counted(self, series: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(f"{SERVICE}_{series}", labels)

    async def propose(self, proposals: Any, *, epoch: int | None) -> Any:
        self.answers = await self.execution.runs.propose(proposals, epoch=epoch)
        return self.answers

    def world(self) -> World:
        assert self.snapshot is not None
        return World(
            now=self.clock.now(),
            snapshot=self.snapshot,
            policy=self.policy,
            history=self.execution.past,
            pauses=self.pauses,
            sight=Sight(synced_at=self.clock.now() - HOUR),
        )

    async def see(self) -> None:
        """The cluster as it is now."""
        self.snapshot = await scan_cluster(self.place.api, clock=self.clock, namespace=self.place.namespace)
        self.execution.snapshot = self.snapshot

    async def look(self, code: str, *, by: str = "policy") -> Scan:
        await self.see()
        assert self.execution.epoch is not None
        return await self.cleaner.look(CLEANUP_BY_CODE[code], epoch=self.execution.epoch, by=by)

    async def ripen(self, code: str, *, every: timedelta = timedelta(hours=13), most: int = 4) -> Scan:
        """Looks until something is due, with half a day between them; the last one when nothing is."""
        scan = await self.look(code)
        for _ in range(most - 1):
            if scan.due:
                break
            self.clock.step(every)
            scan = await self.look(code)
        return scan

    @property
    def run(self) -> Run:
        (run,) = [answer.run for answer in self.answers if answer.run is not None]
        return run

    async def carry_out(self) -> Run:
        """The run that was proposed last, by the executor."""
        await self.see()
        return await self.execution.carry_out(self.run)

    async def judged(self) -> None:
        """An hour later the run's end is decided, so that another one may begin."""
        self.clock.step(HOUR)
        await self.see()
        assert self.execution.epoch is not None
        await self.execution.watch.look(self.execution.epoch)

    async def outcome(self, run: Run) -> Json:
        ((outcome,),) = await healing_rows(
            self.execution.database, "SELECT outcome FROM step WHERE run_id = :run AND number = 0", run=run.id
        )
        return dict(outcome)

    async def ledger(self, event: str) -> list[str]:
        """Names of the objects that the ledger tells this of, in order."""
        sql = "SELECT name FROM ledger WHERE event = :event ORDER BY seq"
        return [name for (name,) in await healing_rows(self.execution.database, sql, event=event)]

    async def kept(self) -> list[str]:
        """Names of the objects whose manifest and evidence are both stored."""
        sql = "SELECT m.name FROM manifest m JOIN evidence e USING (run_id, uid) ORDER BY m.name"
        return [name for (name,) in await healing_rows(self.execution.database, sql)]

    def names(self, resource: str) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.place.objects(resource))

    def events(self, reason: str) -> list[Json]:
        return [each for each in self.place.objects("v1/events") if each["reason"] == reason]


@asynccontextmanager
async def tidying(
    cluster: DevCluster, namespace: str, url: str, *, opt_in: bool = False, live: Any = None, **rules: Json
) -> AsyncIterator[Tidying]:
    """`rules` are settings by rule, with underscores; each rule acts by itself in the namespace, unless they differ."""
    clock = SteppedClock(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2))
    settings = {name: {"mode": "auto", "namespaces": [namespace], **each} for name, each in rules.items()}
    policy = HealingPolicy(
        cleanup=CleanupSettings.model_validate(settings), guards=NEVER_BLIND, scope=Scope(opt_in=opt_in)
    )
    async with a_place(cluster, namespace) as place:
        parts: list[Any] = []

        def store_of(run_id: UUID, epoch: int) -> Keeping:
            database = parts[0].database
            return Keeping(
                database=database,
                evidence=EvidenceStore(database),
                manifests=Manifests(database),
                changes=Changes(database),
                tombstones=Tombstones(database),
                clock=clock,
                run_id=run_id,
                epoch=epoch,
            )

        async with an_execution(
            url,
            cluster=live(place.live) if live else place.live,
            actions=CLEANUP_ACTIONS,
            clock=clock,
            store_of=store_of,
        ) as execution:
            parts.append(execution)
            yield Tidying(place, clock, execution, Tombstones(execution.database), policy)


def a_config_map(namespace: str, name: str, **metadata: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": {"key": "value"},
    }


def a_claim_of(namespace: str, name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "no-such-class",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def a_user_of(namespace: str, *, config_map: str = "", claim: str = "", name: str = "user") -> Json:
    """A Deployment without pods that would mount them."""
    volumes: list[Json] = []
    volumes += [{"name": "config", "configMap": {"name": config_map}}] if config_map else []
    volumes += [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    labels = {"app": name}
    pod = {"containers": [{"name": "app", "image": "app:1"}], "volumes": volumes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def evicted_pile(place: Place, count: int, *, owner: str = "pile") -> list[str]:
    """Evicted pods of one ReplicaSet, which no node runs; their names, the oldest first."""
    labels = {"app": owner}
    container = {"name": "app", "image": "app:1"}
    replica_set = place.cluster.api.create(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": owner, "namespace": place.namespace},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
    )
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": owner,
        "uid": replica_set["metadata"]["uid"],
        "controller": True,
    }
    names = [f"{owner}-{number:05}" for number in range(count)]
    for name in names:
        metadata = {"name": name, "namespace": place.namespace}
        spec = {"containers": [container], "schedulerName": "nobody"}
        place.cluster.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        path = f"/api/v1/namespaces/{place.namespace}/pods/{name}"
        status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        place.cluster.api.patch(f"{path}/status", {"status": status})
        place.cluster.api.patch(path, {"metadata": {"ownerReferences": [reference]}})  # or it were one pod too many
    return names


def summary(scan: Scan) -> tuple[list[str], list[str]]:
    """Names of the candidates, and of what cannot be proven unused."""
    return (
        sorted(each.ref.name for each in scan.found.candidates),
        sorted(each.object.name for each in scan.found.unproven),
    )


def names_of(stones: Sequence[Any]) -> list[str]:
    return sorted(stone.ref.name for stone in stones)
