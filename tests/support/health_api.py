"""The API of health_monitor over a store of built rows, in process, with three tokens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from tests.support.clock import NOON

from common.clock import SystemClock
from common.cluster.store import Store
from common.contracts import EventData
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.serve import listen, serve, url_of
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token
from health_monitor.api.routes import ROUTERS
from health_monitor.api.services import NO_DATABASE, Services, Stored
from health_monitor.engine.engine import Engine
from health_monitor.policy.file import PolicyFile
from health_monitor.storage.events import EventLog
from health_monitor.storage.history import ScoreHistory
from health_monitor.storage.publish import Outbox
from health_monitor.stream import Hub
from health_monitor.view.listing import Orders
from health_monitor.view.view import View
from health_monitor.webhooks.deliver import Deliverer
from health_monitor.webhooks.subscriptions import Subscriptions

SOURCE = "/clusters/test"
_TOKENS = {scope: new_token(scope.value, scope) for scope in Scope}


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {_TOKENS[scope][0]}"}


@dataclass(slots=True)
class State:
    """The database as the API sees it."""

    stored: Stored | None = None
    reason: str = NO_DATABASE


@dataclass(slots=True)
class Api:
    """The application and what is behind it."""

    app: FastAPI
    engine: Engine
    hub: Hub
    stopping: asyncio.Event
    database: Database | None

    async def store(self, epoch: int, events: Sequence[EventData]) -> None:
        """Publish events as a leader does."""
        assert self.database is not None
        services: Services = self.app.state.services
        assert services.storage.stored is not None
        outbox = Outbox(self.database, SystemClock(), source=SOURCE, on_stored=self.hub.publish_events)
        outbox.lead(epoch)
        outbox.put(events)
        writing = asyncio.create_task(outbox.run())
        try:
            assert await outbox.flush(30)
        finally:
            writing.cancel()
        services.storage.stored.events.announce()

    def client(self, scope: Scope | None = Scope.ADMIN) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://test",
            headers=bearer(scope) if scope is not None else {},
        )

    @asynccontextmanager
    async def served(self, scope: Scope = Scope.READ) -> AsyncIterator[httpx.AsyncClient]:
        """On a real socket, for answers that do not end."""
        sock, stop = listen("127.0.0.1", 0), asyncio.Event()
        url = url_of(sock)
        serving = asyncio.create_task(serve(self.app, sock, stop=stop, grace_seconds=1))
        try:
            async with httpx.AsyncClient(base_url=url, headers=bearer(scope), timeout=60) as client:
                yield client
        finally:
            self.hub.close()
            stop.set()
            await serving


def an_api(
    store: Store,
    database: Database | None = None,
    *,
    started: bool = True,
    policy: PolicyFile | None = None,
    hub: Hub | None = None,
) -> Api:
    """`started` False: the cluster is still being read."""
    engine = Engine(store)
    if started:
        engine.start()
        engine.work(NOON)
    stopping = asyncio.Event()
    hub = hub or Hub()
    app = create_app(
        "health_monitor",
        "1.0",
        routers=ROUTERS,
        authenticator=StaticTokens.parse(",".join(entry for _, entry in _TOKENS.values())),
        probes=(),
        metrics=ServiceMetrics("health_monitor", "1.0"),
        settings=WebSettings(),
    )
    app.state.services = Services(
        cluster_name="test",
        engine=engine,
        view=View(engine, store, runbook="docs/runbooks/{code}.md", orders=Orders(fresh_seconds=0)),
        hub=hub,
        runbook="docs/runbooks/{code}.md",
        policy_file=policy,
        now=lambda: NOON,
        storage=State() if database is None else State(_stored(database), ""),
        stopping=stopping,
    )
    return Api(app=app, engine=engine, hub=hub, stopping=stopping, database=database)


def _stored(database: Database) -> Stored:
    clock = SystemClock()
    deliverer = Deliverer(database, clock, source=SOURCE)
    return Stored(
        events=EventLog(database),
        history=ScoreHistory(database),
        subscriptions=Subscriptions(database, clock),
        deliverer=deliverer,
    )
