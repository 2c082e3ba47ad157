"""Runs checks on one object and rates what they see. Pure: the engine remembers, this only looks.

A symptom becomes due, that is a finding, once it has held for `after`: counted from the instant that the object names,
else from when it was first seen, and never from before an outage of our own view ended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from common.cluster.rows import Labels
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey, ObjectRef, Severity
from health_monitor.checks.check import Check, Symptom
from health_monitor.engine.scoring import thousandths
from health_monitor.engine.settings import ScoringSettings
from health_monitor.policy.mutes import mutes_of

OnCheckError = Callable[[str, ObjectKey, Exception], None]
Part = tuple[str, str]  # code and part: names a finding within its object


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A check with what the policy makes of it for some objects."""

    check: Check[Any, Any]
    run: Callable[[Any, ClusterSnapshot, Any, datetime], Iterable[Symptom]]
    thresholds: Any
    severity: Severity | None = None  # of the policy; above the symptom's and the check's
    weight: float | None = None  # points instead of the severity's
    kinds: frozenset[str] = frozenset()  # sources that it rests on

    @property
    def code(self) -> str:
        return self.check.code


Seen = tuple[Rule, Symptom]


class Sighting(Struct, frozen=True, gc=False, kw_only=True):
    """A symptom that is there now, rated."""

    finding: Finding
    points: int  # thousandths
    first_seen_at: datetime
    held_at: datetime  # when it had, or will have, held for long enough
    due_at: datetime  # the same, but not counting time before an outage of our view ended
    muted_until: datetime | None = None
    look_again: timedelta | None = None
    object_changed_at: datetime | None = None  # where the object itself says when it began, and nothing was waited for


class Timers(Struct, frozen=True, gc=False, kw_only=True):
    """From when symptoms count."""

    first_seen: Mapping[Part, datetime]  # of what was there at the last look
    restarted: Mapping[str, datetime]  # end of the last outage of each source
    open_after: timedelta
    single_look: bool = False  # there is no second one: what names no start counts as having held long enough


def examine(
    subject: Any,
    key: ObjectKey,
    *,
    rules: Sequence[Rule],
    snapshot: ClusterSnapshot,
    now: datetime,
    on_error: OnCheckError,
) -> tuple[list[Seen], set[str]]:
    """What the rules see on the object, and the codes of those that failed. A failing check stops no other."""
    seen: list[Seen] = []
    failed: set[str] = set()
    for rule in rules:
        try:
            for symptom in rule.run(subject, snapshot, rule.thresholds, now):
                seen.append((rule, symptom))  # noqa: PERF401 - what came before a failure counts for nothing, see below
        except Exception as error:
            failed.add(rule.code)
            on_error(rule.code, key, error)
    if failed:
        seen = [(rule, symptom) for rule, symptom in seen if rule.code not in failed]
    return seen, failed


def rate(
    rule: Rule, symptom: Symptom, ref: ObjectRef, *, timers: Timers, scoring: ScoringSettings, now: datetime
) -> Sighting:
    """When the symptom counts, how severe it is and how many points it takes."""
    severity = rule.severity or symptom.severity or rule.check.severity
    first_seen_at = min(now, timers.first_seen.get((rule.code, symptom.part), now))  # the clock may have been set
    since = symptom.since or first_seen_at
    earliest = first_seen_at + timers.open_after if timers.open_after else since
    held_at = now if timers.single_look and symptom.since is None else max(since + symptom.after, earliest)
    due_at = held_at
    if symptom.restarts_timer and symptom.after and timers.restarted:
        restarts = [timers.restarted[kind] + symptom.after for kind in rule.kinds if kind in timers.restarted]
        due_at = max([held_at, *restarts])
    finding = Finding(
        code=rule.code,
        object=ref,
        part=symptom.part,
        severity=severity,
        message=symptom.message,
        since=since,
        evidence=symptom.evidence,
    )
    points = scoring.points(severity) if rule.weight is None else rule.weight
    return Sighting(
        finding=finding,
        points=thousandths(points),
        first_seen_at=first_seen_at,
        held_at=held_at,
        due_at=due_at,
        look_again=rule.check.look_again,
        object_changed_at=symptom.since if not symptom.after else None,
    )


def sightings(
    seen: Iterable[Seen],
    ref: ObjectRef,
    annotations: Labels,
    *,
    timers: Timers,
    scoring: ScoringSettings,
    now: datetime,
) -> dict[Part, Sighting]:
    """What was seen, rated, with the mutes that the annotations ask for. Of two with one name the worse counts."""
    mutes = mutes_of(annotations)
    found: dict[Part, Sighting] = {}
    for rule, symptom in seen:
        sighting = rate(rule, symptom, ref, timers=timers, scoring=scoring, now=now)
        if mutes.ends:
            sighting = replace(sighting, muted_until=mutes.end(rule.code, now))
        part = (rule.code, symptom.part)
        other = found.get(part)
        if other is None or _worse(sighting, other):
            found[part] = sighting
    return found


def _worse(one: Sighting, other: Sighting) -> bool:
    return (one.points, one.finding.message) > (other.points, other.finding.message)
