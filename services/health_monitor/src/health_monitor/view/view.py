"""Lists of what the cluster's health consists of, filtered and paged. Reads memory, never waits."""

from dataclasses import dataclass

from common.cluster.rows import Selector
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from health_monitor.api.shapes import FindingView, Summary
from health_monitor.engine.engine import Engine, OpenFinding
from health_monitor.view.describe import Describe
from health_monitor.view.listing import Orders, Page, Position, page
from health_monitor.view.walks import ALL_POINTS, Collection, Sort, Walks


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """All that is given must hold. Scores are inclusive; `severity` means at least."""

    min_score: float = 0.0
    max_score: float = ALL_POINTS
    severity: Severity | None = None
    code: str | None = None
    labels: Selector | None = None
    namespace: str | None = None
    kind: str | None = None
    name: str | None = None

    @property
    def wants_findings(self) -> bool:
        """Whether a pod without findings is out."""
        return self.severity is not None or self.code is not None or self.max_score < ALL_POINTS

    @property
    def has_scores(self) -> bool:
        return self.min_score > 0 or self.max_score < ALL_POINTS

    def passes_place(self, key: ObjectKey) -> bool:
        return (
            (self.namespace is None or key.namespace == self.namespace)
            and (self.kind is None or key.kind == self.kind)
            and (self.name is None or key.name == self.name)
        )

    def passes_finding(self, opened: OpenFinding) -> bool:
        finding = opened.finding
        return (self.code is None or finding.code == self.code) and (
            self.severity is None or finding.severity.rank >= self.severity.rank
        )


class View:
    """Questions about one cluster."""

    def __init__(
        self, engine: Engine, snapshot: ClusterSnapshot, *, runbook: str, orders: Orders | None = None
    ) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._walks = Walks(engine, snapshot, orders or Orders())
        self.describe = Describe(engine, snapshot, runbook)

    def objects(
        self, collection: Collection, wanted: Filter, *, sort: Sort, limit: int, position: Position | None
    ) -> Page[Summary]:
        """One page of objects."""
        if collection is Collection.PODS:
            positions = self._walks.pods(sort, position, namespace=wanted.namespace, noted=wanted.wants_findings)
        else:
            positions = self._walks.objects(collection, sort, position)

        def accept(at: Position) -> Summary | None:
            key: ObjectKey = at[1]
            return self.describe.summary(collection, key) if self._passes(key, wanted) else None

        return page(positions, accept, limit=limit)

    def findings(self, wanted: Filter, *, limit: int, position: Position | None) -> Page[FindingView]:
        """One page of open findings, the worst first."""

        def accept(at: Position) -> FindingView | None:
            _, code, key, part = at
            if (wanted.code is not None and code != wanted.code) or not wanted.passes_place(key):
                return None
            opened = self._opened(code, key, part)
            return self.describe.finding(opened) if opened is not None and wanted.passes_finding(opened) else None

        return page(self._walks.findings(position), accept, limit=limit)

    def _passes(self, key: ObjectKey, wanted: Filter) -> bool:
        if not wanted.passes_place(key):
            return False
        if wanted.has_scores and not wanted.min_score <= self._engine.value(key) <= wanted.max_score:
            return False
        if wanted.labels is not None:
            row = self._snapshot.find(key)
            if not wanted.labels.matches({} if row is None else row.labels):
                return False
        if wanted.severity is None and wanted.code is None:
            return True
        return any(map(wanted.passes_finding, self._engine.findings(key)))

    def _opened(self, code: str, key: ObjectKey, part: str) -> OpenFinding | None:
        found = (each for each in self._engine.findings(key) if each.finding.code == code and each.finding.part == part)
        return next(found, None)
