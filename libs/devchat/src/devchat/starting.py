"""Starting a chat, in this process or in one of its own."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from devchat.app import create_app
from devchat.client import Chat
from devchat.settings import Settings
from devchat.state import State


@asynccontextmanager
async def listening(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[State]:
    """The servers of a chat; port 0 takes a free one."""
    state = State(settings)
    runner = web.AppRunner(create_app(state), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        address, taken = runner.addresses[0][:2]
        state.url = f"http://{address}:{taken}"
        yield state
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(settings: Settings | None = None, port: int = 0) -> AsyncIterator[Chat]:
    """A chat in this process."""
    chosen = settings or Settings()
    async with listening(chosen, port=port) as state:
        chat = Chat(state.url, chosen)
        try:
            yield chat
        finally:
            await chat.close()


@asynccontextmanager
async def process(settings: Settings | None = None) -> AsyncIterator[Chat]:
    """A chat in a process of its own, which ends with this one."""
    chosen = settings or Settings()
    command = [
        sys.executable,
        "-m",
        "devchat",
        "--settings",
        msgspec.json.encode(chosen).decode(),
        "--until-input-ends",
    ]
    started = await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert started.stdin is not None
    assert started.stdout is not None
    try:
        url = (await asyncio.wait_for(started.stdout.readline(), 30)).decode().split()[-1]
        chat = Chat(url, chosen)
        try:
            yield chat
        finally:
            await chat.close()
    finally:
        started.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(started.wait(), 10)
        if started.returncode is None:
            started.kill()
            await started.wait()
