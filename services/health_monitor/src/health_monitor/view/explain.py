"""What every check says of one object, and why the score is what it is. A fresh look that changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from common.contracts import ObjectRef, Score, Severity
from health_monitor.catalogue import ThresholdEntry, thresholds
from health_monitor.checks import CHECKS
from health_monitor.checks.check import Check
from health_monitor.engine.engine import Engine, OpenFinding
from health_monitor.engine.evaluate import Rule, Sighting
from health_monitor.engine.scoring import THOUSANDTHS
from health_monitor.policy.mutes import mutes_of


class Verdict(StrEnum):
    """What a check says of an object."""

    FIRED = "fired"  # there is a finding
    WAITING = "waiting"  # what it looks for is there, but not for long enough yet
    MUTED = "muted"  # there is a finding, and an annotation asks for silence about it
    FADING = "fading"  # what it looked for is gone, but the finding stays open until that is believed
    SILENT = "silent"  # nothing of what it looks for is there
    BLIND = "blind"  # what it rests on is not seen, so it cannot be judged
    FAILED = "failed"  # the check itself raised an error; the logs have it
    DISABLED = "disabled"  # the policy has turned it off for this object


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """Something that is there now."""

    part: Annotated[str, Field(description="Container, condition or the like; may be empty")]
    severity: Severity
    message: str
    since: datetime
    becomes_finding_at: Annotated[datetime | None, Field(description="null when it is one already")]
    muted_until: datetime | None
    points: Annotated[float, Field(description="What it takes, or would take, from the object's score")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """What one check says."""

    code: str
    title: str
    verdict: Verdict
    symptoms: tuple[Symptom, ...]
    thresholds: Annotated[tuple[ThresholdEntry, ...], Field(description="As they hold for this object")]
    not_seen: Annotated[tuple[str, ...], Field(description="Kinds that it rests on and that are not seen")]
    runbook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an object has the score it has."""

    object: ObjectRef
    score: Score
    not_seen: Annotated[tuple[str, ...], Field(description="Missing data that lowers the confidence")]
    mute_mistakes: Annotated[tuple[str, ...], Field(description="What its mute annotation asks for in vain, and why")]
    checks: tuple[CheckAnswer, ...]


def explain(engine: Engine, ref: ObjectRef, now: datetime, *, runbook: str) -> Explanation | None:
    """None when there is no such object, or it has no score."""
    key = ref.key
    score = engine.score(key)
    if score is None:
        return None
    seen, failed = engine.peek(key, now)
    look = _Look(now=now, seen=seen, opened=engine.findings(key), failed=failed, unseen=engine.unseen(key))
    rules = {rule.code: rule for rule in engine.rules(key)}
    return Explanation(
        object=ref,
        score=score,
        not_seen=tuple(sorted(look.unseen)),
        mute_mistakes=mutes_of(engine.annotations(key)).mistakes,
        checks=tuple(
            _answer(check, rules.get(check.code), look, runbook=runbook) for check in CHECKS if check.kind == key.kind
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    now: datetime
    seen: Sequence[Sighting]
    opened: Sequence[OpenFinding]
    failed: Collection[str]
    unseen: frozenset[str]


def _answer(check: Check[Any, Any], rule: Rule | None, look: _Look, *, runbook: str) -> CheckAnswer:
    seen = [each for each in look.seen if each.finding.code == check.code]
    opened = [each for each in look.opened if each.finding.code == check.code]
    not_seen = rule.kinds & look.unseen if rule is not None else frozenset[str]()
    if rule is None:
        said = Verdict.DISABLED
    elif check.code in look.failed:
        said = Verdict.FAILED
    else:
        said = verdict(seen, opened, blind=bool(not_seen), now=look.now)
    return CheckAnswer(
        code=check.code,
        title=check.title,
        verdict=said,
        symptoms=tuple(_symptom(each, opened, look.now) for each in seen),
        thresholds=thresholds(check, check.thresholds if rule is None else rule.thresholds),
        not_seen=tuple(sorted(not_seen)),
        runbook=runbook.replace("{code}", check.code),
    )


def verdict(seen: Sequence[Sighting], opened: Sequence[OpenFinding], *, blind: bool, now: datetime) -> Verdict:
    """What a check says that saw this now and has these findings open."""
    counting = [each for each in seen if each.due_at <= now or opened]
    if counting:
        return Verdict.MUTED if all(each.muted_until for each in counting) else Verdict.FIRED
    if seen:
        return Verdict.WAITING
    if blind:
        return Verdict.BLIND
    return Verdict.FADING if opened else Verdict.SILENT


def _symptom(sighting: Sighting, opened: Sequence[OpenFinding], now: datetime) -> Symptom:
    finding = sighting.finding
    waits = sighting.due_at > now and finding.part not in {each.finding.part for each in opened}
    return Symptom(
        part=finding.part,
        severity=finding.severity,
        message=finding.message,
        since=finding.since,
        becomes_finding_at=sighting.due_at if waits else None,
        muted_until=sighting.muted_until,
        points=sighting.points / THOUSANDTHS,
    )
