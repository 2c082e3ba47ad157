"""The composition root: makes the parts of the service, starts them in their order, and ends them in reverse."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version

from fastapi import FastAPI

from auto_healing.alert_service import AlertService
from auto_healing.alerts import Alerts
from auto_healing.api.routes import ROUTERS
from auto_healing.api.services import Services
from auto_healing.duties import Duties
from auto_healing.facts import FiringAlert
from auto_healing.kube.live import LiveCluster
from auto_healing.metrics import SERVICE, Metrics
from auto_healing.notifier import Notifier
from auto_healing.other_healers import OtherHealers
from auto_healing.past import Past
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.file import PolicyFile
from auto_healing.readiness import probes
from auto_healing.rights import Rights
from auto_healing.settings import HealingSettings
from auto_healing.storage.models import election, leader
from auto_healing.storage.opening import Opened, Storage
from auto_healing.told import Told
from auto_healing.view import View
from common.cluster.watch import ClusterWatch
from common.hosting import Announce, Ground, ground
from common.leading.leadership import Leadership
from common.leading.locks import lock_for, replica_identity
from common.metrics import ServiceMetrics, watch_loop_lag
from common.monitor.catch_up import CatchUp
from common.monitor.client import MonitorClient
from common.policy.follow import follow
from common.supervisor import Supervisor
from common.web.app import create_app
from common.web.serve import serve

logger = logging.getLogger(__name__)

VERSION = version("k8s-health-checker-auto-healing")

_GAUGES_SECONDS = 5.0


async def run(settings: HealingSettings, stop: asyncio.Event, announce: Announce) -> None:
    """Serve until `stop` is set. Before anything is started it raises what is wrong with the settings:

    CannotListen, BadKubeconfig, PolicyError, AccessMissing.
    """
    async with ground(SERVICE, web=settings.web, cluster=settings.cluster) as here:
        app = App(settings, here)
        here.announce(announce)
        await app.run(stop)


class App:
    """One running service over one cluster."""

    def __init__(self, settings: HealingSettings, here: Ground) -> None:
        self._settings = settings
        self._here = here
        self._api = api = here.api
        self._cluster_name = settings.cluster.name or api.context
        self._clock = clock = here.clock
        self._metrics = Metrics(ServiceMetrics(SERVICE, VERSION))
        self._supervisor = Supervisor(self._metrics.service.task_crashed)
        self._policy = None if settings.policy.file is None else PolicyFile.open(settings.policy.file)
        self._watch = ClusterWatch(api, clock=clock)
        self._past = past = Past()
        self._storage = Storage(
            settings,
            clock,
            past,
            snapshot=lambda: self._watch.store,
            on_events=self._metrics.events.inc,
            approval=lambda plan: self._view.policy().expiry_of(plan.rule),
        )
        self._leadership: Leadership | None = None
        self._cluster = LiveCluster(api, self._may_write, clock)
        self._monitor = MonitorClient(
            settings.monitor.url,
            settings.monitor.token.get_secret_value(),
            variable="AUTO_HEALING_MONITOR__TOKEN",
        )
        self._alerts = Alerts(settings.alertmanager.url, clock) if settings.alertmanager.url else None
        self._alert_service = AlertService.of(settings.alerts)
        self._notifier: Notifier | None = None
        self._others = OtherHealers(api, self._watch.store)
        self._catch_up: CatchUp | None = None
        self._view = View(
            self._watch,
            clock,
            policy=lambda: DEFAULT_POLICY if self._policy is None else self._policy.policy,
            past=past,
            alerts=_none_fires if self._alerts is None else self._alerts.firing,
            other_healers=lambda: self._others.found,
        )
        self._rights = Rights(api, self._view.policy)

    async def run(self, stop: asyncio.Event) -> None:
        """The API answers at once, and says what is missing; the rest comes up behind it."""
        self._api.statistics.observer = self._metrics.service.api_answered
        web = self._web()
        start = self._supervisor.start
        start("loop lag", lambda: watch_loop_lag(self._metrics.service))
        start("watch", self._watch.run)
        start("view", self._view.run)
        start("other healers", self._others_from_synced)
        start("rights", self._rights.run)
        if self._alerts is not None:
            start("alerts", self._alerts.run)
        start("gauges", self._show)
        start("storage", self._store_and_lead)
        try:
            await serve(web, self._here.listening, stop=stop, grace_seconds=self._settings.web.shutdown_grace_seconds)
        finally:
            await self._supervisor.stop_all()
            await self._monitor.close()
            if self._alerts is not None:
                await self._alerts.close()
            if self._alert_service is not None:
                await self._alert_service.close()
            await self._storage.close()

    async def _show(self) -> None:
        """What is, for /metrics."""
        while True:
            self._metrics.paused.set(len(self._view.pauses()))
            self._metrics.open_findings.set(len(self._view.findings))
            self._metrics.active_runs.set(len(self._past.unfinished()))
            await asyncio.sleep(_GAUGES_SECONDS)

    async def _others_from_synced(self) -> None:
        await self._watch.synced.wait()
        await self._others.run()

    async def _store_and_lead(self) -> None:
        """Nobody leads before everything was seen, and the pauses are known."""
        opened = await self._storage.open()
        self._supervisor.start("pauses", lambda: self._view.follow_pauses(opened.stored.pauses))
        await self._watch.synced.wait()
        await self._view.pauses_known.wait()
        self._leadership = self._lead(opened)
        self._supervisor.start("leadership", self._leadership.run)

    def _lead(self, opened: Opened) -> Leadership:
        """Whoever leads decides and acts; it ends with the lock, since the cluster checks no epoch."""
        self._notifier = self._notifies(opened)
        duties = Duties(
            opened,
            self._view,
            self._cluster,
            self._clock,
            settings=self._settings,
            monitor=self._monitor,
            rights=self._here.access,
            told=Told(self._metrics),
            notifier=self._notifier,
            epoch=lambda: None if self._leadership is None else self._leadership.epoch,
        )
        self._catch_up = catch_up = duties.catch_up
        self._view.heard_at = lambda: catch_up.heard_at
        self._view.storm_at = lambda: duties.healer.storm_at
        self._view.on_pauses = duties.healer.look_again
        if self._policy is not None:
            self._follow(self._policy, duties.healer.look_again)
        identity = replica_identity()
        return Leadership(
            opened.leading,
            lock_for(
                self._settings.leader,
                opened.leading,
                election,
                identity=identity,
                api=self._api,
                clock=self._clock,
            ),
            identity=identity,
            epochs=leader,
            on_gained=self._gained,
            on_lost=lambda: self._metrics.leader.set(0),
            duties=duties.all(self._supervisor.keep),
            ends_with_lock=True,
        )

    def _notifies(self, opened: Opened) -> Notifier | None:
        if self._alert_service is None:
            return None
        return Notifier(
            self._alert_service, opened.notified, cluster=self._cluster_name, clock=self._clock, metrics=self._metrics
        )

    def _follow(self, policy: PolicyFile, on_change: Callable[[], None]) -> None:
        self._supervisor.start(
            "policy",
            lambda: follow(
                policy,
                every_seconds=self._settings.policy.poll_seconds,
                on_change=on_change,
                count=self._metrics.service.policy_reloaded,
            ),
        )

    async def _gained(self, epoch: int) -> None:
        self._metrics.leader.set(1)

    def _may_write(self) -> bool:
        return self._leadership is not None and self._leadership.may_act

    def _web(self) -> FastAPI:
        web = create_app(
            SERVICE,
            VERSION,
            routers=ROUTERS,
            authenticator=self._here.access.authenticator,
            probes=probes(
                self._watch,
                self._supervisor,
                storage=self._storage,
                policy=self._policy,
                rights=self._rights,
                catch_up=lambda: self._catch_up,
                alerts=self._alerts,
                notifier=lambda: self._notifier,
            ),
            metrics=self._metrics.service,
            settings=self._settings.web,
        )
        web.state.services = Services(
            cluster_name=self._cluster_name,
            now=self._clock.now,
            snapshot=self._watch.store,
            synced=self._watch.synced.is_set,
            world=self._view.world,
            policy=self._view.policy,
            policy_file=self._policy,
            storage=self._storage,
            cluster=self._cluster,
            acting=self._may_write,
            webhook_secrets=self._settings.monitor.secrets,
        )
        return web


def _none_fires() -> Sequence[FiringAlert]:
    """No Alertmanager is configured."""
    return ()
