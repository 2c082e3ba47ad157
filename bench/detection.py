"""How soon a fault is an event: from the API server's answer to the patch that made it, to the stored event."""

import asyncio

from bench.changes import changing
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure, percentile, split
from bench.watched import arriving, watched

ID = "monitor.detection"


async def run(quick: bool) -> list[Figure]:
    nodes, pods, rounds, seconds = (50, 500, 1, 8) if quick else (1_000, 10_000, 3, 30)
    async with (
        filled_cluster(nodes=nodes, pods=pods) as cluster,
        watched(cluster) as service,
        arriving(service) as arrivals,
        changing(cluster.kubeconfig) as changer,
    ):
        await asyncio.sleep(rounds * seconds)
        work = await changer.stop()
        told = await arrivals.all_of(work.faults)
    delays = [(at - fault.answered_at) * 1e3 for at, fault in zip(told, work.faults, strict=True)]
    since_sent = [(at - fault.sent_at) * 1e3 for at, fault in zip(told, work.faults, strict=True)]
    conditions = (
        f"{nodes:,} nodes, {pods:,} pods, {work.changes / work.seconds:.0f} status patches a second by another "
        f"process, {len(delays)} of them faults (crash loop, image name, disk pressure); from the API server's answer "
        f"to the event's arrival in a client's stream, which is after its commit; PostgreSQL, etcd, API server and "
        f"service on this machine; from the sending of the patch p50 {percentile(since_sent, 50):.0f} ms, "
        f"p99 {percentile(since_sent, 99):.0f} ms"
    )
    return [
        Figure(
            id=f"{ID}.p{p}",
            what=f"object changed in the API server to event stored, p{p}",
            unit="ms",
            target=target,
            better="lower",
            runs=[percentile(window, p) for window in split(delays, rounds)],
            value=percentile(delays, p),
            conditions=conditions,
        )
        for p, target in ((50, 50), (99, 250))
    ]


BENCHMARK = Benchmark(
    id=ID, title="from a change in the API server to the stored event", run=run, family=(f"{ID}.p50", f"{ID}.p99")
)
