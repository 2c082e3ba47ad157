"""A watch that never pauses: a server process that sends prepared pod events as fast as they are read."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

from bench.objects import pod, watch_line

DISTINCT = 2_000  # more would only cost the server memory


def _serve(pipe: Connection, events: int, nodes: int) -> None:
    lines = [watch_line("MODIFIED", pod(i, nodes=nodes, ready=i % 50 != 0)) for i in range(DISTINCT)]
    chunks = [b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines[i : i + 5]) for i in range(0, DISTINCT, 5)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
                b"Connection: close\r\n\r\n"
            )
            for n in range(events // 5):
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
