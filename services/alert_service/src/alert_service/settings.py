"""The settings of the process, from variables ALERT_SERVICE_*. Who is told of what is the policy's."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from alert_service.clicks.links import parse_keys
from common.database.settings import DatabaseSettings
from common.log_settings import LogSettings
from common.monitor.settings import MonitorPeerSettings
from common.policy.settings import PolicySettings
from common.settings import Settings, each_of
from common.web.settings import WebSettings

Url = Annotated[str, Field(pattern=r"^(https?://.*)?$", max_length=500)]


class AlertmanagerSettings(BaseModel):
    """Alertmanager: its open alerts are compared with the incidents each minute, and silences are made in it."""

    url: Annotated[Url, Field(description="Its address. Unset: no silences, and nothing is compared.")] = ""
    token: Annotated[SecretStr, Field(description="Bearer token for it, where it wants one.")] = SecretStr("")
    receivers: Annotated[
        frozenset[str],
        Field(
            description="Its receivers that post to this service, as a JSON list. Unset: those heard of so far; naming "
            "them lets also be found what fired before this service was first started."
        ),
    ] = frozenset()
    reconcile_seconds: Annotated[float, Field(ge=1, le=3600, description="How often it is compared.")] = 60.0


class PrometheusSettings(BaseModel):
    """Prometheus: what a silence would have muted, and what a rule would have fired."""

    url: Annotated[Url, Field(description="Its address. Unset: previews of silences know what was told here.")] = ""


class HealingSettings(BaseModel):
    """auto_healing: approvals go to it, and its notices come from it."""

    url: Annotated[Url, Field(description="Its address. Unset: approvals cannot be passed on.")] = ""
    token: Annotated[
        SecretStr,
        Field(description="A token of it with the scopes approve and delegate: it names the person who clicked."),
    ] = SecretStr("")


class HealthSettings(MonitorPeerSettings):
    """health_monitor: its events open incidents seconds after the fault, long before a rule of Prometheus fires."""

    url: Annotated[Url, Field(description="Its address. Unset: only Alertmanager and notices tell.")] = ""


class SlackSettings(BaseModel):
    """The Slack app."""

    token: Annotated[SecretStr, Field(description="Bot token (xoxb-...).")] = SecretStr("")
    signing_secret: Annotated[
        SecretStr, Field(description="Signs what Slack sends; two, comma separated, while one is replaced.")
    ] = SecretStr("")
    api_url: Annotated[str, Field(description="Address of the Web API.", pattern=r"^https?://")] = (
        "https://slack.com/api/"
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        return each_of(self.signing_secret)


class ChannelSettings(BaseModel):
    """Addresses that are secrets themselves."""

    urls: Annotated[
        dict[str, SecretStr],
        Field(description="Webhook addresses by the name that the policy gives as `secret`, as a JSON object."),
    ] = {}
    signing_secrets: Annotated[
        dict[str, SecretStr],
        Field(description="Secrets (whsec_...) that generic webhooks are signed with, by the same names."),
    ] = {}


class LinkSettings(BaseModel):
    """Signed links, for platforms whose buttons cannot come back."""

    url: Annotated[
        Url, Field(description="Address at which people reach this service. Unset: cards have no links.")
    ] = ""
    keys: Annotated[
        SecretStr,
        Field(
            description="Keys as id:secret, comma separated, secrets of 32 or more characters. The first signs, all "
            "are believed. Unset: one is made for this run, and links end with it."
        ),
    ] = SecretStr("")
    hours: Annotated[float, Field(gt=0, le=24, description="How long a link works.")] = 24.0
    person_header: Annotated[
        str,
        Field(
            description="Header in which an authenticating proxy in front of the links names who opens one, such as "
            "X-Auth-Request-Email. It has to take that header out of what clients send. Unset: people say who they "
            "are, and approving takes their token.",
            pattern=r"^[A-Za-z0-9-]*$",
        ),
    ] = ""

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        parse_keys(keys.get_secret_value())
        return keys


class AlertPolicySettings(PolicySettings):
    """The policy file."""

    file: Annotated[
        Path | None, Field(description="YAML file with channels, routes and people. Unset: nobody is told.")
    ] = None


class KeepSettings(BaseModel):
    """How long things are kept."""

    incident_days: Annotated[
        int, Field(ge=1, le=3650, description="Resolved incidents, with their alerts, timeline and deliveries.")
    ] = 90
    inbox_hours: Annotated[int, Field(ge=1, le=8760, description="What came in, as it came.")] = 48


class AlertWebSettings(WebSettings):
    """The API."""

    port: Annotated[int, Field(ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")] = 8082
    body_limit_bytes: Annotated[
        int,
        Field(
            ge=1024,
            le=64 * 1024 * 1024,
            description="A larger request is answered with 413, and Alertmanager never sends it again: "
            "set max_alerts in its receiver, too.",
        ),
    ] = 8 * 1024 * 1024


class AlertSettings(Settings):
    """alert_service"""

    model_config = SettingsConfigDict(env_prefix="ALERT_SERVICE_")

    cluster: Annotated[
        str,
        Field(description="Name of the cluster in cards, where the alerts name none.", pattern=r"^[A-Za-z0-9._-]*$"),
    ] = ""
    web: AlertWebSettings = AlertWebSettings()
    database: DatabaseSettings = DatabaseSettings()
    policy: AlertPolicySettings = AlertPolicySettings()
    slack: SlackSettings = SlackSettings()
    channels: ChannelSettings = ChannelSettings()
    links: LinkSettings = LinkSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    healing: HealingSettings = HealingSettings()
    health: HealthSettings = HealthSettings()
    keep: KeepSettings = KeepSettings()
    log: LogSettings = LogSettings()
