"""The settings of the process, from variables HEALTH_MONITOR_*. What is looked for and how strictly is the policy's."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict

from common.database.settings import DatabaseSettings
from common.kube.settings import ClusterSettings
from common.leading.locks import LeaderSettings
from common.log_settings import LogSettings
from common.policy.settings import PolicySettings
from common.settings import Settings
from common.web.settings import WebSettings
from health_monitor.catalogue import RUNBOOK
from health_monitor.engine.settings import EngineSettings


class StorageSettings(DatabaseSettings):
    """PostgreSQL: events, history, subscriptions."""

    enabled: Annotated[
        bool,
        Field(description="false: no database: scores, findings and metrics, but no events, history and webhooks."),
    ] = True


class MonitorPolicySettings(PolicySettings):
    """The policy file."""

    file: Annotated[
        Path | None, Field(description="YAML file with thresholds, severities and weights. Unset: the defaults hold.")
    ] = None
    runbook: Annotated[
        str,
        Field(
            description="Where runbooks are: an address in which {code} stands for the check's code.", max_length=500
        ),
    ] = RUNBOOK


class MetricsSettings(BaseModel):
    """What /metrics shows."""

    pods_below: Annotated[
        float,
        Field(
            ge=0,
            le=101,
            description="Pods have a series of their own only while their score is below this: 150,000 series help "
            "nobody. 0: none, 101: all pods with a finding.",
        ),
    ] = 50.0


class EventSettings(BaseModel):
    """Storing and delivering events."""

    buffer: Annotated[
        int,
        Field(
            ge=100,
            le=10_000_000,
            description="Events that may wait while the database is away, 1 KiB each; then the least important go.",
        ),
    ] = 100_000
    keep_days: Annotated[
        int, Field(ge=1, le=3650, description="Events are kept this long, in whole months: a quarter's trend is seen.")
    ] = 90
    private_webhooks: Annotated[
        bool, Field(description="Allow webhooks to private addresses, as receivers in the cluster have them.")
    ] = True


class MonitorLeaderSettings(LeaderSettings):
    """Which of several replicas stores and delivers."""

    lease: Annotated[str, Field(description="Name of the Lease.", min_length=1, max_length=253)] = "health-monitor"


class MonitorSettings(Settings):
    """health_monitor"""

    model_config = SettingsConfigDict(env_prefix="HEALTH_MONITOR_")

    cluster: ClusterSettings = ClusterSettings()
    web: WebSettings = WebSettings()
    database: StorageSettings = StorageSettings()
    policy: MonitorPolicySettings = MonitorPolicySettings()
    engine: EngineSettings = EngineSettings()
    metrics: MetricsSettings = MetricsSettings()
    events: EventSettings = EventSettings()
    leader: MonitorLeaderSettings = MonitorLeaderSettings()
    log: LogSettings = LogSettings()
