"""Sums up what would be too many events: a storm of one check's openings is one event with a count.

Findings of a storm are not told one by one, neither when they open nor when they resolve. The storm itself is a finding
of the cluster: opened once, told again with a new count at most once per window, resolved when none of its findings
is left. Openings after the storm has calmed down are told one by one again.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from common.contracts import Change, Finding, ObjectKey, Severity
from health_monitor.engine.placement import CLUSTER_KEY
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.transitions import Draft

STORM = "storm"  # part of the storm's finding

FindingKey = tuple[str, ObjectKey, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A draft that is to be told. For a storm, `count` findings."""

    draft: Draft
    count: int = 1
    storm: bool = False


@dataclass(slots=True)
class _Storm:
    """Openings of one check: the recent ones, and those that are not told one by one."""

    recent: deque[datetime] = field(default_factory=deque)
    withheld: dict[FindingKey, None] = field(default_factory=dict)  # a set that keeps its order
    severity: Severity = Severity.INFO
    since: datetime | None = None
    told: Finding | None = None
    told_count: int = 0
    told_at: datetime | None = None


class Storms:
    """Stands between what changed and what is told."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._storms: dict[str, _Storm] = {}

    @property
    def next_due_at(self) -> datetime | None:
        """When a storm whose count moved may be told again."""
        window = self._settings.storm_window
        return min(
            (storm.told_at + window for storm in self._storms.values() if storm.told_at and _moved(storm)), default=None
        )

    def resume(self, published: Iterable[Finding]) -> None:
        """Storms that were told by whoever was in charge before; what they stood for shows as it is found again."""
        self._storms = {
            finding.code: _Storm(
                severity=finding.severity,
                since=finding.since,
                told=finding,
                told_count=int(finding.evidence.get("findings", 1)),
                told_at=finding.since,
            )
            for finding in published
        }

    def sift(self, drafts: Sequence[Draft], now: datetime, *, resuming: bool = False) -> list[Telling]:
        """What of the drafts is told one by one, and what is told of storms.

        `resuming`: openings that a published storm may have stood for join it, and are no news.
        """
        if not drafts:
            return self.due(now)
        stormy = self._stormy(drafts, now, resuming)
        told = [Telling(draft=draft) for draft in drafts if not self._withhold(draft, stormy)]
        return told + self.due(now)

    def due(self, now: datetime) -> list[Telling]:
        """Storms whose count is to be told now."""
        moved = [(code, storm) for code, storm in self._storms.items() if _moved(storm)]
        return [telling for code, storm in moved if (telling := self._tell(code, storm, now))]

    def _stormy(self, drafts: Sequence[Draft], now: datetime, resuming: bool) -> set[str]:
        """Codes that opened too often within the window, this batch included."""
        openings = Counter(draft.finding.code for draft in drafts if draft.change is Change.OPENED)
        stormy = set()
        for code, count in openings.items():
            storm = self._storms.setdefault(code, _Storm())
            while storm.recent and storm.recent[0] <= now - self._settings.storm_window:
                storm.recent.popleft()
            storm.recent.extend([now] * min(count, self._settings.storm_openings + 1))
            if len(storm.recent) > self._settings.storm_openings or (resuming and storm.told):
                stormy.add(code)
        return stormy

    def _withhold(self, draft: Draft, stormy: set[str]) -> bool:
        storm = self._storms.get(draft.finding.code)
        if storm is None:
            return False
        key = draft.finding.key
        if draft.change is Change.OPENED and draft.finding.code in stormy:
            storm.withheld[key] = None
        if key not in storm.withheld:
            return False
        if draft.change is Change.RESOLVED:
            del storm.withheld[key]
            return True
        if draft.finding.severity.rank > storm.severity.rank:
            storm.severity = draft.finding.severity
        storm.since = min(storm.since or draft.finding.since, draft.finding.since)
        return True

    def _tell(self, code: str, storm: _Storm, now: datetime) -> Telling | None:
        if storm.told_at is not None and storm.told is not None and now < storm.told_at + self._settings.storm_window:
            return None
        before = storm.told
        finding = _finding(code, storm, now) if storm.withheld else before
        if finding is None:
            return None
        change = Change.RESOLVED if not storm.withheld else Change.OPENED if before is None else Change.CHANGED
        storm.told = None if change is Change.RESOLVED else finding
        storm.told_count = len(storm.withheld)
        storm.told_at = now
        draft = Draft(change=change, finding=finding)
        if before is not None and before.severity is not finding.severity:
            draft = replace(draft, previous_severity=before.severity)
        if change is Change.RESOLVED:
            self._storms[code] = _Storm(recent=storm.recent, told_at=now)
        return Telling(draft=draft, count=max(1, len(storm.withheld)), storm=True)


def _moved(storm: _Storm) -> bool:
    return len(storm.withheld) != storm.told_count


def _finding(code: str, storm: _Storm, now: datetime) -> Finding:
    count = len(storm.withheld)
    examples = ", ".join(str(key) for _, key, _ in islice(storm.withheld, 3))
    return Finding(
        code=code,
        object=CLUSTER_KEY.ref(),
        part=STORM,
        severity=storm.severity,
        message=f"{count} findings of {code} at once, too many to tell one by one, such as {examples}",
        since=storm.since or now,
        evidence={"findings": count, "examples": examples},
    )
