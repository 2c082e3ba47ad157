"""The read API while the cluster changes: requests at fixed times, whatever the answers take, from another process."""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

import aiohttp

from bench.changes import changing
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure, percentile, split
from bench.watched import watched

PER_SECOND = 200
CONNECTIONS = 64
PATHS = ("/api/v1/cluster", "/api/v1/nodes?limit=100")


def _ask(pipe: Connection, url: str, token: str, count: int) -> None:
    pipe.send(asyncio.run(_asked(url, token, count)))


async def _asked(url: str, token: str, count: int) -> list[float]:
    """Milliseconds from the moment each request was due to the end of its answer. Raises when one fails."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)  # waiting for a connection is no failure but counts
    async with aiohttp.ClientSession(url, connector=connector, headers=headers, timeout=timeout) as http:

        async def one(number: int, due: float) -> float:
            async with http.get(PATHS[number % len(PATHS)], raise_for_status=True) as answer:
                await answer.read()
            return (time.monotonic() - due) * 1e3

        await asyncio.gather(*(one(number, time.monotonic()) for number in range(20)))  # connections are there
        begun, requests = time.monotonic(), []
        for number in range(count):
            due = begun + number / PER_SECOND
            await asyncio.sleep(due - time.monotonic())
            requests.append(asyncio.create_task(one(number, due)))
        return await asyncio.gather(*requests)


async def _client(url: str, token: str, count: int) -> list[float]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_ask, args=(theirs, url, token, count), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    try:
        return list(await asyncio.to_thread(ours.recv))
    except EOFError:
        raise RuntimeError("the client of the read API failed; its traceback is above") from None
    finally:
        process.terminate()
        process.join()


async def run(quick: bool) -> list[Figure]:
    nodes, pods, rounds, seconds = (50, 500, 1, 5) if quick else (1_000, 10_000, 3, 20)
    async with (
        filled_cluster(nodes=nodes, pods=pods) as cluster,
        watched(cluster) as service,
        changing(cluster.kubeconfig) as changer,
    ):
        times = await _client(service.url, service.token, rounds * seconds * PER_SECOND)
        work = await changer.stop()
    return [
        Figure(
            id="monitor.read_api",
            what=f"read API at {PER_SECOND} requests/s, p99",
            unit="ms",
            target=20,
            better="lower",
            runs=[percentile(part, 99) for part in split(times, rounds)],
            value=percentile(times, 99),
            conditions=f"{nodes:,} nodes, {pods:,} pods, {work.changes / work.seconds:.0f} status patches a second; "
            f"the cluster's score and a page of {min(nodes, 100)} nodes by turns, {len(times):,} requests, each from "
            f"the moment it was due to the end of its answer; client, service, PostgreSQL and API server on this "
            f"machine; p50 {percentile(times, 50):.1f} ms",
        )
    ]


BENCHMARK = Benchmark(id="monitor.read_api", title="read API under load while the cluster changes", run=run)
