"""One object broken at a time, each of an owner and on a node of its own, so that no two of them have one cause."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from devcluster.api import STRATEGIC_PATCH

Json = dict[str, Any]
RESTARTS = 6


@dataclass(frozen=True, slots=True)
class Harm:
    """What is broken, and how it is found again: `mark` is the pod's uid, or the name of the node whose pods go."""

    code: str
    subject: str
    mark: str
    path: str
    status: Callable[[], Json]  # with instants of when it is called


async def breaking(http: aiohttp.ClientSession, harm: Harm) -> float:
    """Break it; when the API server had answered, in seconds since 1970."""
    await _ask(http, "PATCH", f"{harm.path}/status", {"status": harm.status()})
    return time.time()


async def mended(http: aiohttp.ClientSession, harm: Harm) -> None:
    """As a kubelet would end the pods that have to go, and the node would come back."""
    if harm.code == "node-unknown":
        pods = await _items(http, "/api/v1/pods", fieldSelector=f"spec.nodeName={harm.mark}")
        await asyncio.gather(*(_end(http, _path_of(pod)) for pod in pods))
        await _ask(http, "PATCH", f"{harm.path}/status", {"status": _ready("True", "KubeletReady")})
    else:
        await _end(http, harm.path)


async def prepared(http: aiohttp.ClientSession) -> None:
    """Nodes that take pods: the API server taints new ones, and no controller that takes it off runs here."""
    for node in await _items(http, "/api/v1/nodes"):
        await _ask(http, "PATCH", f"/api/v1/nodes/{node['metadata']['name']}", {"spec": {"taints": None}})


async def harms(http: aiohttp.ClientSession, *, crash_loops: int, dark_nodes: int) -> list[Harm]:
    """So many of each. Raises RuntimeError when the cluster is too small for that."""
    pods, nodes = await _items(http, "/api/v1/pods"), await _items(http, "/api/v1/nodes")
    crashing = list(_apart(pods))[:crash_loops]
    used = {pod["spec"]["nodeName"] for pod in crashing}
    dark = [node for node in nodes if node["metadata"]["name"] not in used][:dark_nodes]
    if len(crashing) < crash_loops or len(dark) < dark_nodes:
        raise RuntimeError(f"{len(nodes)} nodes and {len(pods)} pods are not enough for so many faults")
    return [*map(_crash_loop, crashing), *map(_dark, dark)]


def _apart(pods: list[Json]) -> Iterator[Json]:
    """Pods of which no two share an owner or a node."""
    taken: set[str] = set()
    for pod in pods:
        here = {pod["metadata"]["ownerReferences"][0]["uid"], pod["spec"]["nodeName"]}
        if not here & taken:
            taken |= here
            yield pod


def _crash_loop(pod: Json) -> Harm:
    metadata, running = pod["metadata"], pod["status"]["containerStatuses"][0]

    def status() -> Json:
        ended = {"exitCode": 1, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
        state = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
        container = {**running, **state, "ready": False, "started": False, "restartCount": RESTARTS}
        conditions = [_condition(kind, "False", "ContainersNotReady") for kind in ("ContainersReady", "Ready")]
        return {"conditions": conditions, "containerStatuses": [container]}

    return Harm(
        code="pod-crash-loop",
        subject=f"Pod/{metadata['namespace']}/{metadata['name']}",
        mark=metadata["uid"],
        path=_path_of(pod),
        status=status,
    )


def _dark(node: Json) -> Harm:
    """As the control plane calls a node of which it has heard nothing for its grace."""
    name = node["metadata"]["name"]
    return Harm(
        code="node-unknown",
        subject=f"Node/{name}",
        mark=name,
        path=f"/api/v1/nodes/{name}",
        status=lambda: _ready("Unknown", "NodeStatusUnknown"),
    )


def _ready(status: str, reason: str) -> Json:
    return {"conditions": [_condition("Ready", status, reason)]}


def _condition(kind: str, status: str, reason: str) -> Json:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": _now()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _path_of(pod: Json) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


async def _items(http: aiohttp.ClientSession, path: str, **params: str) -> list[Json]:
    async with http.get(path, params=params) as answer:
        answer.raise_for_status()
        return list((await answer.json())["items"])


async def _end(http: aiohttp.ClientSession, path: str) -> None:
    """As a kubelet does once the containers have ended."""
    await _ask(http, "DELETE", path, {"gracePeriodSeconds": 0})


async def _ask(http: aiohttp.ClientSession, method: str, path: str, body: Json) -> None:
    headers = {"content-type": STRATEGIC_PATCH if method == "PATCH" else "application/json"}
    async with http.request(method, path, data=json.dumps(body), headers=headers) as answer:
        if answer.status >= 400 and not (method == "DELETE" and answer.status == 404):
            raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
