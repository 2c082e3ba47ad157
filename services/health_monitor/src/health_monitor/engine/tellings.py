"""Turns what changed into what is told: events, with storms summed up and scores filled in, and scores that moved."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain

from common.contracts import EventData, ObjectKey
from health_monitor.engine.findings import Findings
from health_monitor.engine.outcome import OpenFinding, Outcome, ScoreChange
from health_monitor.engine.placement import CLUSTER_KEY
from health_monitor.engine.scores import Scores
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.storms import STORM, Storms, Telling
from health_monitor.engine.transitions import Draft


class Tellings:
    """Collects drafts until they are told. `told_scores` holds each score as it was told last."""

    def __init__(self, scores: Scores, findings: Findings, settings: EngineSettings) -> None:
        self._scores = scores
        self._findings = findings
        self._settings = settings
        self._storms = Storms(settings)
        self._drafts: list[Draft] = []
        self._rescored: set[ObjectKey] = set()
        self._told_scores: dict[ObjectKey, float] = {}

    @property
    def next_due_at(self) -> datetime | None:
        return self._storms.next_due_at

    def add(self, drafts: Iterable[Draft]) -> None:
        self._drafts += drafts

    def rescored(self, key: ObjectKey) -> None:
        """The score of an object that is no group may have moved, and is one that is told."""
        self._rescored.add(key)

    def resume(
        self, published: list[OpenFinding], scores: Mapping[ObjectKey, float], *, everything: Iterable[ObjectKey] = ()
    ) -> list[OpenFinding]:
        """Believe that this was told last, and drop what was to be told. Returns what is no storm."""
        self._storms.resume(found.finding for found in published if _is_storm(found))
        self._told_scores = dict(scores)
        self._rescored.update(scores, everything)
        self._drafts.clear()
        return [found for found in published if not _is_storm(found)]

    def settle(self) -> Outcome:
        """Bring scores up to date and tell nothing yet: while everything is looked at for the first time."""
        self._rescored.update(self._scores.settle())
        return Outcome()

    def tell(self, now: datetime, *, resuming: bool = False) -> Outcome:
        """Everything that is to be told now."""
        settled = self._scores.settle()
        told = self._storms.sift(self._drafts, now, resuming=resuming)
        self._drafts = []
        outcome = Outcome(
            events=[self._event(each, now) for each in told],
            scores=self._moved(chain(settled, self._rescored), now),
        )
        self._rescored.clear()
        return outcome

    def _event(self, telling: Telling, now: datetime) -> EventData:
        draft = telling.draft
        key = draft.finding.object.key
        return EventData(
            change=draft.change,
            finding=draft.finding,
            previous_severity=draft.previous_severity,
            flapping=draft.flapping,
            storm=telling.storm,
            count=telling.count,
            object_score=value_of(key, self._scores, self._findings),
            cluster_score=self._scores.loss(CLUSTER_KEY).score,
            detected_at=now,
            object_changed_at=draft.object_changed_at,
        )

    def _moved(self, keys: Iterable[ObjectKey], now: datetime) -> list[ScoreChange]:
        moved: list[ScoreChange] = []
        for key in keys:
            score = self._scores.loss(key).rounded_score if self._scores.knows(key) else None
            if self._told_scores.get(key) == score:
                continue
            if score is None:
                del self._told_scores[key]
            else:
                self._told_scores[key] = score
            moved.append(ScoreChange(key=key, score=score, at=now))
        return moved


def _is_storm(found: OpenFinding) -> bool:
    return found.finding.object.key == CLUSTER_KEY and found.finding.part == STORM


def value_of(key: ObjectKey, scores: Scores, findings: Findings) -> float:
    """The score of anything. What counts nowhere, such as a finished pod, has lost what its findings took."""
    loss = scores.loss(key) if scores.knows(key) else findings.loss(key)
    return loss.score
