"""What a scan says, as a value that every format is rendered from. Knows no format and no cluster."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.cluster.snapshot import Source
from common.contracts import Finding, ObjectRef, Score, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredObject:
    """A zone or a namespace with its score."""

    object: ObjectRef
    score: float
    findings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A finding as the report shows it. `owner` is the top controller of the object, or the object itself."""

    finding: Finding
    title: str
    runbook: str
    owner: ObjectRef
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Findings of one code under one owner: forty pods of one Deployment are one line for the reader.

    Advice is put together by namespace: nobody reads the same of thirty Deployments, one by one.
    """

    code: str
    title: str
    runbook: str
    severity: Severity
    owner: ObjectRef
    members: tuple[Reported, ...]

    @property
    def first(self) -> Finding:
        return self.members[0].finding

    @property
    def amount(self) -> str:
        """How many objects, or of one object how many findings."""
        objects = {member.finding.object for member in self.members}
        return f"{len(objects):,} × {self.first.object.kind}" if len(objects) > 1 else f"{len(self.members):,} findings"

    @property
    def since(self) -> datetime:
        """Since when, as far as the objects tell; the time of the scan where they do not."""
        return min(member.finding.since for member in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One look at a cluster, or at one namespace of it when `namespace` is not empty."""

    cluster: str
    server_version: str
    namespace: str
    taken_at: datetime
    seconds: float
    score: Score
    fail_under: float | None
    objects: dict[str, int]
    zones: tuple[ScoredObject, ...]
    namespaces: tuple[ScoredObject, ...]
    findings: tuple[Reported, ...]
    not_seen: tuple[Source, ...]

    @property
    def failed(self) -> bool:
        return self.fail_under is not None and self.score.value < self.fail_under

    @property
    def by_severity(self) -> dict[Severity, int]:
        """Counts, worst first, zeros included."""
        counts = Counter(each.finding.severity for each in self.findings)
        return {severity: counts[severity] for severity in worst_first(Severity)}

    def groups(self) -> tuple[Group, ...]:
        """Findings of one code and one owner together; worst and largest first."""
        return grouped(self.findings)


def worst_first(severities: Iterable[Severity]) -> list[Severity]:
    return sorted(severities, key=lambda severity: -severity.rank)


def grouped(findings: Sequence[Reported]) -> tuple[Group, ...]:
    """Findings with the same code, severity and owner put together, in an order that two runs share."""
    members: dict[tuple[str, Severity, ObjectRef], list[Reported]] = {}
    for each in findings:
        members.setdefault((each.finding.code, each.finding.severity, _heading(each)), []).append(each)
    groups = [_group(heading, together) for (_, _, heading), together in members.items()]
    return tuple(sorted(groups, key=_reading_order))


def _heading(reported: Reported) -> ObjectRef:
    """What a finding stands under."""
    owner = reported.owner
    advice = reported.finding.severity is Severity.INFO and owner.namespace
    return ObjectRef(kind="Namespace", name=owner.namespace) if advice else owner


def _group(heading: ObjectRef, members: list[Reported]) -> Group:
    first = members[0]
    return Group(
        code=first.finding.code,
        title=first.title,
        runbook=first.runbook,
        severity=first.finding.severity,
        owner=heading,
        members=tuple(members),
    )


def _reading_order(group: Group) -> tuple[int, int, str, str]:
    return (-group.severity.rank, -len(group.members), group.code, str(group.owner.key))
