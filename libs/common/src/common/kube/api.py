"""A client of one API server: typed answers, and patience with a server that is overloaded or restarting."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from types import MappingProxyType
from typing import Any

import aiohttp
import msgspec

from common.kube.errors import Invalid, KubeError
from common.kube.retry import Backoff, may_retry
from common.kube.settings import KubeSettings
from common.kube.statistics import ApiStatistics
from common.kube.transport import Transport

Params = Mapping[str, str]

NO_PARAMS: Params = MappingProxyType({})
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class Api:
    """Made by `connect`. All methods raise KubeErrors.

    `type_` is what the JSON of the answer is decoded to: a msgspec Struct, or anything that msgspec knows.
    """

    def __init__(self, transport: Transport, settings: KubeSettings) -> None:
        self._transport = transport
        self._settings = settings
        self._backoff = Backoff()
        self._random = Random()  # noqa: S311 - it spreads retries and guards no secret

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    @property
    def host(self) -> str:
        """URL of the server."""
        return self._transport.host

    @property
    def context(self) -> str:
        """Name of the kubeconfig's context, or "in-cluster"."""
        return self._transport.context

    @property
    def statistics(self) -> ApiStatistics:
        return self._transport.statistics

    async def get(self, path: str, params: Params = NO_PARAMS, *, type_: Any = Any, accept: str = JSON) -> Any:
        return _decoded(await self.request("GET", path, params, accept=accept), type_, path)

    async def post(self, path: str, body: Any, *, type_: Any = Any) -> Any:
        return _decoded(await self.request("POST", path, body=body), type_, path)

    async def put(self, path: str, body: Any, *, type_: Any = Any) -> Any:
        return _decoded(await self.request("PUT", path, body=body), type_, path)

    async def patch(self, path: str, body: Any, *, type_: Any = Any, content_type: str = MERGE_PATCH) -> Any:
        return _decoded(await self.request("PATCH", path, body=body, content_type=content_type), type_, path)

    async def delete(self, path: str, body: Any = None, *, type_: Any = Any) -> Any:
        return _decoded(await self.request("DELETE", path, body=body), type_, path)

    async def request(
        self,
        method: str,
        path: str,
        params: Params = NO_PARAMS,
        *,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout_seconds: float | None = None,
        attempts: int | None = None,
    ) -> bytes:
        """The body of a 2xx answer. What may be repeated is tried `attempts` times, or as often as the settings say."""
        data = None if body is None else msgspec.json.encode(body)
        limits = self._limits(total=timeout_seconds or self._settings.request_timeout_seconds)
        attempts = attempts or self._settings.attempts
        attempt = 0
        while True:
            try:
                async with self._transport.open(
                    method, path, params, limits=limits, body=data, content_type=content_type, accept=accept
                ) as response:
                    return await response.read()
            except KubeError as error:
                if attempt + 1 >= attempts or not may_retry(method, error):
                    raise
                delay = self._backoff.delay(attempt, self._random, error.retry_after_seconds)
            attempt += 1
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, path: str, params: Params, *, silence_seconds: float) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of a 2xx answer as it comes. Silence for longer than that is Unavailable. Never tried again."""
        limits = self._limits(silence=silence_seconds)
        async with self._transport.open("GET", path, params, limits=limits, streaming=True) as response:
            yield response.content

    def _limits(self, *, total: float | None = None, silence: float | None = None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=total, sock_connect=self._settings.connect_timeout_seconds, sock_read=silence
        )


def _decoded(body: bytes, type_: Any, path: str) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path}: the answer is not what was expected: {error}") from error
