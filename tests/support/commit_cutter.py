"""A proxy before PostgreSQL that loses the answer to a COMMIT: it took place, and the client never hears of it."""

import asyncio
from contextlib import suppress
from pathlib import Path

from tests.support.postgres_proxy import Proxy


class CommitCutter(Proxy):
    """Cuts the connections of the next `cuts` commits once PostgreSQL has answered them."""

    def __init__(self, server: Path) -> None:
        super().__init__(server)
        self.cuts = 0

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
