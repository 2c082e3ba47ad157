"""A proxy before PostgreSQL that falls silent, as a network does that drops all packets: nothing ends or answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

_SOCKET = ".s.PGSQL.5432"


class Line:
    """To the server. While it is `cut` nothing that is said on it gets anywhere."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._open = asyncio.Event()
        self._open.set()
        self._clients: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        """What was connected meanwhile finds out that it is not any more."""
        for client in self._clients:
            client.cancel()
        self._open.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, for as long as it stays."""
        client = asyncio.create_task(self._serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def end(self) -> None:
        """Of all clients."""
        self.mend()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            from_server, to_server = await asyncio.open_unix_connection(self._server)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pass_on(reader, to_server))
                    both.create_task(self._pass_on(from_server, writer))
            finally:
                to_server.close()
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
            writer.close()


@asynccontextmanager
async def a_line(url: str, folder: Path) -> AsyncIterator[tuple[Line, str]]:
    """The proxy, and the URL of the same database through it. `folder` takes its socket; its path must be short."""
    target = make_url(url)
    line = Line(Path(str(target.query["host"])) / _SOCKET)
    server = await asyncio.start_unix_server(line.accept, folder / _SOCKET)
    try:
        yield line, target.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
    finally:
        server.close()
        await line.end()
