"""What every service stands on: where it listens, the API server of its cluster, and who may call it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
class Ground:
    """Open for as long as the service runs. Callers are let in once the service serves on `listening`."""

    listening: socket
    api: Api
    clock: Clock
    access: Access

    def announce(self, tell: Announce) -> None:
        tell(url_of(self.listening), self.access.token)


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
