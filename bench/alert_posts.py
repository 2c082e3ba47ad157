"""Posts as Alertmanager makes them, from a process of their own, over so many connections."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import aiohttp

PATH = "/api/v1/webhooks/alertmanager"
NODES, NAMESPACES = 100, 20
GIVES_UP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`first` is the number of the first post: each number is a group of its own. Without `per_second` a connection
    posts again as soon as it is answered."""

    posts: int
    alerts: int  # in each post
    connections: int
    first: int = 0
    per_second: float | None = None
    alertname: str = "KubePodCrashLooping"


@dataclass(slots=True)
class Answered:
    """What was answered with 200: numbers of posts, with seconds from when each was due to its answer."""

    numbers: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0  # answered otherwise
    broken: int = 0  # not answered at all
    lasted: float = 0.0


def a_body(number: int, alerts: int, alertname: str) -> bytes:
    """Every alert has another pod, and another fingerprint."""
    node, namespace = f"node-{number % NODES}", f"team-{number % NAMESPACES}"
    common = {
        "alertname": alertname,
        "cluster": "prod",
        "namespace": namespace,
        "container": "app",
        "job": "kube-state-metrics",
        "instance": "10.0.12.7:8443",
        "severity": "warning",
    }
    began = datetime.now(UTC).isoformat()
    told = [
        {
            "status": "firing",
            "labels": common | {"node": node, "pod": f"checkout-{number}-{each}"},
            "annotations": {
                "summary": "Pod is crash looping.",
                "description": f"Pod {namespace}/checkout-{number}-{each} is in waiting state (CrashLoopBackOff).",
                "runbook_url": "https://runbooks.example.com/runbooks/kubernetes/kubepodcrashlooping",
            },
            "startsAt": began,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=kube_pod_container_status_waiting_reason",
            "fingerprint": f"{number:010x}{each:06x}",
        }
        for each in range(alerts)
    ]
    return json.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{number="{number}"}}',
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "alert-service",
            "groupLabels": {"alertname": alertname, "namespace": namespace},
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "alerts": told,
        }
    ).encode()


async def posted(url: str, token: str, load: Load) -> Answered:
    """Of all posts of the load, or of those until the service is gone."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_post, args=(theirs, url, token, load), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    try:
        answered: Answered = await asyncio.to_thread(ours.recv)
        return answered
    except EOFError:
        raise RuntimeError("the client failed; its traceback is above") from None
    finally:
        process.terminate()
        process.join()


def _post(pipe: Connection, url: str, token: str, load: Load) -> None:
    pipe.send(asyncio.run(_posted(url, token, load)))


async def _posted(url: str, token: str, load: Load) -> Answered:
    answered = Answered()
    bodies = [a_body(load.first + number, load.alerts, load.alertname) for number in range(load.posts)]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=load.connections)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=GIVES_UP_SECONDS)
    async with aiohttp.ClientSession(url, connector=connector, headers=headers, timeout=timeout) as http:
        begun = time.monotonic()
        waiting = iter(range(load.posts))
        due = _at_once if load.per_second is None else _paced(begun, load.per_second)
        await asyncio.gather(
            *(_connection(http, bodies, waiting, due, load.first, answered) for _ in range(load.connections))
        )
        answered.lasted = time.monotonic() - begun
    return answered


def _at_once(number: int) -> float:
    return time.monotonic()


def _paced(begun: float, per_second: float) -> Callable[[int], float]:
    return lambda number: begun + number / per_second


async def _connection(
    http: aiohttp.ClientSession,
    bodies: list[bytes],
    waiting: Iterator[int],
    due: Callable[[int], float],
    first: int,
    answered: Answered,
) -> None:
    """Takes the next post that nobody has taken, until there is none, or the service is gone."""
    for number in waiting:
        at = due(number)
        await asyncio.sleep(max(at - time.monotonic(), 0))
        try:
            async with http.post(PATH, data=bodies[number]) as answer:
                await answer.read()
        except aiohttp.ClientError:
            answered.broken += 1
            return
        if answer.status == 200:
            answered.numbers.append(first + number)
            answered.seconds.append(time.monotonic() - at)
        else:
            answered.refused += 1
