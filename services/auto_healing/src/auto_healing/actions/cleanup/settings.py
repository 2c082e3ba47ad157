"""What cleanup may remove, when, and how carefully, as the policy file says under `cleanup:`."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from auto_healing.plan import Mode
from common.policy.shape import Duration, Strict, word_of
from common.schedule import Cron, Schedule, Zone

Keep = Annotated[int, Field(ge=0, le=1000)]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Remedy(StrEnum):
    """What ends a crash loop that nobody ends."""

    SCALE_TO_ZERO = "scale-to-zero"
    DELETE = "delete"


class WithoutSnapshot(StrEnum):
    """What becomes of a volume whose storage driver cannot make a snapshot."""

    REFUSE = "refuse"
    DELETE = "delete"


class RuleSettings(Strict):
    """One cleanup rule."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    mode: Annotated[Mode, word_of(Mode)] = Mode.OBSERVE
    """How far it goes by itself: off, observe (what would go is counted, nothing is written to the cluster), approve
    or auto. Observe, because an installation deletes nothing unasked."""
    schedule: Cron = "23 * * * *"
    """When it looks, as cron: minute, hour, day of month, month, day of week. Hourly, off the full hour that everybody
    else has chosen."""
    time_zone: Zone = "UTC"
    """IANA zone that the schedule is meant in."""
    namespaces: list[str] = Field(default_factory=list)
    """Namespaces it looks into: names, or patterns such as team-*. Empty: all that are not excluded."""
    min_age: Duration = DAY
    """How long an object must have been as it is before it is marked. A day, so that what is being deployed is left."""
    scans: Annotated[int, Field(ge=1, le=100)] = 3
    """Looks in a row that must find it unused. Three, as one look may fall into a change that is under way."""
    grace: Duration = DAY
    """Time between marking and deleting, in which the owner can object. A day; shorter where nothing can be lost."""
    most_objects: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Objects that one run may delete, or the share below where that is more. Beyond it nothing is touched and it is
    told: a rule that suddenly finds so much is more likely wrong than right."""
    most_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of all objects of the kind, 0 to 1, that one run may delete, where that is more than the number above."""

    @property
    def timetable(self) -> Schedule:
        return Schedule(self.schedule, self.time_zone)

    def most_of(self, total: int) -> int:
        """How many of `total` objects one run may delete."""
        return max(self.most_objects, int(total * self.most_share))


class CrashLoopSettings(RuleSettings):
    """Pods that crash again and again, and that nobody mends."""

    schedule: Cron = "8 * * * *"
    grace: Duration = HOUR
    restarts: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Restarts of one container from which a crash loop counts as given up. Fifty take some four hours."""
    remedy: Annotated[Remedy, word_of(Remedy)] = Remedy.SCALE_TO_ZERO
    """scale-to-zero sets the workload to no replicas when none of its pods works; delete deletes the pod, which then
    begins anew. Scaling can be undone without loss."""
    returns_after: Duration = timedelta(days=7)
    """How long a workload stays scaled to zero before it gets its replicas back. A week, to be found by its owner."""


class FinishedPodSettings(RuleSettings):
    """Pods that have ended and are only kept to be looked at."""

    schedule: Cron = "*/20 * * * *"
    min_age: Duration = HOUR
    grace: Duration = HOUR
    keep: Keep = 3
    """Newest pods of each workload that are kept, as they tell what happened."""
    job_pods_after: Duration = DAY
    """How long after the end of its Job a pod of a Job is kept. The Job's own time to live comes first, if it has
    one."""


class JobSettings(RuleSettings):
    """Jobs that have ended."""

    min_age: Duration = DAY
    """How long ago a Job must have succeeded."""
    failed_after: Duration = timedelta(days=7)
    """How long ago a Job must have failed: a week, as somebody should look at it before."""


class ReplicaSetSettings(RuleSettings):
    """ReplicaSets that no Deployment owns any more."""

    keep: Keep = 10
    """Newest ReplicaSets without an owner that are kept of each family, as Kubernetes keeps 10 revisions."""


class SecretSettings(RuleSettings):
    """Secrets that nobody uses."""

    min_age: Duration = timedelta(days=7)
    delete_unrestorable: bool = False
    """Whether Secrets may be deleted at all. Their data is never read, so they cannot be kept for a restore."""


class ClaimSettings(RuleSettings):
    """Volume claims that nobody mounts."""

    min_age: Duration = timedelta(days=7)
    without_snapshot: Annotated[WithoutSnapshot, word_of(WithoutSnapshot)] = WithoutSnapshot.REFUSE
    """What becomes of a claim that no snapshot can be made of: refuse keeps it, delete loses its data where the
    volume's reclaim policy is Delete."""
    snapshot_timeout: Duration = timedelta(minutes=5)
    """How long a snapshot may take to be ready. It is looked for again in the next run."""


class ServiceSettings(RuleSettings):
    """Services whose selector matches no pod."""

    grace: Duration = timedelta(days=7)


class VolumeSettings(RuleSettings):
    """Volumes that were released by their claim."""

    grace: Duration = timedelta(days=7)


class CleanupSettings(Strict):
    """Cleanup of what nobody uses any more. Only what is proven unused is ever deleted."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    excluded_namespaces: list[str] = Field(default_factory=lambda: ["kube-system", "kube-public", "kube-node-lease"])
    """Namespaces that nothing is ever marked or deleted in: names, or patterns. The cluster's own by default."""
    clean_crash_loops: CrashLoopSettings = Field(default_factory=CrashLoopSettings, alias="clean-crash-loops")
    """Pods that crash again and again."""
    clean_evicted_pods: FinishedPodSettings = Field(default_factory=FinishedPodSettings, alias="clean-evicted-pods")
    """Pods that a node has evicted."""
    clean_failed_pods: FinishedPodSettings = Field(default_factory=FinishedPodSettings, alias="clean-failed-pods")
    """Pods that have failed otherwise."""
    clean_jobs: JobSettings = Field(default_factory=JobSettings, alias="clean-jobs")
    """Jobs that have ended."""
    clean_replica_sets: ReplicaSetSettings = Field(default_factory=ReplicaSetSettings, alias="clean-replica-sets")
    """ReplicaSets without pods and owner."""
    clean_config_maps: RuleSettings = Field(
        default_factory=lambda: RuleSettings(min_age=timedelta(days=7)), alias="clean-config-maps"
    )
    """ConfigMaps that nobody uses."""
    clean_secrets: SecretSettings = Field(default_factory=SecretSettings, alias="clean-secrets")
    """Secrets that nobody uses."""
    clean_volume_claims: ClaimSettings = Field(default_factory=ClaimSettings, alias="clean-volume-claims")
    """Volume claims that nobody mounts."""
    clean_services: ServiceSettings = Field(default_factory=ServiceSettings, alias="clean-services")
    """Services whose selector matches no pod."""
    clean_disruption_budgets: RuleSettings = Field(default_factory=RuleSettings, alias="clean-disruption-budgets")
    """PodDisruptionBudgets that select nothing."""
    clean_autoscalers: RuleSettings = Field(default_factory=RuleSettings, alias="clean-autoscalers")
    """HorizontalPodAutoscalers whose target is gone."""
    clean_volumes: VolumeSettings = Field(default_factory=VolumeSettings, alias="clean-volumes")
    """Volumes that their claim has released."""

    def rule(self, code: str) -> RuleSettings:
        """Of a rule by its code. KeyError for what is none."""
        found = getattr(self, code.replace("-", "_"), None)
        if not isinstance(found, RuleSettings):
            raise KeyError(code)
        return found
