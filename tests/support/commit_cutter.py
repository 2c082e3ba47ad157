"""A proxy before PostgreSQL that loses the answer to a COMMIT: it took place, and the client never hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

_SOCKET = ".s.PGSQL.5432"


class CommitCutter:
    """Cuts the connections of the next `cuts` commits once PostgreSQL has answered them."""

    def __init__(self, server: Path) -> None:
        self.cuts = 0
        self._server = server
        self._clients: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client; it is known for as long as it is served."""
        client = asyncio.create_task(self.serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def end(self) -> None:
        """Cut off whoever is still there."""
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the client and PostgreSQL say to each other, but for the answers that are to be lost."""
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        back = asyncio.create_task(_copy(from_server, writer))
        try:
            while data := await reader.read(65536):
                cut = self.cuts > 0 and b"COMMIT" in data
                if cut:
                    self.cuts -= 1
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                to_server.write(data)
                await to_server.drain()
                if cut:
                    await from_server.read(65536)
                    break
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for each in (writer, to_server):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def a_commit_cutter(url: str, folder: Path) -> AsyncIterator[tuple[CommitCutter, str]]:
    """The proxy, and the URL of the same database through it. `folder` takes its socket; its path must be short."""
    target = make_url(url)
    cutter = CommitCutter(Path(str(target.query["host"])) / _SOCKET)
    server = await asyncio.start_unix_server(cutter.accept, folder / _SOCKET)
    try:
        yield cutter, target.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
    finally:
        server.close()
        await cutter.end()
