"""A proxy before PostgreSQL that falls silent, as a network does that drops all packets: nothing ends or answers."""

import asyncio
from contextlib import suppress
from pathlib import Path

from tests.support.postgres_proxy import Proxy


class Line(Proxy):
    """To the server. While it is `cut` nothing that is said on it gets anywhere."""

    def __init__(self, server: Path) -> None:
        super().__init__(server)
        self._open = asyncio.Event()
        self._open.set()

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        """What was connected meanwhile finds out that it is not any more."""
        self.disconnect()
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
