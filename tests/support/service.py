"""A service as a process of its own, asked over HTTP: `health-monitor serve`, unless another program is named.

Whatever a test does to it, the service must end in good order when it is asked to, no task of it may crash, and its log
must hold no secret: that is looked at whenever a service ends.
"""

import asyncio
import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import yaml
from tests.support.receiver import Receiver
from tests.support.told import key_of, still_open

Json = dict[str, Any]

HEALTH_MONITOR, AUTO_HEALING, ALERT_SERVICE = "health_monitor", "auto_healing", "alert_service"
PROGRAM = (sys.executable, "-m", HEALTH_MONITOR)
WITHIN_SECONDS = 120.0
PASSWORD = "hunter2-of-postgres"
_LEFT_BEHIND = re.compile(r"Traceback|task \S+ crashed|check \S+ failed|never retrieved|never awaited", re.IGNORECASE)


class Service:
    """One running service. `secrets` are what its log must never hold."""

    program = HEALTH_MONITOR
    module = ""  # that is run in the program's place

    def __init__(self, process: subprocess.Popen[bytes], url: str, token: str, log: Path, secrets: list[str]) -> None:
        self.url = url
        self.token = token
        self.secrets = [*secrets, token]
        self.process = process
        self.may_complain = False  # True: tracebacks in the log are no failure of the test
        self._log = log
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def resident_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def answer(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """Whatever is answered. `path` is that of the URL."""
        return await self._http.request(method, path, **request)

    async def get(self, path: str, **parameters: Any) -> Any:
        """The answer below /api/v1. Raises httpx.HTTPError."""
        response = await self.answer(f"/api/v1/{path}", params=parameters)
        response.raise_for_status()
        return response.json()

    async def until(
        self, path: str, condition: Callable[[Any], object], within: float = WITHIN_SECONDS, **parameters: Any
    ) -> Any:
        """The first answer below /api/v1 of which the condition holds."""

        async def holds() -> Any:
            body = await self.get(path, **parameters)
            return body if condition(body) else None

        return await self.eventually(holds, within)

    async def eventually(self, ask: Callable[[], Any], within: float = WITHIN_SECONDS) -> Any:
        """The first answer of `ask()` that is true. An answer that is not 2xx counts as not yet."""
        deadline, last = time.monotonic() + within, None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log[-3000:]}"
            try:
                if found := await ask():
                    return found
            except httpx.HTTPError as error:
                last = error
            await asyncio.sleep(0.1)
        raise AssertionError(f"not so within {within} s ({last}); the log ends:\n{self.log[-3000:]}")

    async def ready(self) -> None:
        """Everything was scored once."""

        async def is_ready() -> bool:
            return (await self.answer("/readyz")).status_code == 200

        await self.eventually(is_ready)

    async def storing(self) -> None:
        """It is ready and leads: from now on what changes is stored."""
        await self.ready()
        await self.reaches("leader", lambda value: value == 1)

    async def dependency(self, name: str) -> tuple[str, str]:
        """State and reason in /readyz."""
        found = (await self.answer("/readyz")).json()["dependencies"]
        return next((each["state"], each["reason"] or "") for each in found if each["name"] == name)

    async def becomes(self, name: str, state: str, saying: str = "") -> None:
        """Waits until /readyz gives a dependency this state, with a reason that has these words."""

        async def is_so() -> bool:
            found, reason = await self.dependency(name)
            return found == state and saying in reason

        await self.eventually(is_so)

    async def metric(self, series: str) -> float | None:
        """Of /metrics, such as `source_synced{kind="Pod"}`; None when there is none."""
        text = (await self.answer("/metrics")).text
        found = re.search(rf"^{self.program}_{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return None if found is None else float(found[1])

    async def reaches(self, series: str, condition: Callable[[float], bool]) -> float:
        """Waits until the condition holds of a metric; its value."""

        async def holds() -> tuple[float] | None:
            value = await self.metric(series)
            return (value,) if value is not None and condition(value) else None

        return float((await self.eventually(holds))[0])

    async def events(self, after: int = 0, *, name: str = "", **filters: Any) -> list[Json]:
        """All that are stored, page by page; with `name` those about objects that are called so."""
        found: list[Json] = []
        while True:
            page = await self.get("events", after=after, limit=1000, **filters)
            found += page["events"]
            after = page["next_cursor"]
            if not page["more"]:
                return [each for each in found if name in ("", each["data"]["finding"]["object"]["name"])]

    async def findings(self, **filters: Any) -> list[Json]:
        """All that are open, page by page."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("findings", limit=500, **cursor, **filters)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def told(self, code: str, change: str = "opened", **filters: Any) -> Json:
        """The first stored event of this check and change, waited for."""

        async def is_told() -> list[Json]:
            return await self.events(code=code, change=change, **filters)

        event: Json = (await self.eventually(is_told))[0]
        return event

    async def settled(self, namespace: str) -> list[Json]:
        """Waits until what is open in the namespace is what the events say is open; all events, in order, each once."""

        async def agree() -> list[Json] | None:
            events = await self.events()
            told = {key for key in still_open(events) if key[2] == namespace}
            seen = {key_of(finding) for finding in await self.findings(namespace=namespace)}
            return events if told == seen else None

        events: list[Json] = await self.eventually(agree)
        return events

    async def subscribe(self, receiver: Receiver, **filters: Any) -> str:
        """The subscription's id."""
        body = {"url": receiver.url, "filter": filters}
        answer = await self.answer("/api/v1/subscriptions", "POST", json=body)
        assert answer.status_code == 201, answer.text
        created = answer.json()
        receiver.secrets.append(created["secret"])
        self.secrets.append(created["secret"])
        return str(created["subscription"]["id"])

    async def stream(self, **parameters: Any) -> AsyncIterator[Json]:
        """What the messages of the stream hold, as they come."""
        async with self._http.stream("GET", "/api/v1/stream", params=parameters, timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    async def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def terminate(self) -> int:
        """As Kubernetes does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 60)

    async def close(self) -> None:
        """End it, and look at what it leaves behind."""
        try:
            await self._http.aclose()
            if self.process.poll() is None:
                assert await self.terminate() == 0, self.log[-3000:]
        finally:
            if self.process.poll() is None:
                await self.kill()
        assert not (found := secrets_in(self.log, self.secrets)), f"the log holds secrets: {found}"
        troubles = [line for line in self.log.splitlines() if _LEFT_BEHIND.search(line)]
        assert not troubles or self.may_complain, "\n".join(troubles)[:6000]


@asynccontextmanager
async def running(kubeconfig: Path, database_url: str | None = None, **settings: object) -> AsyncIterator[Service]:
    """The service over the kubeconfig's cluster; without a URL without a database.

    Other settings are named as the variables are, without HEALTH_MONITOR_: `POLICY__FILE=path`.
    """
    with tempfile.TemporaryDirectory(prefix="health-monitor-") as folder:
        service = start(kubeconfig, Path(folder), database_url, **settings)
        try:
            yield service
        finally:
            await service.close()


def start(kubeconfig: Path, folder: Path, database_url: str | None = None, **settings: object) -> Service:
    """Like `running`, for a test that ends it by itself. The folder is for its log."""
    values: dict[str, object] = {
        "CLUSTER__NAME": "test",
        "ENGINE__STORM_OPENINGS": 100_000,  # the many pods of another test must not hide ours in a storm
    }
    if database_url is None:
        values["DATABASE__ENABLED"] = "false"
    return start_program(Service, kubeconfig, folder, database_url, values | settings)


S = TypeVar("S", bound=Service)


def start_program(
    service: type[S],
    kubeconfig: Path | None,
    folder: Path,
    database_url: str | None,
    settings: Mapping[str, object],
    *,
    port: int | None = None,
    token: str | None = None,
) -> S:
    """What all services are given, and the settings of this one. It takes the place of one with its port and token."""
    port, token, log = port or free_port(), token or os.urandom(16).hex(), folder / f"log-{os.urandom(4).hex()}"
    values: dict[str, object] = {
        "WEB__PORT": port,
        "WEB__TOKENS": f"tester:admin:{hashlib.sha256(token.encode()).hexdigest()}",
        "LOG__LEVEL": "debug",
    }
    if kubeconfig is not None:
        values |= {"CLUSTER__KUBECONFIG": kubeconfig, "CLUSTER__CONNECT_TIMEOUT_SECONDS": 5}
    if database_url is not None:
        values["DATABASE__URL"] = with_password(database_url)
    prefix = f"{service.program.upper()}_"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", service.module or service.program, "serve"],
            env=ours() | {f"{prefix}{name}": str(value) for name, value in (values | dict(settings)).items()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return service(process, f"http://127.0.0.1:{port}", token, log, [PASSWORD, *secrets_of(kubeconfig)])


def ours() -> dict[str, str]:
    """Our environment without what could mislead a service."""
    misleading = ("HEALTH_MONITOR_", "AUTO_HEALING_", "ALERT_SERVICE_", "KUBE", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(misleading)}


def environment(**settings: object) -> dict[str, str]:
    """Ours, and the settings of health_monitor."""
    return ours() | {f"HEALTH_MONITOR_{name}": str(value) for name, value in settings.items()}


def with_password(url: str) -> str:
    """The test servers trust everybody; the password is there to be looked for in the log."""
    return re.sub(r"//([^:@/]+)@", rf"//\1:{PASSWORD}@", url)


def secrets_of(kubeconfig: Path | None) -> list[str]:
    """Tokens and keys in it, also where a key has a file of its own."""
    config = yaml.safe_load(kubeconfig.read_text()) if kubeconfig is not None and kubeconfig.exists() else {}
    users = [each["user"] for each in config.get("users") or []]
    tokens = [user["token"] for user in users if user.get("token")]
    keys = [Path(user["client-key"]).read_text() for user in users if user.get("client-key")]
    keys += [base64.b64decode(user["client-key-data"]).decode() for user in users if user.get("client-key-data")]
    return [*tokens, *(key.splitlines()[2] for key in keys)]


def secrets_in(text: str, secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if secret in text] + re.findall(r"whsec_\w+", text)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
