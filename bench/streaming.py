"""A watch that never pauses: a server process that sends prepared pod events as fast as they are read."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

from bench.objects import pod, watch_line

DISTINCT = 2_000  # pods; more would only cost the server memory
PER_CHUNK = 5
LIST_ENDS = watch_line(
    "BOOKMARK",
    {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "100000", "annotations": {"k8s.io/initial-events-end": "true"}},
    },
)


def _chunks(nodes: int) -> Iterator[bytes]:
    """Two rounds over all pods; each with another tenth not ready, so that every event changes its pod."""
    for turn in range(2):
        lines = []
        for i in range(DISTINCT):
            item = pod(i, nodes=nodes, ready=i % 10 != turn)
            item["metadata"]["resourceVersion"] = str(100_000 + turn * DISTINCT + i)
            lines.append(watch_line("MODIFIED", item))
        yield from (_chunk(lines[i : i + PER_CHUNK]) for i in range(0, DISTINCT, PER_CHUNK))


def _chunk(lines: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)


def _serve(pipe: Connection, events: int, nodes: int) -> None:
    chunks = list(_chunks(nodes))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
                b"Connection: close\r\n\r\n"
            )
            if b"sendInitialEvents" in request:
                writer.write(_chunk([LIST_ENDS]))
            for n in range(events // PER_CHUNK):
                writer.write(chunks[n % len(chunks)])
                if n % 10 == 0:
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**20)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


@contextlib.contextmanager
def stream_server(events: int, nodes: int = 50) -> Iterator[str]:
    """Yields the URL of a server that answers every GET with a watch of `events` pod events. Ends with the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, events, nodes), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
