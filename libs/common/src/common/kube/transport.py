"""One exchange with the API server: credentials on the way out, KubeErrors on the way back, statistics of both."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp

from common.clock import Clock
from common.kube import client_library
from common.kube.credentials import Credentials
from common.kube.errors import BadKubeconfig, KubeError, Unavailable, from_answer
from common.kube.statistics import ApiStatistics
from common.kube.target import Target, target_of

HEADERS = {"Accept-Encoding": "identity", "User-Agent": "k8s-health-checker"}
# Unpacking gzip would cost more than the bytes do: an API server is near, and this client is bound by its CPU.
NO_OLD_HTTP = {400, 426, 505}  # what a proxy that knows no HTTP/1.0 says
READ_BUFFER_BYTES = 2 << 20


@contextmanager
def descriptors_mistaken() -> Iterator[None]:
    """After an outage uvloop may take a new socket for one of its connections that is long gone. That is no defect of
    the request, and over once the descriptor was used otherwise (https://github.com/MagicStack/uvloop/issues/653).
    """
    try:
        yield
    except RuntimeError as error:
        if "is used by transport" not in str(error):
            raise
        raise ConnectionError(f"the connection could not be begun: {error}") from error


class Transport:
    """Holds the connections. Must be made where an event loop runs."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self.host: str = credentials.configuration.host
        self.context = credentials.context
        self.statistics = ApiStatistics(clock)
        self._credentials = credentials
        self._clock = clock
        self._sessions: list[_Sessions] = []
        self._certificate: str | None = None
        self._newest()

    async def close(self) -> None:
        for sessions in self._sessions:
            await sessions.close()

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        limits: aiohttp.ClientTimeout,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "application/json",
        streaming: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A 2xx answer, to be read inside the block; losing the connection there is a KubeError too."""
        target = target_of(method, path, params)
        headers = HEADERS | {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        request = {"method": method, "url": self.host + path, "params": params, "data": body, "timeout": limits}
        started = self._clock.monotonic()
        try:
            async with await self._authorized(request, headers, streaming) as response:
                seconds = self._clock.monotonic() - started
                self.statistics.answered(*target, status=response.status, seconds=seconds)
                if response.status >= 300:
                    raise await _error_of(response, target)
                yield response
        except (aiohttp.ClientError, OSError) as error:  # every timeout is an OSError
            self.statistics.lost(*target, seconds=self._clock.monotonic() - started)
            if streaming and isinstance(error, TimeoutError):  # it may be held back by a proxy until it ends
                await self._newest().forget_unframed()
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            raise Unavailable(f"{target}: {_loss(error, self.host)}", sent=sent) from error

    async def _authorized(
        self, request: dict[str, Any], headers: dict[str, str], streaming: bool
    ) -> aiohttp.ClientResponse:
        """Sends it; when the credential is refused, once more with a new one."""
        header = await self._credentials.header()
        response = await self._send(request, headers, header, streaming)
        if response.status == 401 and await self._credentials.renew(header or ""):
            response.release()
            response = await self._send(request, headers, await self._credentials.header(), streaming)
        return response

    async def _send(
        self, request: dict[str, Any], headers: dict[str, str], authorization: str | None, streaming: bool
    ) -> aiohttp.ClientResponse:
        if authorization:
            headers = headers | {"Authorization": authorization}
        sessions = self._newest()
        request = {**request, **sessions.options, "headers": headers, "allow_redirects": False}
        if streaming and sessions.unframed is not None:
            with descriptors_mistaken():
                response = await sessions.unframed.request(**{**request, "headers": {**headers, "Connection": "close"}})
            if response.status not in NO_OLD_HTTP:
                return response
            response.release()
            await sessions.forget_unframed()
        with descriptors_mistaken():
            return await sessions.plain.request(**request)

    def _newest(self) -> "_Sessions":
        """New ones when a renewal has brought another client certificate: running streams keep theirs."""
        configuration = self._credentials.configuration
        if not self._sessions or self._certificate != configuration.cert_file:
            self._certificate = configuration.cert_file
            try:
                self._sessions.append(_Sessions(client_library.load().RESTClientObject(configuration)))
            except OSError as error:  # every SSLError is one
                reason = f"{self._credentials.source}: its certificates cannot be used: {error}"
                raise BadKubeconfig(reason) from error
        return self._sessions[-1]


class _Sessions:
    """The client library's session, and one over the same connections for streams, which speaks HTTP/1.0.

    A watch of HTTP/1.1 wraps each event into a chunk, and taking these apart takes a third of the time that transport
    takes. To HTTP/1.0 the API server writes the bare events until it closes the connection. How a stream ends does not
    matter here: it is resumed after the last whole line.
    """

    def __init__(self, client: Any) -> None:
        self.plain: aiohttp.ClientSession = client.pool_manager
        self.unframed: aiohttp.ClientSession | None = aiohttp.ClientSession(
            connector=self.plain.connector,
            connector_owner=False,
            version=aiohttp.HttpVersion10,
            read_bufsize=READ_BUFFER_BYTES,
            trust_env=True,
        )
        options = {
            "proxy": client.proxy,
            "proxy_headers": client.proxy_headers,
            "server_hostname": client.server_hostname,
        }
        self.options = {name: value for name, value in options.items() if value}

    async def forget_unframed(self) -> None:
        """Something on the way does not want it."""
        if self.unframed is not None:
            session, self.unframed = self.unframed, None
            await session.close()

    async def close(self) -> None:
        await self.forget_unframed()
        await self.plain.close()


async def _error_of(response: aiohttp.ClientResponse, target: Target) -> KubeError:
    retry_after = response.headers.get("Retry-After", "")
    seconds = float(retry_after) if retry_after.isdecimal() else None
    return from_answer(response.status, await response.read(), str(target), seconds)


def _loss(error: Exception, host: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{host} has a certificate that is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot reach {host}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return f"no answer from {host} in time"
    return f"lost the connection to {host}: {error or type(error).__name__}"
