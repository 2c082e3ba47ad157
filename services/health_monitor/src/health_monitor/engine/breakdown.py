"""A score with its reasons: which finding and which family of members took how much, and how much was seen. Pure."""

from collections.abc import Iterable, Iterator, Sequence, Set

from common.contracts import Deduction, Score
from health_monitor.engine.findings import counts
from health_monitor.engine.scores import Family, Group
from health_monitor.engine.scoring import FULL, THOUSANDTHS, scaled
from health_monitor.engine.settings import ScoringSettings
from health_monitor.engine.transitions import Track

OWN_ONLY = frozenset({"zones", "namespaces"})  # their members count elsewhere


def score(tracks: Iterable[Track], group: Group | None, *, confidence: float, scoring: ScoringSettings) -> Score:
    """The score of an object, from its own findings and, of a group, its families. The worst deduction is first."""
    parts = [*_own(tracks), *_families(group, scoring)]
    parts.sort(key=lambda part: (-part[0], part[1].code, part[1].part))
    points = scaled([taken for taken, _ in parts])
    return Score(
        value=(FULL - sum(points)) / THOUSANDTHS,
        confidence=confidence,
        deductions=tuple(
            Deduction(points=taken / THOUSANDTHS, code=deduction.code, reason=deduction.reason, part=deduction.part)
            for taken, (_, deduction) in zip(points, parts, strict=True)
        ),
    )


def confidence(sources: Sequence[frozenset[str]], missing: Set[str]) -> float:
    """The share of the checks that could be judged: all sources that they rest on are seen, and not stale."""
    if not missing or not sources:
        return 1.0
    return round(sum(map(missing.isdisjoint, sources)) / len(sources), 3)


def _own(tracks: Iterable[Track]) -> Iterator[tuple[int, Deduction]]:
    for track in tracks:
        if counts(track) and track.points:
            finding = track.finding
            yield track.points, Deduction(points=0, code=finding.code, reason=finding.message, part=finding.part)


def _families(group: Group | None, scoring: ScoringSettings) -> Iterator[tuple[int, Deduction]]:
    families = group.families if group else {}
    for name, family in families.items():
        taken = family.loss(scoring).total
        if taken:
            yield taken, Deduction(points=0, code=name, reason=_reason(name, family))


def _reason(name: str, family: Family) -> str:
    """Such as "1 of 1000 nodes is unhealthy; worst: Node node-7 (score 10)"."""
    summary = family.summary()
    count, state = (summary.serious, "unhealthy") if summary.serious else (summary.lossy, "less than perfect")
    members = name.removesuffix("s") if family.count == 1 else name
    verb = "is" if count == 1 else "are"
    points = summary.worst_loss.total / THOUSANDTHS
    lost = f"lost {points:g} by its own findings" if name in OWN_ONLY else f"score {summary.worst_loss.rounded_score:g}"
    return f"{count} of {family.count} {members} {verb} {state}; worst: {summary.worst} ({lost})"
