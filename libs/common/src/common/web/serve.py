"""Runs an application on a socket beside the process's other tasks, and ends it in good order."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
import uvloop
from starlette.types import ASGIApp

from common.web.head import BoundedHead

logger = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class CannotListen(Exception):
    """The address is taken, not ours or not allowed; the message is one line for the operator."""


class StartupFailed(Exception):
    """The application's lifespan raised before the first request; the log has the error."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one, see `url_of`. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise CannotListen(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return sock


def url_of(sock: socket.socket) -> str:
    """Where the socket can be reached from this machine."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(app: ASGIApp, sock: socket.socket, *, stop: asyncio.Event, grace_seconds: float) -> None:
    """Answer requests until `stop` is set; then running ones have `grace_seconds` to end before they are cut.

    Raises StartupFailed. The socket is closed at the end.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=BoundedHead,
            loop="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            # Longer than the 60 s of common load balancers, which else reuse a connection that we have just closed.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
        )
    )
    stopper = asyncio.create_task(_stop_when(stop, server))
    try:
        await server.serve(sockets=[sock])
    except SystemExit as error:  # uvicorn's way to say that the lifespan failed
        raise StartupFailed("the application did not start; the error is in the log") from error
    finally:
        stopper.cancel()
        sock.close()


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run `main(stop)` on uvloop; SIGTERM and SIGINT set `stop`, and the same again cancels what is left.

    Returns main's exit code, or 130 when it had to be cancelled.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_stopped(main))


async def _until_stopped(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            logger.warning("second %s: not waiting any longer", number.name)
            task.cancel()
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        return await task
    except asyncio.CancelledError:
        return 130
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _stop_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business, which has more to end than this server."""
        yield
