"""The composition root: makes the parts of the service, starts them in their order, and ends them in reverse."""

import asyncio
import logging
import sys
from importlib.metadata import version
from urllib.parse import quote

from fastapi import FastAPI

from common.cluster.watch import ClusterWatch
from common.hosting import Announce, Ground, ground
from common.leading.leadership import Leadership
from common.metrics import ServiceMetrics, watch_loop_lag
from common.supervisor import Supervisor
from common.web.app import create_app
from common.web.serve import serve
from health_monitor.api.answers import prepare
from health_monitor.api.routes import ROUTERS
from health_monitor.api.services import Services
from health_monitor.collector import HealthCollector, OnLoop, Vitals, VitalsCollector
from health_monitor.engine.engine import Engine
from health_monitor.leading import leadership
from health_monitor.metrics import SERVICE, Metrics
from health_monitor.monitor import CheckErrors, Monitor
from health_monitor.policy import DEFAULT_POLICY
from health_monitor.policy.file import PolicyFile
from health_monitor.readiness import probes
from health_monitor.settings import MonitorSettings
from health_monitor.storage.buffer import DropReason
from health_monitor.storage.storage import Storage
from health_monitor.stream import Hub
from health_monitor.view.view import View

logger = logging.getLogger(__name__)

VERSION = version("k8s-health-checker-health-monitor")
_FLUSH_SECONDS = 3.0
# A scrape is rendered in a thread, which by default would keep the event loop waiting for 5 ms time and again.
_SWITCH_SECONDS = 0.001


async def run(settings: MonitorSettings, stop: asyncio.Event, announce: Announce) -> None:
    """Serve until `stop` is set. Before anything is started it raises what is wrong with the settings:

    CannotListen, BadKubeconfig, PolicyError, AccessMissing.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    async with ground(SERVICE, web=settings.web, cluster=settings.cluster) as here:
        app = App(settings, here)
        here.announce(announce)
        await app.run(stop)


class App:
    """One running service over one cluster."""

    def __init__(self, settings: MonitorSettings, here: Ground) -> None:
        self._settings = settings
        self._here = here
        self._api = api = here.api
        self._clock = clock = here.clock
        self._name = settings.cluster.name or api.context
        self._metrics = Metrics(ServiceMetrics(SERVICE, VERSION))
        self._supervisor = Supervisor(self._metrics.service.task_crashed)
        self._policy = None if settings.policy.file is None else PolicyFile.open(settings.policy.file)
        self._hub = Hub()
        source = f"/clusters/{quote(self._name, safe='')}"  # some contexts are called by an ARN
        self._storage = Storage(settings, clock, self._hub, self._metrics, source=source)
        self._watch = ClusterWatch(api, clock=clock)
        self._engine = Engine(
            self._watch.store,
            DEFAULT_POLICY if self._policy is None else self._policy.policy,
            settings.engine,
            on_check_error=CheckErrors(lambda code: self._metrics.check_failures.labels(code).inc()),
        )
        self._monitor = Monitor(
            self._watch,
            self._engine,
            self._storage,
            clock,
            policy=self._policy,
            policy_poll_seconds=settings.policy.poll_seconds,
            on_evaluated=self._metrics.evaluation.observe,
            on_policy=self._metrics.service.policy_reloaded,
        )
        self._leadership: Leadership | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """The API answers at once, and says what is missing; the rest comes up behind it."""
        self._observe()
        web = self._web(stop)
        start = self._supervisor.start
        start("loop lag", lambda: watch_loop_lag(self._metrics.service))
        start("watch", self._watch.run)
        start("monitor", self._monitor.run)
        if self._settings.database.enabled:
            start("storage", self._store_and_lead)
        hanging_up = asyncio.create_task(self._hang_up(stop))
        try:
            await serve(web, self._here.listening, stop=stop, grace_seconds=self._settings.web.shutdown_grace_seconds)
        finally:
            hanging_up.cancel()
            await self._end()

    async def _store_and_lead(self) -> None:
        """Nobody leads before every object was looked at: what is told first would be what is missing."""
        opened = await self._storage.open()
        self._supervisor.start("outbox", opened.outbox.run)
        self._supervisor.start("tail", opened.tail.run)
        await self._monitor.synced.wait()
        self._leadership = leadership(
            self._storage,
            opened,
            self._engine,
            settings=self._settings.leader,
            api=self._api,
            clock=self._clock,
            keep=self._supervisor.keep,
        )
        self._supervisor.start("leadership", self._leadership.run)

    async def _hang_up(self, stop: asyncio.Event) -> None:
        """Streams would else hold up the end of the server for as long as it is patient."""
        await stop.wait()
        self._hub.close()

    async def _end(self) -> None:
        """What was seen is stored, then the lock is given back, then everything is closed."""
        for task in ("monitor", "watch"):
            await self._supervisor.stop(task)
        await self._storage.flush(_FLUSH_SECONDS)
        await self._supervisor.stop_all()
        await self._storage.close()

    def _web(self, stop: asyncio.Event) -> FastAPI:
        enabled = self._settings.database.enabled
        asked = probes(
            self._monitor,
            self._watch.store.sources,
            self._supervisor,
            storage=self._storage if enabled else None,
            policy=self._policy,
        )
        web = create_app(
            SERVICE,
            VERSION,
            routers=ROUTERS,
            authenticator=self._here.access.authenticator,
            probes=asked,
            metrics=self._metrics.service,
            settings=self._settings.web,
        )
        prepare(ROUTERS)
        runbook = self._settings.policy.runbook
        web.state.services = Services(
            cluster_name=self._name,
            engine=self._engine,
            view=View(self._engine, self._watch.store, runbook=runbook),
            hub=self._hub,
            runbook=runbook,
            policy_file=self._policy,
            now=self._clock.now,
            storage=self._storage,
            stopping=stop,
        )
        return web

    def _observe(self) -> None:
        """Let the metrics see what happens."""
        on_loop = OnLoop(asyncio.get_running_loop())
        registry = self._metrics.registry
        registry.register(VitalsCollector(self._vitals, on_loop))
        registry.register(
            HealthCollector(
                self._engine,
                self._watch.store,
                on_loop,
                now=self._clock.now,
                pods_below=self._settings.metrics.pods_below,
                intake=lambda: self._watch.statistics,
            )
        )
        self._api.statistics.observer = self._metrics.service.api_answered

    def _vitals(self) -> Vitals:
        opened = self._storage.opened
        dropped = {} if opened is None else opened.outbox.dropped
        return Vitals(
            leader=self._leadership is not None and self._leadership.is_leader,
            policy_valid=self._policy is None or not self._policy.mistakes,
            stream_clients=self._hub.clients,
            stream_dropped=self._hub.dropped,
            outbox_events=0 if opened is None else opened.outbox.depth,
            outbox_capacity=self._settings.events.buffer,
            outbox_dropped={reason.value: dropped.get(reason, 0) for reason in DropReason},
        )
