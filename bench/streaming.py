"""A stand-in for an API server that never pauses: it sends prepared pod events as fast as they are read.

Kinds other than pods are listed and then quiet. Where the pods are listed first, their events wait for GET /go.
"""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.objects import PODS_PER_WORKLOAD, node, pod, watch_line, workload

DISTINCT = 2_000  # pods; more would only cost the server memory
PER_CHUNK = 5
START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
VERSION = b'{"major":"1","minor":"36","gitVersion":"v1.36.3"}'


@dataclass(frozen=True, slots=True)
class Stream:
    """So many pod events; with `listed`, after a list of all pods, nodes and workloads."""

    events: int
    nodes: int = 50
    listed: bool = False


def list_ends(kind: str) -> bytes:
    """The bookmark that says that all objects of a list were sent."""
    ends = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": "100000", "annotations": ends}
    return watch_line("BOOKMARK", {"kind": kind, "apiVersion": "v1", "metadata": metadata})


def pod_events(nodes: int, rounds: int = 2) -> Iterator[bytes]:
    """Watch lines, round by round over all pods; each round has another tenth not ready, so that every one changes."""
    for turn in range(rounds):
        for i in range(DISTINCT):
            item = pod(i, nodes=nodes, ready=i % 10 != turn % 2)
            item["metadata"]["resourceVersion"] = str(200_000 + turn * DISTINCT + i)
            yield watch_line("MODIFIED", item)


class _Server:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        lines = list(pod_events(stream.nodes))
        self._chunks = [_chunk(lines[i : i + PER_CHUNK]) for i in range(0, len(lines), PER_CHUNK)]
        self._lists = _lists(stream.nodes) if stream.listed else {}
        self._go = asyncio.Event()
        if not stream.listed:
            self._go.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split()[1].decode().partition("?")[0]
            if b"watch=" in request:
                await self._watch(path, writer, listing=b"sendInitialEvents" in request)
            else:
                await self._plain(path, writer)
            writer.close()

    async def _plain(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/go":
            self._go.set()
        status, body = ("200 OK", VERSION) if path in ("/version", "/go") else ("404 Not Found", b"{}")
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()

    async def _watch(self, path: str, writer: asyncio.StreamWriter, *, listing: bool) -> None:
        kind = path.rsplit("/", 1)[1]
        writer.write(START)
        if listing:
            for line in self._lists.get(kind, ()):
                writer.write(_chunk([line]))
                await writer.drain()
            writer.write(_chunk([list_ends(kind)]))
        await writer.drain()
        if kind != "pods":
            await asyncio.Event().wait()
        await self._go.wait()
        for n in range(self._stream.events // PER_CHUNK):
            writer.write(self._chunks[n % len(self._chunks)])
            if n % 10 == 0:
                await writer.drain()
                if writer.is_closing():
                    return
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _lists(nodes: int) -> dict[str, list[bytes]]:
    owners = [workload(w) for w in range(DISTINCT // PODS_PER_WORKLOAD)]
    return {
        "nodes": _added(node(i) for i in range(nodes)),
        "deployments": _added(deployment for deployment, _ in owners),
        "replicasets": _added(replica_set for _, replica_set in owners),
        "pods": _added(pod(i, nodes=nodes) for i in range(DISTINCT)),
    }


def _added(items: Iterable[dict[str, Any]]) -> list[bytes]:
    return [watch_line("ADDED", item) for item in items]


def _chunk(lines: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)


def _serve(pipe: Connection, stream: Stream) -> None:
    async def main() -> None:
        server = await asyncio.start_server(_Server(stream).answer, "127.0.0.1", 0, limit=2**20)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


@contextlib.contextmanager
def stream_server(stream: Stream) -> Iterator[str]:
    """Yields the server's URL; it is a process of its own, and ends with the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, stream), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
