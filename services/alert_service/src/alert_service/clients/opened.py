"""The systems that the settings name."""

from dataclasses import dataclass

from alert_service.clicks.slack_answers import SlackAnswers
from alert_service.clients.alertmanager import Alertmanager
from alert_service.clients.healing import Healing
from alert_service.clients.prometheus import Prometheus
from alert_service.settings import AlertSettings, HealthSettings
from common.monitor.client import MonitorClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """None for those that are not set up. Nothing is asked before it is needed. Ends with `close`."""

    alertmanager: Alertmanager | None
    healing: Healing | None
    prometheus: Prometheus | None
    monitor: MonitorClient | None
    slack_answers: SlackAnswers

    @classmethod
    def of(cls, settings: AlertSettings) -> "Clients":
        alertmanager, healing, prometheus = settings.alertmanager, settings.healing, settings.prometheus
        return cls(
            alertmanager=(
                Alertmanager(alertmanager.url, alertmanager.token.get_secret_value()) if alertmanager.url else None
            ),
            healing=Healing(healing.url, healing.token.get_secret_value()) if healing.url else None,
            prometheus=Prometheus(prometheus.url) if prometheus.url else None,
            monitor=_monitor(settings.health),
            slack_answers=SlackAnswers(settings.slack.api_url),
        )

    async def close(self) -> None:
        for each in (self.alertmanager, self.healing, self.prometheus, self.monitor, self.slack_answers):
            if each is not None:
                await each.close()


def _monitor(settings: HealthSettings) -> MonitorClient | None:
    if not settings.url:
        return None
    token = settings.token.get_secret_value()
    return MonitorClient(settings.url, token, variable="ALERT_SERVICE_HEALTH__TOKEN")
