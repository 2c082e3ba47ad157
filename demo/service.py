"""Runs a service as a user would, as a process of its own, and talks to it over HTTP."""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Program:
    """What is run, and the prefix of its settings."""

    name: str
    arguments: tuple[str, ...]
    prefix: str


HEALTH_MONITOR = Program("health_monitor", ("-m", "health_monitor", "serve"), "HEALTH_MONITOR_")
AUTO_HEALING = Program("auto_healing", ("-m", "auto_healing", "serve"), "AUTO_HEALING_")
ALERT_SERVICE = Program("alert_service", ("-m", "alert_service", "serve"), "ALERT_SERVICE_")


class ServiceFailed(Exception):
    """It ended or never answered; the message has the last lines of its log."""


class Service:
    """The running service."""

    def __init__(self, name: str, url: str, token: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.url = url
        self.token = token
        self.pid = process.pid
        self._log = log
        self._process = process
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    @property
    def database_folder(self) -> Path:
        """Of its embedded PostgreSQL, which other services may share."""
        return self._log.parent / "postgres"

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def kill(self) -> None:
        """As a crash would: nothing is put in order."""
        self._process.kill()
        await self._process.wait()

    async def get(self, path: str) -> Any:
        return json.loads(await self.text(path))

    async def text(self, path: str) -> str:
        answer = await self._http.get(path)
        answer.raise_for_status()
        return answer.text

    async def post(self, path: str, body: object) -> Any:
        """The answer's JSON. Raises ServiceFailed with what the service says is wrong."""
        answer = await self._http.post(path, json=body)
        if answer.is_error:
            raise ServiceFailed(f"{self.name} answers {answer.status_code} to POST {path}: {answer.text}")
        return answer.json()

    async def until(
        self, path: str, condition: Callable[[Any], bool], seconds: float = START_SECONDS, *, every: float = 0.1
    ) -> Any:
        """Asks every so many seconds until the condition holds of the answer. Raises ServiceFailed."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if self.ended:
                raise ServiceFailed(f"{self.name} ended with {self._process.returncode}:\n{self._tail()}")
            with contextlib.suppress(httpx.HTTPError):
                body = await self.get(path)
                if condition(body):
                    return body
            await asyncio.sleep(every)
        raise ServiceFailed(f"{self.name} did not get ready within {seconds:.0f} s:\n{self._tail()}")

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Every health event from the first on; reconnects and reads on after the last one it has."""
        cursor = 0
        while True:
            with contextlib.suppress(httpx.HTTPError):  # the database is not open yet, or the stream broke
                async for event in self._stream(cursor):
                    cursor = event["cursor"]
                    yield event
            await asyncio.sleep(0.2)

    async def _stream(self, cursor: int) -> AsyncIterator[dict[str, Any]]:
        question = {"what": "events", "after": str(cursor)}
        async with self._http.stream("GET", "/api/v1/stream", params=question, timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


@contextlib.asynccontextmanager
async def running(
    environment: Mapping[str, str],
    program: Program = HEALTH_MONITOR,
    *,
    port: int | None = None,
    tokens: Mapping[str, str] = {},
) -> AsyncIterator[Service]:
    """Starts the service with settings of its own, on a free port unless one is given; ends it, and removes its files,
    with the block. `tokens` let others in, by name and scopes such as "alertmanager:operate"."""
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user where this one is root
        port, token, log = port or free_port(), os.urandom(16).hex(), Path(folder) / "log"
        own = _settings(program.prefix, port, {"local:admin": token, **tokens}, folder)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *program.arguments),
                env={**os.environ, **own, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us to hand on, once
            )
        try:
            yield Service(program.name, f"http://127.0.0.1:{port}", token, log, process)
        finally:
            await _end(process)


def _settings(prefix: str, port: int, tokens: Mapping[str, str], folder: str) -> dict[str, str]:
    return {
        f"{prefix}WEB__PORT": str(port),
        f"{prefix}WEB__TOKENS": ",".join(
            f"{who}:{hashlib.sha256(token.encode()).hexdigest()}" for who, token in tokens.items()
        ),
        f"{prefix}DATABASE__FOLDER": f"{folder}/postgres",
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
