"""What every service stands on: where it listens, who may call it, and the API server of its cluster if it has one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from socket import socket

from common.clock import Clock, SystemClock
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from common.web.access import Access, access
from common.web.serve import listen, url_of
from common.web.settings import WebSettings

Announce = Callable[[str, str | None], None]  # where it listens, and the token that was made for this run


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """Open for as long as the service runs. Callers are let in once the service serves on `listening`."""

    listening: socket
    clock: Clock
    access: Access

    def announce(self, tell: Announce) -> None:
        tell(url_of(self.listening), self.access.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground(Footing):
    """Of a service that works on a cluster."""

    api: Api


@asynccontextmanager
async def ground(service: str, *, web: WebSettings, cluster: KubeSettings) -> AsyncIterator[Ground]:
    """For a service such as health_monitor. Raises CannotListen, BadKubeconfig, AccessMissing."""
    clock = SystemClock()
    listening = listen(web.host, web.port)
    try:
        async with await connect(cluster, clock) as api:
            yield Ground(listening=listening, api=api, clock=clock, access=access(web, api, service=service))
    finally:
        listening.close()


@asynccontextmanager
async def footing(service: str, *, web: WebSettings) -> AsyncIterator[Footing]:
    """For a service that needs no cluster: the API server is asked only about Kubernetes tokens, if those let in.

    Raises CannotListen, BadKubeconfig, AccessMissing.
    """
    clock = SystemClock()
    listening = listen(web.host, web.port)
    try:
        async with AsyncExitStack() as stack:
            api = None
            if web.kubernetes_auth:
                api = await stack.enter_async_context(await connect(KubeSettings(), clock))
            yield Footing(listening=listening, clock=clock, access=access(web, api, service=service))
    finally:
        listening.close()
