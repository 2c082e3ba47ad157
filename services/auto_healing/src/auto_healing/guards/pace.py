"""The numbers by which guards pace: how long to wait, how often to try, and how fast. See the settings of all."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from auto_healing.history import KEPT
from common.policy.shape import Duration, Strict, format_duration

Count = Annotated[int, Field(ge=0, le=100_000)]


def _remembered(length: timedelta) -> timedelta:
    if length > KEPT:
        raise ValueError(f"must be at most {format_duration(KEPT)}: what was done before that is not remembered")
    return length


Back = Annotated[Duration, AfterValidator(_remembered)]


class Group(Strict):
    """The settings of one guard."""

    model_config = ConfigDict(frozen=True)


_CODES = {
    "node-not-ready": timedelta(minutes=5),
    "node-unknown": timedelta(minutes=5),
    "node-disk-pressure": timedelta(minutes=10),
    "node-memory-pressure": timedelta(minutes=10),
    "node-pid-pressure": timedelta(minutes=10),
    "node-network-unavailable": timedelta(minutes=5),
    "node-condition": timedelta(minutes=10),
    "pod-crash-loop": timedelta(minutes=10),
    "pod-image-pull": timedelta(minutes=10),
    "pod-unschedulable": timedelta(minutes=10),
    "pod-evicted": timedelta(hours=1),
    "pod-failed": timedelta(hours=1),
    "deployment-rollout-stuck": timedelta(0),
    "statefulset-rollout-stuck": timedelta(0),
    "daemonset-rollout-stuck": timedelta(0),
}


def _over_defaults(value: Any) -> Any:
    return _CODES | value if isinstance(value, dict) else value


class GraceSettings(Group):
    """How long trouble must have lasted."""

    default: Duration = timedelta(minutes=5)
    """For codes that are not named. As the control plane waits before it evicts pods of a node that is not ready."""
    codes: Annotated[dict[str, Duration], BeforeValidator(_over_defaults)] = Field(default_factory=_CODES.copy)
    """By code. 5 min for a node that is not ready (Medik8s: 5, clouds: 10), 10 min for pressure, which eviction mostly
    ends, and for crash loops, which mostly end by themselves; an hour for what is only tidied up; nothing for a rollout
    whose own deadline has passed. Codes given here come over this table."""
    restarts: Count = 5
    """Restarts that a crash loop must have had. A judgement: after the fifth the kubelet waits minutes between two."""


class CooldownSettings(Group):
    """How long to wait before the next action on the same thing. Each further one doubles it."""

    target: Duration = timedelta(minutes=5)
    """After an action on the same object. The time for which an action's effect is watched."""
    owner: Duration = timedelta(seconds=30)
    """After an action on another pod of the same workload. A judgement: a new pod takes that long to become ready."""
    longest: Duration = timedelta(hours=1)
    """What doubling ends at. As long as a workload is blocked after its last attempt."""
    memory: Back = timedelta(hours=4)
    """How far back actions count, a day at most, and no less than the waits. The window of attempts."""

    @model_validator(mode="after")
    def _waits_are_remembered(self) -> "CooldownSettings":
        if (longest := max(self.target, self.owner, self.longest)) > self.memory:
            raise ValueError(
                f"memory must be at least {format_duration(longest)}: a longer wait would be forgotten before its end"
            )
        return self


class AttemptsSettings(Group):
    """How often the same workload and revision is acted on."""

    most: Count = 3
    """Actions on one workload and revision within the window. What did not help three times needs another cure. As
    often in a row an approval is asked for that nobody gives; then people are called."""
    window: Back = timedelta(hours=4)
    """Time within which they count, a day at most. A judgement, as of Kubernaut's chain of ineffective remedies."""
    block: Back = timedelta(hours=1)
    """How long after the last one nothing more is tried, and people are called; and how long a person's no holds. A day
    at most, with the window."""

    @model_validator(mode="after")
    def _both_are_remembered(self) -> "AttemptsSettings":
        if self.window + self.block > KEPT:
            raise ValueError(
                f"window and block together must be at most {format_duration(KEPT)}: what was done before that is not "
                "remembered"
            )
        return self


class LoopSettings(Group):
    """When an action goes round in circles."""

    window: Back = timedelta(hours=1)
    """Time within which the same action for the same workload, node and reason counts as a loop, a day at most. A
    judgement: what comes back within the hour was not cured."""
    repeats: Count = 0
    """How often it may be repeated within that time. None: what was evicted and put back to fail again would be evicted
    for ever."""


class RateLimitSettings(Group):
    """How fast at most."""

    pods_per_minute: Count = 5
    """Actions on pods and workloads of one namespace within a minute. A judgement: slow enough to be watched."""
    pods_per_hour: Count = 20
    """The same within an hour. A judgement: who needs more has a trouble that is not the pods'."""
    between_drains: Back = timedelta(minutes=5)
    """Time from the beginning of one drain to the next, a day at most. As long as a drain's effect is watched; draino
    waits 10 min."""
