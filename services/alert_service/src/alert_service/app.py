"""The composition root: makes the parts of the service, starts them in their order, and ends them in reverse."""

import asyncio
import gc
import logging
from importlib.metadata import version

import httpx
from fastapi import FastAPI

from alert_service.api.routes import ROUTERS
from alert_service.api.services import Services
from alert_service.channels.opened import Channels
from alert_service.clicks.links import LinkSigner
from alert_service.clients.opened import Clients
from alert_service.delivery.rendering import PolicyCards
from alert_service.duties import Duties, Outward
from alert_service.metrics import SERVICE, Metrics
from alert_service.policy import AlertPolicy
from alert_service.policy.file import PolicyFile
from alert_service.readiness import Trouble, probes
from alert_service.rehearsal.making import rehearsal_of, way_back_of
from alert_service.rehearsal.rehearser import Rehearser
from alert_service.routing.routing import Routes
from alert_service.settings import AlertSettings
from alert_service.storage.models import election, leader
from alert_service.storage.opening import Opened, Storage
from alert_service.told import Told
from alert_service.upkeep import Upkeep
from common.hosting import Announce, Footing, footing
from common.leading.leadership import Leadership
from common.leading.locks import DatabaseLock, replica_identity
from common.metrics import ServiceMetrics, watch_loop_lag
from common.policy.follow import follow
from common.policy.mistakes import PolicyError
from common.supervisor import Supervisor
from common.web.app import create_app
from common.web.serve import serve

logger = logging.getLogger(__name__)

VERSION = version("k8s-health-checker-alert-service")
_NO_POLICY = AlertPolicy()
_WAY_BACK_SECONDS = 10.0


async def run(settings: AlertSettings, stop: asyncio.Event, announce: Announce) -> None:
    """Serve until `stop` is set. Before anything is started it raises what is wrong with the settings:

    CannotListen, BadKubeconfig, PolicyError, AccessMissing.
    """
    async with footing(SERVICE, web=settings.web) as here:
        app = App(settings, here)
        here.announce(announce)
        await app.run(stop)


class App:
    """One replica of the service."""

    def __init__(self, settings: AlertSettings, here: Footing) -> None:
        self._settings = settings
        self._here = here
        self._clock = here.clock
        self._metrics = Metrics(ServiceMetrics(SERVICE, VERSION))
        self._supervisor = Supervisor(self._metrics.service.task_crashed)
        self._file = None if settings.policy.file is None else PolicyFile.open(settings.policy.file)
        self._told = Told(self._metrics)
        self._clients = Clients.of(settings)
        self._storage = Storage(settings, self._clock, self._clients, policy=self._policy, told=self._told)
        self._links = LinkSigner.of(settings.links.url, settings.links.keys.get_secret_value(), settings.links.hours)
        self._http = httpx.AsyncClient(timeout=_WAY_BACK_SECONDS)
        self._rehearser: Rehearser | None = None
        self._upkeep: Upkeep | None = None
        self._outward = Outward(
            channels=Channels(settings, self._clock, policy=self._policy),
            cards=PolicyCards(
                self._clock,
                policy=self._policy,
                links=self._links,
                on_template_failed=self._told.template_failed,
            ),
            way_back=way_back_of(settings, self._http, self._clock),
        )
        if self._outward.channels.mistakes:
            raise PolicyError(self._outward.channels.mistakes)

    async def run(self, stop: asyncio.Event) -> None:
        """The API answers at once, and says what is missing; the rest comes up behind it."""
        web = self._web()
        start = self._supervisor.start
        start("loop lag", lambda: watch_loop_lag(self._metrics.service))
        start("storage", self._store_and_lead)
        if (file := self._file) is not None:
            start("policy", lambda: self._follow(file))
        try:
            await serve(web, self._here.listening, stop=stop, grace_seconds=self._settings.web.shutdown_grace_seconds)
        finally:
            await self._supervisor.stop_all()
            if self._rehearser is not None:
                await self._rehearser.close()
            await self._http.aclose()
            await self._outward.channels.close()
            await self._clients.close()
            await self._storage.close()

    def _policy(self) -> AlertPolicy:
        return _NO_POLICY if self._file is None else self._file.policy

    async def _follow(self, file: PolicyFile) -> None:
        await follow(
            file,
            every_seconds=self._settings.policy.poll_seconds,
            on_change=lambda: None,
            count=self._metrics.service.policy_reloaded,
        )

    async def _store_and_lead(self) -> None:
        opened = await self._storage.open()
        gc.freeze()  # what is there now stays: to look at it again in a storm would hold up every click
        self._supervisor.start("clicks", opened.stored.clicks.run)
        self._rehearser = rehearser = self._rehearser_of(opened)
        leadership = self._lead(opened, rehearser)
        self._supervisor.start("leadership", leadership.run)

    def _rehearser_of(self, opened: Opened) -> Rehearser:
        outward, clock = self._outward, self._clock
        return Rehearser(
            lambda: rehearsal_of(
                self._policy(),
                outward.channels,
                outward.cards,
                clock,
                way_back=outward.way_back,
                pressed=opened.stored.rehearsals.pressed,
            ),
            opened.stored.rehearsals,
            clock,
            policy=self._policy,
        )

    def _lead(self, opened: Opened, rehearser: Rehearser) -> Leadership:
        """Every replica takes alerts, clicks and requests; one works them off and sends."""
        self._upkeep = upkeep = Upkeep.of(
            opened, self._clients, self._clock, settings=self._settings, policy=self._policy, told=self._told
        )
        duties = Duties(
            opened,
            self._clock,
            self._outward,
            policy=self._policy,
            told=self._told,
            rehearser=rehearser,
            upkeep=upkeep,
        )
        identity = replica_identity()
        return Leadership(
            opened.leading,
            DatabaseLock(opened.leading, election, identity=identity),
            identity=identity,
            epochs=leader,
            on_gained=self._gained,
            on_lost=lambda: self._metrics.leader.set(0),
            duties=duties.all(self._supervisor.keep),
            ends_with_lock=True,
        )

    async def _gained(self, epoch: int) -> None:
        self._metrics.leader.set(1)

    def _web(self) -> FastAPI:
        settings = self._settings
        web = create_app(
            SERVICE,
            VERSION,
            routers=ROUTERS,
            authenticator=self._here.access.authenticator,
            probes=probes(
                self._supervisor,
                storage=self._storage,
                policy=self._file,
                channels=self._outward.channels,
                peers=self._peers(),
            ),
            metrics=self._metrics.service,
            settings=settings.web,
        )
        web.state.services = Services(
            now=self._clock.now,
            policy=self._policy,
            routes=self._routes,
            policy_file=self._file,
            storage=self._storage,
            rehearser=lambda: self._rehearser,
            webhook_secrets=settings.health.secrets,
            slack_signing_secrets=settings.slack.secrets,
            links=self._links,
            person_header=settings.links.person_header,
            on_click_answered=self._told.click_answered,
            refused=self._told.refused,
        )
        return web

    def _peers(self) -> dict[str, Trouble]:
        """Without them alerts still come in, and people are told."""
        alertmanager = self._clients.alertmanager
        found: dict[str, Trouble] = {} if alertmanager is None else {"alertmanager": alertmanager.trouble}
        if self._clients.monitor is not None:
            found["health_monitor"] = self._monitor_trouble
        return found

    async def _monitor_trouble(self) -> str | None:
        return None if self._upkeep is None else await self._upkeep.monitor_trouble()

    def _routes(self) -> Routes:
        opened = self._storage.opened
        return Routes(self._policy()) if opened is None else opened.settling.routes
