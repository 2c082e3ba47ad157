"""An engine over a real store, with a stepped clock and checks that a test steers by the labels of its rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.clock import NOON, SteppedClock
from tests.support.rows import a_snapshot

from common.cluster.changes import RowChange
from common.cluster.rows import Row
from common.cluster.snapshot import ClusterSnapshot, Source, SourceState
from common.contracts import Change, EventData, ObjectKey, Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom
from health_monitor.engine.engine import Engine, Outcome, ScoreChange
from health_monitor.engine.settings import EngineSettings
from health_monitor.policy import DEFAULT_POLICY, Policy

Told = dict[tuple[str, ObjectKey, str], EventData]


def steered(row: Row, _snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime) -> Iterable[Symptom]:
    """Labels sick, sick2: "<severity>" or "<severity>:<seconds that it must hold>"; "boom" raises."""
    for part in ("sick", "sick2"):
        if text := row.labels.get(part):
            if text == "boom":
                raise RuntimeError("boom")
            severity, _, seconds = text.partition(":")
            yield Symptom(
                message=f"{row.name} is ill",
                after=timedelta(seconds=float(seconds or 0)),
                part=part,
                severity=Severity(severity),
                evidence={"words": row.labels.get("words", "none"), "number": int(row.labels.get("number", "0"))},
            )


def a_check(kind: str, **overrides: Any) -> Check[Any, Any]:
    made: Check[Any, Any] = Check(
        code=f"{kind.lower()}-sick",
        title="Sick",
        kind=kind,
        severity=Severity.WARNING,
        summary="Steered by the test.",
        run=steered,
        thresholds=NoThresholds(),
    )
    return replace(made, **overrides)


KINDS = ("Node", "Pod", "Deployment", "Job", "CronJob", "Service", "PersistentVolume", "Namespace")
STEERED = tuple(a_check(kind) for kind in KINDS)


@dataclass
class Failure:
    code: str
    key: ObjectKey
    error: Exception


class EngineUnderTest:
    """What a monitor does, by hand. Collects all that was told, and folds it as a subscriber would."""

    def __init__(
        self,
        *rows: Row,
        checks: Sequence[Check[Any, Any]] = STEERED,
        settings: EngineSettings | None = None,
        policy: Policy = DEFAULT_POLICY,
        start: bool = True,
    ) -> None:
        self.clock = SteppedClock()
        self.store = a_snapshot(*rows)
        self.failures: list[Failure] = []
        self.engine = Engine(
            self.store,
            policy,
            settings or EngineSettings(),
            checks=checks,
            on_check_error=lambda code, key, error: self.failures.append(Failure(code, key, error)),
        )
        self.events: list[EventData] = []
        self.scores: list[ScoreChange] = []
        self.told: Told = {}
        self._version = 1
        if start:
            self.start()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def start(self) -> list[EventData]:
        self.engine.start()
        return self.take(self.engine.work(self.now))

    def put(self, *rows: Row) -> list[EventData]:
        """Rows as the API server would send them now."""
        return self.apply([change for row in rows if (change := self.store.apply(self.versioned(row)))])

    def remove(self, *rows: Row) -> list[EventData]:
        return self.apply([change for row in rows if (change := self.store.remove(type(row), row.key))])

    def apply(self, changes: Sequence[RowChange]) -> list[EventData]:
        return self.take(self.engine.apply(changes, self.now))

    def versioned(self, row: Row) -> Row:
        self._version += 1
        fields = {name: getattr(row, name) for name in row.__struct_fields__}
        return type(row)(**(fields | {"resource_version": str(self._version)}))

    def step(self, seconds: float) -> list[EventData]:
        """Let time pass, and tick at each instant at which the engine asks for it."""
        end = self.now + timedelta(seconds=seconds)
        told: list[EventData] = []
        while (due := self.engine.next_due_at) is not None and due <= end:
            self.clock.step(max(timedelta(0), due - self.now))
            told += self.take(self.engine.tick(self.now))
        self.clock.step(end - self.now)
        return told

    def set_source(self, kind: str, state: SourceState) -> None:
        self.store.set_source(Source(kind=kind, state=state, heard_at=self.now))

    def take(self, outcome: Outcome) -> list[EventData]:
        self.events += outcome.events
        self.scores += outcome.scores
        for event in outcome.events:
            fold(self.told, event)
        return outcome.events


def fold(told: Told, event: EventData) -> None:
    """What a subscriber does; an event that does not fit to what was told before is a mistake."""
    key = event.finding.key
    if event.change is Change.OPENED:
        assert key not in told, f"opened twice: {key}"
        told[key] = event
    elif event.change is Change.CHANGED:
        assert key in told, f"changed and never opened: {key}"
        told[key] = event
    else:
        assert key in told, f"resolved and never opened: {key}"
        del told[key]


def changes(events: Iterable[EventData]) -> list[tuple[str, str]]:
    """Each event as (change, name of the object)."""
    return [(event.change.value, event.finding.object.name) for event in events]


__all__ = ["NOON", "STEERED", "EngineUnderTest", "a_check", "changes", "fold"]
