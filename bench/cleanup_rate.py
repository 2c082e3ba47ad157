"""How fast a pile of evicted pods goes: each read, judged, stored with manifest and evidence, and deleted.

The API server and PostgreSQL are real and on the same machine. Finding, marking and proposing happen before the clock
starts; what is measured is one step of a run, as the executor applies it.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from auto_healing.actions.action import Doing
from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.cleanup.cleaner import Cleaner
from auto_healing.facts import Sight
from auto_healing.kube.live import LiveCluster
from auto_healing.metrics import SERVICE, Metrics
from auto_healing.past import Past
from auto_healing.plan import Mode, Plan
from auto_healing.policy import HealingPolicy
from auto_healing.policy.settings import Scope
from auto_healing.run import Run
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.keeping import Keeping
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.storage.runs import Runs
from auto_healing.storage.tombstones import Tombstones
from auto_healing.told import Told
from auto_healing.world import World
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure
from bench.healing import EPOCH, led_database
from bench.objects import pod
from common.clock import SystemClock
from common.cluster.scan import scan_cluster
from common.cluster.store import Store
from common.database.connections import Database
from common.database.work import WorkQueue
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from common.metrics import ServiceMetrics

ID = "healing.cleanup_rate"
CODE = "clean-evicted-pods"
RULE = CLEANUP_BY_CODE[CODE]
PODS, QUICK_PODS = 10_000, 300
ROUNDS, QUICK_ROUNDS = 3, 1
OWNERS = 100  # workloads that the pods belonged to
NAMESPACE = "pile"
WRITERS = 32


@dataclass(slots=True)
class Round:
    """One pile that went."""

    pods: int
    seconds: float
    refused: int  # requests answered with 429
    requests: int


async def run(quick: bool) -> list[Figure]:
    pods, rounds = (QUICK_PODS, QUICK_ROUNDS) if quick else (PODS, ROUNDS)
    async with (
        filled_cluster(nodes=1, pods=0) as cluster,
        await connect(KubeSettings(kubeconfig=cluster.kubeconfig)) as api,
    ):
        await _namespace(api)
        went = [await _round(api, pods) for _ in range(rounds)]
    refused, requests = sum(each.refused for each in went), sum(each.requests for each in went)
    return [
        Figure(
            id=ID,
            what="evicted pods cleaned, manifest and evidence of each stored before",
            unit="deletes/s",
            target=100,
            better="higher",
            runs=[each.pods / each.seconds for each in went],
            conditions=f"{pods:,} pods in one run, caps lifted; etcd, kube-apiserver and PostgreSQL (every commit on "
            f"the disk) on the same machine; {refused} of {requests:,} requests were refused with 429",
        )
    ]


class _Parts:
    """What cleanup is made of, over a real cluster and a real database."""

    def __init__(self, api: Api, database: Database, queue: WorkQueue) -> None:
        self.api = api
        self.clock = SystemClock()
        self.live = LiveCluster(api, lambda: True, self.clock)
        self.database = database
        self.tombstones = Tombstones(database)
        self.snapshot = Store(now=self.clock.now)
        self.past = Past()
        self.runs = Runs(database, Jobs(queue), self.clock, self.past, lambda: self.snapshot)
        self.run: Run | None = None
        rule = {"mode": "auto", "min_age": "0s", "grace": "0s", "scans": 1, "keep": 0, "most_objects": 1_000_000}
        self.policy = HealingPolicy(
            mode=Mode.AUTO, scope=Scope(opt_in=False), cleanup=CleanupSettings.model_validate({CODE: rule})
        )
        self.cleaner = Cleaner(
            tombstones=self.tombstones,
            runs=self,
            cluster=self.live,
            world=self.world,
            clock=self.clock,
            observer=Told(Metrics(ServiceMetrics(SERVICE, "0"))),
        )

    async def propose(self, proposals: Sequence[Proposal | Plan], *, epoch: int | None) -> list[Answer]:
        answers = await self.runs.propose(proposals, epoch=epoch)
        self.run = answers[0].run
        return answers

    def world(self) -> World:
        now = self.clock.now()
        sight = Sight(synced_at=now - timedelta(hours=1))
        return World(now=now, snapshot=self.snapshot, policy=self.policy, history=self.past, sight=sight)

    def store_of(self, run: Run) -> Keeping:
        return Keeping(
            database=self.database,
            evidence=EvidenceStore(self.database),
            manifests=Manifests(self.database),
            changes=Changes(self.database),
            tombstones=self.tombstones,
            clock=self.clock,
            run_id=run.id,
            epoch=EPOCH,
        )

    def doings(self, run: Run) -> Iterator[Doing]:
        """Its steps about to be applied."""
        for number, step in enumerate(run.plan.steps):
            yield Doing(
                run_id=run.id,
                number=number,
                step=step,
                cluster=self.live,
                snapshot=self.snapshot,
                store=self.store_of(run),
                clock=self.clock,
                deadline=self.clock.now() + step.timeout,
            )


@contextlib.asynccontextmanager
async def _new_parts(api: Api) -> AsyncIterator[_Parts]:
    """On a database of their own."""
    async with led_database() as (database, queue):
        yield _Parts(api, database, queue)


async def _round(api: Api, pods: int) -> Round:
    """A pile is written, found, marked, proposed; and then it goes, which is timed."""
    await _pile(api, pods)
    async with _new_parts(api) as parts:
        parts.snapshot = await scan_cluster(api)
        await parts.cleaner.look(RULE, epoch=EPOCH)
        scan = await parts.cleaner.look(RULE, epoch=EPOCH)
        if parts.run is None or len(scan.due) != pods:
            raise RuntimeError(f"{len(scan.due)} of {pods} pods are due, and the run is {parts.run}")
        answers: Counter[int] = Counter()
        api.statistics.observer = lambda _verb, _resource, status, _seconds: answers.update([status])
        started = time.monotonic()
        (outcome,) = [await RULE.apply(doing) for doing in parts.doings(parts.run)]
        seconds = time.monotonic() - started
        api.statistics.observer = None
    if outcome.numbers["deleted"] != pods:
        raise RuntimeError(outcome.message)
    return Round(pods, seconds, refused=answers[429], requests=answers.total())


async def _namespace(api: Api) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    await api.post(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})


async def _pile(api: Api, pods: int) -> None:
    """Evicted pods of some workloads, as large as pods are."""
    turns = iter(range(pods))

    async def write() -> None:
        for number in turns:
            body = pod(number)
            labels = {"app": f"app-{number % OWNERS}"}
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": labels["app"], "uid": labels["app"]}
            metadata = {
                "name": f"pile-{number:05}",
                "labels": labels,
                "ownerReferences": [owner | {"controller": True}],
            }
            spec = {"nodeName": "node-of-the-pile"} | {part: body["spec"][part] for part in ("containers", "volumes")}
            path = f"/api/v1/namespaces/{NAMESPACE}/pods"
            await api.post(path, {"metadata": metadata, "spec": spec})
            status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
            await api.patch(f"{path}/{metadata['name']}/status", {"status": status})

    await asyncio.gather(*(write() for _ in range(WRITERS)))


BENCHMARK = Benchmark(id=ID, title="A pile of evicted pods, cleaned with evidence", run=run)
