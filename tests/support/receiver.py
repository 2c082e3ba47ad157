"""A webhook receiver as strict as the specifications allow: it refuses what a careful consumer would refuse.

It checks signatures by itself, with none of the product's code, as Standard Webhooks describes them.
"""

import base64
import hashlib
import hmac
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import web

from common.contracts import HealthEvent

Answer = Callable[[HealthEvent], web.Response]
_TOLERANCE_SECONDS = 300


def answer(status: int, **headers: str) -> Answer:
    """Always the same answer; `retry_after="30"` is sent as Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda event: web.Response(status=status, headers=named)


class Receiver:
    """Accepts events with 204, unless it is told to do something else with them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.secrets: list[str] = []
        self.answer: Answer = answer(204)
        self.next_answers: deque[Answer] = deque()  # before `answer`
        self.accepted: list[HealthEvent] = []
        self.attempts: Counter[str] = Counter()  # by subject
        self.complaints: list[str] = []
        self._now = now
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks"

    @property
    def cursors(self) -> list[int]:
        return [event.cursor for event in self.accepted]

    async def start(self) -> None:
        """Listen; the second time on the same port."""
        app = web.Application()
        app.router.add_route("*", "/hooks", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if (complaint := self._complaint(request, body)) is not None:
            self.complaints.append(complaint)
            return web.Response(status=401, text=complaint)
        event = HealthEvent.model_validate_json(body)
        if event.id != request.headers["webhook-id"]:
            self.complaints.append("webhook-id is not the id of the event")
        self.attempts[event.subject] += 1
        response = (self.next_answers.popleft() if self.next_answers else self.answer)(event)
        if response.status < 300:
            self.accepted.append(event)
        return response

    def _complaint(self, request: web.Request, body: bytes) -> str | None:
        if request.method != "POST":
            return f"method {request.method}"
        if request.headers.get("content-type") != "application/cloudevents+json":
            return f"content type {request.headers.get('content-type')}"
        return self._signature_complaint(request.headers, body)

    def _signature_complaint(self, headers: Mapping[str, str], body: bytes) -> str | None:
        try:
            message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
            signatures = headers["webhook-signature"].split(" ")
        except KeyError as missing:
            return f"no header {missing}"
        if abs(int(timestamp) - self._now().timestamp()) > _TOLERANCE_SECONDS:
            return f"signed at {timestamp}, which is not now"
        signed = f"{message_id}.{timestamp}.".encode() + body
        if not any(f"v1,{_digest(secret, signed)}" in signatures for secret in self.secrets):
            return "no signature fits"
        return None


def _digest(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@asynccontextmanager
async def a_receiver(now: Callable[[], datetime]) -> AsyncIterator[Receiver]:
    """A running receiver that has no complaint at the end."""
    receiver = Receiver(now)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
    assert receiver.complaints == []
