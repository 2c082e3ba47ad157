"""Somebody who changes the cluster all the time: status patches at a steady rate, from a process of its own.

Most make a pod not ready and ready again, which opens nothing; some are faults on an object that was well until then.
"""

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp

from devcluster.api import STRATEGIC_PATCH, tls

Json = dict[str, Any]
Key = tuple[str, str, str, str]  # code, kind, namespace, name

PER_SECOND = 50
FAULT_EVERY = 12  # some 4 faults a second, of three sorts: no storm, which would be told as one event
RESTLESS = 100  # pods that turn ready and not
MOST_AT_ONCE = 64  # patches that wait for an answer: an API server that is too slow gets fewer, and `changes` tells
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What should be found, and when its patch was sent and answered, in seconds since 1970 by this machine's clock."""

    key: Key
    sent_at: float
    answered_at: float


@dataclass(slots=True)
class Work:
    """What was done. `failures` are patches that were refused."""

    faults: list[Fault] = field(default_factory=list)
    changes: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Changer:
    """The parent's end."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def stop(self) -> Work:
        """End it; what it did. Raises RuntimeError when something was refused."""
        self._pipe.send("stop")
        work: Work = await asyncio.to_thread(self.receive)
        if work.failures:
            raise RuntimeError(f"{len(work.failures)} changes were refused, such as: {work.failures[0]}")
        return work

    def receive(self) -> Any:
        """What the process says next. Raises RuntimeError when it says nothing."""
        if not self._pipe.poll(STOP_SECONDS):
            raise RuntimeError(f"the process that changes objects did not answer within {STOP_SECONDS:.0f} s")
        return self._pipe.recv()


@contextlib.asynccontextmanager
async def changing(kubeconfig: Path) -> AsyncIterator[Changer]:
    """Changes go on until `stop` or the end of the block. Returns when they have begun."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(theirs, kubeconfig), daemon=True)
    process.start()
    try:
        changer = Changer(ours)
        await asyncio.to_thread(changer.receive)
        yield changer
    finally:
        process.terminate()
        process.join()


def _run(pipe: Connection, kubeconfig: Path) -> None:
    asyncio.run(_change(pipe, kubeconfig))


async def _change(pipe: Connection, kubeconfig: Path) -> None:
    server, context = tls(kubeconfig)
    connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE, ssl=context)
    async with aiohttp.ClientSession(server, connector=connector) as http:
        restless, to_break = await _steps(http)
        work, running, turn = Work(), set[asyncio.Task[None]](), 0
        pipe.send("begun")
        started = time.monotonic()
        while not pipe.poll():
            step = next(to_break, None) if turn % FAULT_EVERY == 0 else None
            running.add(task := asyncio.create_task(_patch(http, step or next(restless), work)))
            task.add_done_callback(running.discard)
            turn += 1
            if len(running) >= MOST_AT_ONCE:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(started + turn / PER_SECOND - time.monotonic())
        work.seconds = time.monotonic() - started
        await asyncio.gather(*running)
        pipe.send(work)


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    status: Json
    breaks: Key | None = None


async def _patch(http: aiohttp.ClientSession, step: _Step, work: Work) -> None:
    sent_at = time.time()
    try:
        headers = {"content-type": STRATEGIC_PATCH}
        async with http.patch(step.path, json={"status": step.status}, headers=headers) as answer:
            answered_at = time.time()
            if answer.status >= 400:
                work.failures.append(f"{step.path}: {answer.status} {await answer.text()}")
    except aiohttp.ClientError as error:
        work.failures.append(f"{step.path}: {error!r}")
        return
    work.changes += 1
    if step.breaks:
        work.faults.append(Fault(step.breaks, sent_at, answered_at))


async def _steps(http: aiohttp.ClientSession) -> tuple[Iterator[_Step], Iterator[_Step]]:
    """Without end the changes that open nothing, and one fault after the other until no object is left."""
    pods, nodes = await _items(http, "/api/v1/pods"), await _items(http, "/api/v1/nodes")
    restless = cycle([_ready(pod, ready=ready) for pod in pods[:RESTLESS] for ready in (False, True)])
    return restless, _faults(pods[RESTLESS:], nodes)


async def _items(http: aiohttp.ClientSession, path: str) -> list[Json]:
    async with http.get(path, params={"limit": "5000"}) as answer:
        return list((await answer.json())["items"])


def _faults(pods: list[Json], nodes: list[Json]) -> Iterator[_Step]:
    for one, other, node in zip(pods[0::2], pods[1::2], nodes, strict=False):
        yield _crash_loop(one)
        yield _wrong_image(other)
        yield _full_disk(node)


def _ready(pod: Json, *, ready: bool, **status: Any) -> _Step:
    """A reason, as a kubelet gives one."""
    reason = {} if ready else {"reason": "ContainersNotReady"}
    conditions = [
        {"type": kind, "status": str(ready), "lastTransitionTime": _now(), **reason}
        for kind in ("ContainersReady", "Ready")
    ]
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
    return _Step(path, {"conditions": conditions, **status})


def _broken(pod: Json, code: str, container: Json) -> _Step:
    statuses = [{**pod["status"]["containerStatuses"][0], "ready": False, "started": False, **container}]
    step = _ready(pod, ready=False, containerStatuses=statuses)
    key = (code, "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    return _Step(step.path, step.status, breaks=key)


def _crash_loop(pod: Json) -> _Step:
    ended = {"exitCode": 1, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"state": waiting, "lastState": {"terminated": ended}, "restartCount": 3}
    return _broken(pod, "pod-crash-loop", container)


def _wrong_image(pod: Json) -> _Step:
    return _broken(pod, "pod-image-pull", {"state": {"waiting": {"reason": "InvalidImageName"}}})


def _full_disk(node: Json) -> _Step:
    name = node["metadata"]["name"]
    key = ("node-disk-pressure", "Node", "", name)
    full = {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "lastTransitionTime": _now()}
    return _Step(f"/api/v1/nodes/{name}/status", {"conditions": [full]}, breaks=key)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
