"""The monitor on a real control plane: what is done to a workload is told, scored, and told to be over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.support.waiting import eventually

from common.clock import SystemClock
from common.cluster.rows import PodRow
from common.cluster.watch import ClusterWatch
from common.contracts import Change, EventData, ObjectKey
from common.contracts.objects import CLUSTER
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from devcluster import DevCluster
from devcluster.workloads import Workload, workload_objects
from health_monitor.engine.engine import Engine
from health_monitor.engine.outcome import ScoreChange
from health_monitor.monitor import Monitor

pytestmark = pytest.mark.cluster

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")


@dataclass
class Collected:
    events: list[EventData] = field(default_factory=list)

    def put(self, events: Sequence[EventData], _scores: Sequence[ScoreChange]) -> None:
        self.events += events

    def of(self, code: str, change: Change, namespace: str) -> list[EventData]:
        return [
            event
            for event in self.events
            if event.change is change
            and event.finding.code == code
            and (event.storm or event.finding.object.namespace == namespace)
        ]


@asynccontextmanager
async def monitored(cluster: DevCluster) -> AsyncIterator[tuple[Monitor, Collected, ClusterWatch]]:
    clock = SystemClock()
    sink = Collected()
    async with await connect(KubeSettings(kubeconfig=cluster.kubeconfig), clock) as api:
        watch = ClusterWatch(api, clock=clock)
        monitor = Monitor(watch, Engine(watch.store), sink, clock)
        tasks = [asyncio.create_task(watch.run()), asyncio.create_task(monitor.run())]
        try:
            async with asyncio.timeout(120):
                await monitor.synced.wait()
            yield monitor, sink, watch
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_crash_loop_is_told_while_it_lasts(devcluster_shared: DevCluster, namespace: str) -> None:
    for body in workload_objects(Workload(namespace, "checkout", 2), replicas=2):
        await asyncio.to_thread(devcluster_shared.api.create, body)
    deployment = ObjectKey("Deployment", namespace, "checkout")
    fault = devcluster_shared.fault("crash-loop", target=f"{namespace}/checkout")
    async with monitored(devcluster_shared) as (monitor, sink, watch):

        async def ready() -> bool:
            pods = watch.store.pods_of(deployment)
            return len(pods) == 2 and all(pod.ready for pod in pods)

        async def opened() -> bool:
            return bool(sink.of("pod-crash-loop", Change.OPENED, namespace))

        async def resolved() -> bool:
            return bool(sink.of("pod-crash-loop", Change.RESOLVED, namespace))

        await eventually(ready)
        await asyncio.to_thread(fault.on)
        await eventually(opened)
        event = sink.of("pod-crash-loop", Change.OPENED, namespace)[0]
        assert watch.store.get(PodRow, event.finding.object.name, namespace) is not None
        assert event.finding.object.uid
        score = monitor.engine.score(deployment)
        assert score is not None
        assert score.value < 90
        assert "pods" in {deduction.code for deduction in score.deductions}
        assert monitor.engine.value(CLUSTER_KEY) < 100

        await asyncio.to_thread(fault.off)
        await eventually(resolved, within_seconds=120)
