"""The settings of the process, from variables AUTO_HEALING_*. What may be healed, and how, is the policy's."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from common.database.settings import DatabaseSettings
from common.kube.settings import ClusterSettings
from common.leading.locks import LeaderSettings
from common.log_settings import LogSettings
from common.monitor.settings import MonitorPeerSettings
from common.policy.settings import PolicySettings
from common.settings import Settings
from common.web.settings import WebSettings


class AlertmanagerSettings(BaseModel):
    """Alertmanager: healing holds while alerts fire that are not about its target."""

    url: Annotated[
        str, Field(description="Its address. Unset: no alert holds anything.", pattern=r"^(https?://.*)?$")
    ] = ""


class AlertServiceSettings(BaseModel):
    """alert_service: people hear from it what is being healed, and what waits for their approval."""

    url: Annotated[
        str, Field(description="Its address. Unset: nobody is told.", pattern=r"^(https?://.*)?$", max_length=500)
    ] = ""
    token: Annotated[SecretStr, Field(description="A token of it with the scope operate.")] = SecretStr("")


class HealingPolicySettings(PolicySettings):
    """The policy file."""

    file: Annotated[
        Path | None, Field(description="YAML file with rules, guards and cleanup. Unset: everything is observed only.")
    ] = None


class RunSettings(BaseModel):
    """Carrying out and keeping runs."""

    concurrency: Annotated[
        int, Field(ge=1, le=100, description="Runs that are carried out at the same time; guards bound them further.")
    ] = 10
    keep_days: Annotated[
        int, Field(ge=1, le=3650, description="Ended runs, their evidence and manifests are kept this long.")
    ] = 90
    ledger_archive: Annotated[
        Path | None,
        Field(description="Folder into which ledger entries go before they are removed. Unset: they are lost."),
    ] = None
    keep_ledger_days: Annotated[
        int, Field(ge=0, le=36500, description="Ledger entries are kept this long; 0: for ever, as audits want it.")
    ] = 0


class HealingLeaderSettings(LeaderSettings):
    """Which of several replicas decides and acts."""

    lease: Annotated[str, Field(description="Name of the Lease.", min_length=1, max_length=253)] = "auto-healing"


class HealingWebSettings(WebSettings):
    """The API."""

    port: Annotated[int, Field(ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")] = 8081


class HealingSettings(Settings):
    """auto_healing"""

    model_config = SettingsConfigDict(env_prefix="AUTO_HEALING_")

    cluster: ClusterSettings = ClusterSettings()
    web: HealingWebSettings = HealingWebSettings()
    database: DatabaseSettings = DatabaseSettings()
    monitor: MonitorPeerSettings = MonitorPeerSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    alerts: AlertServiceSettings = AlertServiceSettings()
    policy: HealingPolicySettings = HealingPolicySettings()
    runs: RunSettings = RunSettings()
    leader: HealingLeaderSettings = HealingLeaderSettings()
    log: LogSettings = LogSettings()
