"""A connection that is given up half made leaves no socket that closes somebody else's."""

import asyncio
import socket

from common.web.serve import run


def test_a_socket_whose_connection_is_given_up_closes_nothing_any_more() -> None:
    async def give_up(_: asyncio.Event) -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            sock = socket.create_connection(server.getsockname())
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            connecting = asyncio.ensure_future(loop.create_connection(asyncio.Protocol, sock=sock))
            await asyncio.sleep(0)
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            assert connecting.cancelled()
            return sock.fileno()

    assert run(give_up) == -1
