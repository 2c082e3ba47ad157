"""Did it help? What is to be seen of it, and the verdict. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from auto_healing.effect import Effect, effect_of
from auto_healing.reach import Reach, is_of_owner
from auto_healing.run import Run
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import Finding, ObjectKey, Severity

# What keeps trouble from spreading does not end it: the target's own findings may stay open, and whatever else
# happens on a bad node is the node's fault and no effect of the cure.
CONTAINING = frozenset({"cordon", "drain", "reschedule-from-node", "pause-rollout"})
# What has just started may look well for a moment: this share of the window it has to stay so.
_STEADY = 5
# The view may be a moment older than the last write, so the first look comes no sooner.
_SETTLE = timedelta(seconds=5)
_SETTLE_SHARE = 20
# A node whose trouble takes one name after another is not waited for longer than this many windows.
_FROZEN_WINDOWS = 2
_SOURCES = ("Node", "Pod")


class Ruling(StrEnum):
    """What a run's effect is judged to be."""

    HEALED = "healed"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """With one sentence for people."""

    ruling: Ruling
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is to be seen of a run's effect. `blind` tells why that is not to be trusted; empty when it is."""

    effect: Effect
    unresolved: tuple[Finding, ...] = ()  # those it answers, or the same about its owner's pods
    new_on_target: tuple[Finding, ...] = ()  # others about the target itself, begun since
    new_around: tuple[Finding, ...] = ()  # about whom the run can have harmed, begun since
    blind: str = ""


def observe(run: Run, snapshot: ClusterSnapshot, open_findings: Collection[Finding], now: datetime) -> Observation:
    """`open_findings` are all that are open now."""
    unresolved, on_target, around = (
        (_answered(run, open_findings, _displaced(run)), (), ())
        if any(step.action in CONTAINING for step in run.plan.steps)
        else _sorted(run, snapshot, open_findings, run.started_at or now)
    )
    return Observation(
        effect=effect_of(run, snapshot),
        unresolved=tuple(unresolved),
        new_on_target=tuple(on_target),
        new_around=tuple(around),
        blind=_blindness(snapshot),
    )


def _displaced(run: Run) -> set[ObjectKey]:
    return {each.pod.key for step in run.plan.steps for each in step.displaces}


def _answered(run: Run, findings: Collection[Finding], about: Collection[ObjectKey]) -> list[Finding]:
    """Those findings that the run answers and that are about these objects."""
    answered = {finding.key for finding in run.plan.fault.findings}
    return [finding for finding in findings if finding.key in answered and finding.object.key in about]


def _sorted(
    run: Run, snapshot: ClusterSnapshot, findings: Collection[Finding], begun: datetime
) -> tuple[Sequence[Finding], Sequence[Finding], Sequence[Finding]]:
    """The findings that matter: unresolved, new about the target, new around it."""
    answered = {finding.key for finding in run.plan.fault.findings}
    codes = {finding.code for finding in run.plan.fault.findings}
    unresolved, on_target, around = [], [], []
    reach = Reach.of(run, snapshot)
    for finding in findings:
        key = finding.object.key
        if finding.key in answered:
            unresolved.append(finding)
        elif finding.since < begun:
            continue
        elif key == run.plan.target.key:
            on_target.append(finding)
        elif finding.code in codes and is_of_owner(run, key, snapshot):
            unresolved.append(finding)
        elif finding.severity is not Severity.INFO and reach.holds(finding):
            around.append(finding)
    return unresolved, on_target, around


def _blindness(snapshot: ClusterSnapshot) -> str:
    for kind in _SOURCES:
        source = snapshot.sources.get(kind)
        if source is None or source.state is not SourceState.SYNCED:
            return f"the view of {kind}s is not up to date"
    return ""


def judge(run: Run, observation: Observation, now: datetime, blind_for: timedelta = timedelta(0)) -> Verdict:
    """`blind_for` is for how long since the run's last step nothing could be seen: it counts towards no window."""
    begun, window = run.verifying_at or now, run.plan.verify_window
    if observation.blind or now - begun < min(_SETTLE, window / _SETTLE_SHARE):
        return Verdict(Ruling.WAITING, f"waiting: {observation.blind or 'it has only just been done'}")
    if (worst := _worst(observation.new_around)) is not None:
        return Verdict(Ruling.FAILED, f"{worst.object.key} began to fail afterwards: {worst.message}")
    trouble = _trouble(observation)
    if not trouble:
        return _steady(observation.effect, now, window / _STEADY)
    ends_at = begun + window + blind_for
    if now < ends_at:
        return Verdict(Ruling.WAITING, f"waiting until {ends_at:%H:%M:%S} UTC: {trouble}")
    if now < ends_at + (_FROZEN_WINDOWS - 1) * window and _is_frozen(observation, now, window):
        return Verdict(Ruling.WAITING, f"waiting, since its trouble has changed: {trouble}")
    return Verdict(Ruling.FAILED, f"after {_words(window)}: {trouble}")


def _worst(findings: Collection[Finding]) -> Finding | None:
    """A neighbour that breaks users now ends the wait; lesser ones may be passing, and count at the end."""
    return next((finding for finding in findings if finding.severity is Severity.CRITICAL), None)


def _trouble(observation: Observation) -> str:
    """The first thing that is not as it should be, for people."""
    if not observation.effect.healthy:
        return observation.effect.reason
    for finding in (*observation.unresolved, *observation.new_on_target, *observation.new_around):
        return f"{finding.object.key}: {finding.message} ({finding.code})"
    return ""


def _steady(effect: Effect, now: datetime, steady: timedelta) -> Verdict:
    since = effect.healthy_since
    if since is None or now - since >= steady:
        return Verdict(Ruling.HEALED, effect.reason)
    return Verdict(Ruling.WAITING, f"{effect.reason}, for {_words(now - since)} of {_words(steady)}")


def _is_frozen(observation: Observation, now: datetime, window: timedelta) -> bool:
    """Whether the target's trouble has changed its name lately, as when Ready turns from Unknown to False at a reboot.

    The new condition is neither a cure nor a fault of its own: it has a window before the verdict.
    """
    return any(now - finding.since < window for finding in observation.new_on_target)


def seconds_to_heal(run: Run, observation: Observation, now: datetime) -> float | None:
    """From the beginning of its first finding until its objects were well; None for what answers no finding."""
    begun = min((finding.since for finding in run.plan.fault.findings), default=None)
    if begun is None:
        return None
    well_at = observation.effect.healthy_since or now
    return max(0.0, (max(well_at, run.started_at or well_at) - begun).total_seconds())


def _words(length: timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
