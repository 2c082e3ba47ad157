"""A stand-in API server for what the real one cannot be made to do: cut a watch in mid-line, throttle, stall, lie.

It lists in pages, streams lists, watches with bookmarks and forgets old versions as the real one does, and refuses
what the real one would refuse. Everything else is a test's doing: see the methods.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import HttpVersion11, web

Json = dict[str, Any]

KNOWN_PARAMS = {
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
}


@dataclass(slots=True)
class Answer:
    """What is said instead of the truth, once."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def status_body(code: int, message: str, reason: str = "") -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return json.dumps(status | {"message": message, "reason": reason, "code": code}).encode()


class StandIn:
    """Objects by collection path, such as "/api/v1/pods"; every change gets the next resourceVersion."""

    def __init__(self, *, streams_lists: bool = True, minor: str = "36") -> None:
        self.streams_lists = streams_lists
        self.minor = minor
        self.token = ""  # when set, requests without it are refused
        self.holds_back_old_http = False  # as a proxy does that waits for the end of an answer of HTTP/1.0
        self.requests: list[tuple[str, str, dict[str, str]]] = []  # method, path, params
        self.url = ""
        self.version = 100
        self._oldest = 0
        self._objects: dict[str, dict[tuple[str, str], Json]] = defaultdict(dict)
        self._history: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._watchers: dict[str, set[asyncio.Queue[bytes | None]]] = defaultdict(set)
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._always: dict[str, Answer] = {}
        self._silent: set[str] = set()

    # --- what a test does

    def put(self, path: str, item: Json) -> None:
        """Add or modify an object, and tell the watchers."""
        objects, key = self._objects[path], _key(item)
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self._tell(path, "MODIFIED" if key in objects else "ADDED", item)
        objects[key] = item

    def remove(self, path: str, name: str, namespace: str = "") -> None:
        item = self._objects[path].pop((namespace, name))
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self._tell(path, "DELETED", item)

    def bookmark(self, path: str) -> None:
        self.send(path, _frame("BOOKMARK", {"kind": "X", "metadata": {"resourceVersion": str(self.version)}}))

    def send(self, path: str, raw: bytes) -> None:
        """Any bytes, to all who watch now."""
        for queue in self._watchers[path]:
            queue.put_nowait(raw)

    def cut(self, path: str) -> None:
        """Break the connections of all who watch, without a farewell."""
        self.send_end(path, None)

    def end(self, path: str) -> None:
        """End the watches in good order, as the real one does after some minutes."""
        self.send_end(path, b"")

    def send_end(self, path: str, last: bytes | None) -> None:
        """What is put from now on reaches only those who resume."""
        for queue in self._watchers.pop(path, set()):
            queue.put_nowait(last)

    def forget(self) -> None:
        """Drop the history: whoever resumes from before gets 410 Gone."""
        self._history.clear()
        self.version += 1
        self._oldest = self.version

    def answer(self, path: str, status: int, body: bytes | None = None, *, times: int = 1, **headers: str) -> None:
        """Give this answer to the next requests for the path."""
        self._answers[path].extend([_answer(status, body, headers)] * times)

    def answer_always(self, path: str, status: int, body: bytes | None = None, **headers: str) -> None:
        self._always[path] = _answer(status, body, headers)

    def recover(self, path: str) -> None:
        self._always.pop(path, None)

    def hush(self, path: str) -> None:
        """Accept requests for the path, and never answer, except what `answer` was told."""
        self._silent.add(path)

    def watchers(self, path: str) -> int:
        return len(self._watchers[path])

    def asked(self, path: str, **params: str) -> int:
        """How often the path was asked for with these parameters."""
        return sum(at == path and params.items() <= with_.items() for _, at, with_ in self.requests)

    # --- what the client sees

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["StandIn"]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            for path in list(self._watchers):
                self.cut(path)
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, params = request.path, dict(request.query)
        self.requests.append((request.method, path, params))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _respond(_answer(401, None, {}))
        if self._answers[path]:
            return _respond(self._answers[path].popleft())
        held_back = self.holds_back_old_http and request.version < HttpVersion11 and "watch" in params
        if path in self._silent or held_back:
            await asyncio.sleep(3600)
        if path in self._always:
            return _respond(self._always[path])
        if unknown := params.keys() - KNOWN_PARAMS:
            return _respond(_answer(400, status_body(400, f"unknown parameters {unknown}"), {}))
        if path == "/version":
            return web.json_response({"major": "1", "minor": self.minor, "gitVersion": f"v1.{self.minor}.0"})
        if path.startswith("/apis/metrics.k8s.io/") and path not in self._objects:
            return _respond(_answer(404, b"404 page not found", {}))
        if request.method != "GET":
            return _respond(_answer(405, None, {}))
        return await self._watch(request, path, params) if params.get("watch") else self._list(path, params)

    def _list(self, path: str, params: dict[str, str]) -> web.Response:
        items = [self._objects[path][key] for key in sorted(self._objects[path])]
        start, limit = int(params.get("continue") or 0), int(params.get("limit") or 0) or len(items)
        metadata = {"resourceVersion": str(self.version)}
        if start + limit < len(items):
            metadata["continue"] = str(start + limit)
        return web.json_response({"kind": "List", "metadata": metadata, "items": items[start : start + limit]})

    async def _watch(self, request: web.Request, path: str, params: dict[str, str]) -> web.StreamResponse:
        streaming = params.get("sendInitialEvents") == "true"
        if streaming and not self.streams_lists:
            return _respond(_answer(422, status_body(422, "sendInitialEvents is forbidden for watch"), {}))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for frame in self._initial(path) if streaming else self._missed(path, int(params["resourceVersion"])):
            queue.put_nowait(frame)
        self._watchers[path].add(queue)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            while raw := await queue.get():
                await response.write(raw)
            if raw is None and request.transport is not None:
                request.transport.abort()
        finally:
            self._watchers[path].discard(queue)
        return response

    def _initial(self, path: str) -> list[bytes]:
        end = {"resourceVersion": str(self.version), "annotations": {"k8s.io/initial-events-end": "true"}}
        frames = [_frame("ADDED", item) for item in self._objects[path].values()]
        return [*frames, _frame("BOOKMARK", {"kind": "X", "metadata": end})]

    def _missed(self, path: str, since: int) -> list[bytes]:
        if since < self._oldest:
            gone = status_body(410, f"too old resource version: {since} ({self._oldest})", "Expired")
            return [_frame("ERROR", json.loads(gone)), b""]
        return [frame for version, frame in self._history[path] if version > since]

    def _tell(self, path: str, change: str, item: Json) -> None:
        frame = _frame(change, item)
        self._history[path].append((self.version, frame))
        self.send(path, frame)


def _key(item: Json) -> tuple[str, str]:
    return (item["metadata"].get("namespace", ""), item["metadata"]["name"])


def _frame(change: str, item: Json) -> bytes:
    return json.dumps({"type": change, "object": item}).encode() + b"\n"


def _answer(status: int, body: bytes | None, headers: dict[str, str]) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, status_body(status, f"stand-in says {status}") if body is None else body, names)


def _respond(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers, content_type="application/json")


def kubeconfig_for(url: str, user: Json | None = None) -> Json:
    """A kubeconfig as a dict; dump it as YAML or JSON."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stand-in", "cluster": {"server": url}}],
        "users": [{"name": "tester", "user": user or {}}],
        "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "tester"}}],
        "current-context": "stand-in",
    }
