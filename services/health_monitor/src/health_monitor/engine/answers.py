"""What may be asked of findings and scores: sync, cheap, at any time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from common.cluster.rows import Labels, PodRow
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey, Score, Severity
from health_monitor.checks.check import NODE_USAGE, POD_USAGE
from health_monitor.engine.breakdown import confidence, score
from health_monitor.engine.evaluate import Rule, Sighting
from health_monitor.engine.findings import Findings
from health_monitor.engine.looking import Looker
from health_monitor.engine.outcome import OpenFinding
from health_monitor.engine.scores import Scores
from health_monitor.engine.settings import ScoringSettings
from health_monitor.engine.tellings import value_of

USAGE = {"Node": NODE_USAGE, "Pod": POD_USAGE}


class Answers:
    """The reading half of an engine."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        looker: Looker,
        *,
        findings: Findings,
        scores: Scores,
        scoring: ScoringSettings,
    ) -> None:
        self._snapshot = snapshot
        self._looker = looker
        self._findings = findings
        self._scores = scores
        self._scoring = scoring

    def knows(self, key: ObjectKey) -> bool:
        """Whether there is such an object, or something that counts as part of it."""
        return self._scores.group(key) is not None or self._looker.subject(key) is not None

    def score(self, key: ObjectKey) -> Score | None:
        """With its breakdown. None when there is no such object."""
        if not self.knows(key):
            return None
        return score(
            self._findings.of(key).values(),
            self._scores.group(key),
            confidence=self.confidence(key),
            scoring=self._scoring,
        )

    def value(self, key: ObjectKey) -> float:
        """The score's number alone. 100 for what is not known."""
        return value_of(key, self._scores, self._findings)

    def findings(self, key: ObjectKey) -> tuple[OpenFinding, ...]:
        """Open ones, muted ones included."""
        return self._findings.open_of(key)

    def all_findings(self) -> Iterator[OpenFinding]:
        """Every open one, also those that were told only as part of a storm."""
        return self._findings.all_open()

    def counts(self) -> Mapping[tuple[str, Severity], int]:
        """Open findings that are not muted, by code and severity."""
        return self._findings.counts

    def workloads(self) -> Collection[ObjectKey]:
        return self._scores.workloads()

    def zones(self) -> Collection[ObjectKey]:
        return self._scores.zones()

    def namespaces(self) -> Collection[ObjectKey]:
        return self._scores.namespaces()

    def confidence(self, key: ObjectKey) -> float:
        """How much of what the score rests on is seen, 0 to 1."""
        return confidence(self._looker.rulebook.sources_within(key), self._missing(key))

    def unseen(self, key: ObjectKey) -> frozenset[str]:
        """Sources that are missing for the object and that its checks rest on, so that they lower its confidence."""
        return frozenset(self._missing(key).intersection(chain(*self._looker.rulebook.sources_within(key))))

    def _missing(self, key: ObjectKey) -> set[str]:
        missing = {kind for kind, source in self._snapshot.sources.items() if source.state is not SourceState.SYNCED}
        if key.kind in USAGE and self._snapshot.usage_of(key) is None and not self._is_at_rest(key):
            missing.add(USAGE[key.kind])
        return missing

    def _is_at_rest(self, key: ObjectKey) -> bool:
        """Whether it is a pod that has not started or has ended: it uses nothing, so no figure is missing."""
        row = self._snapshot.find(key)
        return isinstance(row, PodRow) and row.phase != "Running"

    def annotations(self, key: ObjectKey) -> Labels:
        """Those of the object's annotations that are kept; none for what is no object of the API."""
        row = self._snapshot.find(key)
        return {} if row is None else row.annotations

    def rules(self, key: ObjectKey) -> Sequence[Rule]:
        """The checks that are run on the object, with their thresholds."""
        return self._looker.rules(key)

    def peek(self, key: ObjectKey, now: datetime) -> tuple[list[Sighting], set[str]]:
        """What the object's checks see right now, due or not yet, and the codes of those that failed."""
        return self._looker.peek(key, now)
