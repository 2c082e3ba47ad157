"""What stands between a client and PostgreSQL in tests, to do to their connections what networks do."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import make_url

_SOCKET = ".s.PGSQL.5432"


class Proxy(ABC):
    """Knows its clients for as long as it serves them."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._clients: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one client and PostgreSQL say to each other."""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        client = asyncio.create_task(self.serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    def disconnect(self) -> None:
        """Cut off whoever is there."""
        for client in self._clients:
            client.cancel()

    async def end(self) -> None:
        self.disconnect()
        await asyncio.gather(*self._clients, return_exceptions=True)


Kind = TypeVar("Kind", bound=Proxy)


@asynccontextmanager
async def before(url: str, folder: Path, kind: type[Kind]) -> AsyncIterator[tuple[Kind, str]]:
    """The proxy, and the URL of the same database through it. `folder` takes its socket; its path must be short."""
    target = make_url(url)
    proxy = kind(Path(str(target.query["host"])) / _SOCKET)
    server = await asyncio.start_unix_server(proxy.accept, folder / _SOCKET)
    try:
        yield proxy, target.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
    finally:
        server.close()
        await proxy.end()
