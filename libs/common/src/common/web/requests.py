"""The outermost layer of every request: its id, its time, its line in the access log, and the answer to a crash."""

import re
import time
import uuid
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.metrics import ServiceMetrics
from common.web.problems import Problem

logger = structlog.get_logger("access")

# The targets are 20 ms at the 99th percentile; streams that stay open for minutes fall into the last bucket.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
# Asked every few seconds by machines: logged only when the answer is not the usual one.
_ROUTINE = frozenset({"/livez", "/readyz", "/metrics"})
_CLIENT_GONE = 499


class Requests:
    """ASGI middleware. It adds to each scope's state a `request_id`, which log lines and problems then carry."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._seconds: Histogram = metrics.histogram(
            "http_request_seconds",
            "Time to answer, by route template and status.",
            ("method", "route", "status"),
            buckets=BUCKETS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = _Answer(_request_id(scope), send)
        scope.setdefault("state", {})["request_id"] = answer.request_id
        structlog.contextvars.bind_contextvars(request_id=answer.request_id)
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = answer.status or _CLIENT_GONE
        except Exception:
            if answer.status:  # too late for another answer: the server cuts the connection, and logs why
                raise
            logger.exception("request failed", method=scope["method"], path=scope["path"])
            problem = Problem(500, "an error of the service, not of the request; its logs have the request id")
            await problem.response(answer.request_id)(scope, receive, answer.send)
        finally:
            self._record(scope, answer.status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        self._seconds.labels(method, _template(scope), status).observe(seconds)
        log = logger.debug if scope["path"] in _ROUTINE and status == 200 else logger.info
        identity = scope["state"].get("identity")
        log(
            "request",
            method=method,
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
            client=scope["client"][0] if scope.get("client") else None,
            who=identity.name if identity else None,
        )


class _Answer:
    """Sees the answer go by: notes its status, adds the id."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            message["headers"] = [
                *headers,
                (b"x-request-id", self.request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """The client's own id when it is harmless in logs and headers, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return bytes(value).decode("ascii")
    return uuid.uuid4().hex


def _template(scope: MutableMapping[str, Any]) -> str:
    """The path as declared, with its parameters unfilled: a label must not grow with what clients ask for."""
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched")) if route is not None else "unmatched"
