"""The server listens, answers, and ends in good order; what keeps it from listening is one line."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from fastapi import FastAPI
from tests.support.web import sample_app

from common.web.serve import CannotListen, StartupFailed, listen, run, serve, url_of

SERVICE = """
import sys
from common.web.serve import listen, run, serve, url_of
from tests.support.web import sample_app

async def main(stop):
    sock = listen("127.0.0.1", 0)
    print(url_of(sock), flush=True)
    await serve(sample_app(), sock, stop=stop, grace_seconds=1)
    return 3

sys.exit(run(main))
"""


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    stop = asyncio.Event()
    sock = listen("127.0.0.1", 0)
    server = asyncio.create_task(serve(app, sock, stop=stop, grace_seconds=1))
    try:
        yield url_of(sock)
    finally:
        stop.set()
        await server


async def test_requests_are_answered_until_the_stop() -> None:
    async with serving(sample_app()) as url, httpx.AsyncClient() as client:
        response = await client.get(f"{url}/livez")
        assert response.json() == {"status": "alive"}
        assert "server" not in response.headers

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/livez")


async def test_a_head_without_end_is_refused_and_cut_and_others_are_answered() -> None:
    async with serving(sample_app()) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: here\r\nX-Filler: ")
        with suppress(ConnectionError):
            for _ in range(1000):  # 16 MiB
                writer.write(16_384 * b"a")
                await writer.drain()
        with suppress(ConnectionError):  # a reset may come before the answer is read
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        assert writer.transport.is_closing() or reader.at_eof()
        writer.close()

        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/livez", headers={"X-Filler": 32_768 * "a"})).status_code == 200


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
async def test_whoever_sends_too_much_is_told_so_instead_of_cut_off(announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(256):  # 16 MiB: more than the buffers of both sides hold
            yield 65_536 * b"a"

    body = (256 * 65_536) * b"a" if announced else pieces()
    async with serving(sample_app(body_limit_bytes=1024)) as url, httpx.AsyncClient(timeout=60) as client:
        assert (await client.post(f"{url}/faulty/raw", content=body)).status_code == 413
        assert (await client.get(f"{url}/livez")).status_code == 200


async def test_a_running_request_is_finished_before_the_end() -> None:
    app = sample_app()
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    async with httpx.AsyncClient() as client:
        async with serving(app) as url:
            answer = asyncio.create_task(client.get(f"{url}/slow"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        assert (await answer).json() == "done"


async def test_a_request_that_never_ends_does_not_keep_the_process() -> None:
    app = sample_app()
    begun = asyncio.Event()

    @app.get("/endless")
    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(timeout=60) as client:
        async with serving(app) as url:
            answer = asyncio.create_task(client.get(f"{url}/endless"))
            await begun.wait()
        with suppress(httpx.HTTPError):
            await answer


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET /api/v1/notes/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", id="a path that is not ASCII"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n", id="a length in other digits"),
        pytest.param(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"
        ),
        pytest.param(b"NONSENSE\r\n\r\n", id="no HTTP at all"),
    ],
)
async def test_what_is_not_http_is_the_clients_fault(raw: bytes) -> None:
    async with serving(sample_app()) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        status = (await reader.readline()).split(b" ")[1:2]
        writer.close()
        await writer.wait_closed()

    assert status == [b"400"]


async def test_an_application_that_does_not_start_ends_the_server() -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise ValueError("no good")
        yield

    with pytest.raises(StartupFailed):
        await serve(FastAPI(lifespan=lifespan), listen("127.0.0.1", 0), stop=asyncio.Event(), grace_seconds=1)


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"^cannot listen on 127.0.0.1 port {port}: Address already in use$"):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CannotListen, match=r"^cannot listen on no\.such\.host\.invalid: "):
        listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", r"http://127\.0\.0\.1:\d+", id="this machine alone"),
        pytest.param("0.0.0.0", r"http://127\.0\.0\.1:\d+", id="every address"),
    ],
)
def test_the_url_is_one_that_works_from_here(host: str, url: str) -> None:
    with listen(host, 0) as sock:
        assert re.fullmatch(url, url_of(sock))


def start() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://")
    return process


def test_a_signal_ends_the_process_with_its_own_exit_code() -> None:
    process = start()

    process.send_signal(signal.SIGTERM)

    process.communicate(timeout=60)
    assert process.returncode == 3


def test_a_signal_asks_the_process_to_end() -> None:
    async def main(stop: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        return 4

    assert run(main) == 4


def test_the_same_signal_again_ends_what_does_not_want_to_end() -> None:
    async def stubborn(stop: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        return 0

    assert run(stubborn) == 130
