"""What keeps incidents true and tables small, beside what comes in by itself; done by the leader."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from alert_service.clients.opened import Clients
from alert_service.intake.health_intake import HealthIntake
from alert_service.policy import AlertPolicy
from alert_service.reconciling.reconciler import Reconciler
from alert_service.settings import AlertSettings
from alert_service.storage.opening import Opened
from alert_service.storage.retention import Retention
from alert_service.told import Told
from common.clock import Clock
from common.monitor.catch_up import CatchUp

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Of one replica. `catch_up` and `reconciler` are None where their other side is not set up."""

    retention: Retention
    catch_up: CatchUp | None
    reconciler: Reconciler | None

    @classmethod
    def of(
        cls,
        opened: Opened,
        clients: Clients,
        clock: Clock,
        *,
        settings: AlertSettings,
        policy: Callable[[], AlertPolicy],
        told: Told,
    ) -> "Upkeep":
        stored = opened.stored
        monitor, alertmanager = clients.monitor, clients.alertmanager
        catch_up = reconciler = None
        if monitor is not None:
            intake = HealthIntake(stored.database, stored.inbox, monitor, clock)
            catch_up = CatchUp(monitor, intake, clock, on_listing=intake.listed, on_set_back=lambda head: None)
        if alertmanager is not None:
            reconciler = Reconciler(
                stored.database,
                opened.settling,
                alertmanager,
                clock,
                settings=settings.alertmanager,
                policy=policy,
                on_settled=told.reconciled,
            )
        return cls(retention=Retention(stored.database, clock, settings.keep), catch_up=catch_up, reconciler=reconciler)

    @property
    def works(self) -> Mapping[str, Work]:
        """By name, for the leadership."""
        works: dict[str, Work] = {"retention": self.retention.run}
        if self.catch_up is not None:
            works["health events"] = self.catch_up.run
        if self.reconciler is not None:
            works["reconciler"] = self.reconciler.run
        return works

    async def monitor_trouble(self) -> str | None:
        """For a probe. A replica that does not lead asks nothing, and has nothing to complain about."""
        return None if self.catch_up is None else await self.catch_up.trouble()
