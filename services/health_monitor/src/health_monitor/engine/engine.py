"""Keeps findings and scores true to the cluster view: a change re-evaluates what it touches, time what becomes due.

Sync and without I/O. Changes are marked, then worked off, in one go or in slices; what is to be told comes back.
Nothing is told before every object was looked at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from common.cluster.changes import RowChange
from common.cluster.rows import ROW_KINDS, NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey
from common.contracts.objects import CLUSTER, ZONE
from health_monitor.checks import CHECKS
from health_monitor.checks.check import SOURCES, Check
from health_monitor.engine.affected import affected, readers_of
from health_monitor.engine.agenda import Agenda, Kinds, Queue
from health_monitor.engine.answers import Answers
from health_monitor.engine.evaluate import OnCheckError
from health_monitor.engine.findings import Findings
from health_monitor.engine.looking import Looker
from health_monitor.engine.membership import Membership
from health_monitor.engine.outcome import OpenFinding, Outcome, ScoreChange
from health_monitor.engine.placement import CLUSTER_KEY, PLACED_KINDS, zone_key
from health_monitor.engine.rulebook import Rulebook
from health_monitor.engine.scores import Scores
from health_monitor.engine.settings import DEFAULT_SETTINGS, EngineSettings
from health_monitor.engine.tellings import Tellings
from health_monitor.policy import DEFAULT_POLICY, Policy

__all__ = ["Engine", "OpenFinding", "Outcome", "ScoreChange"]

WIDE = frozenset({CLUSTER, ZONE})  # their checks look at much


def _ignore(_code: str, _key: ObjectKey, _error: Exception) -> None:
    """A failing check shows in the logs and metrics of whoever asked for them."""


class Engine(Answers):
    """Findings, scores and events of one cluster view. `start` it once every source is synced.

    With `single_look` there is no later: a symptom whose start nobody knows counts at once instead of being waited for.
    """

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        policy: Policy = DEFAULT_POLICY,
        settings: EngineSettings = DEFAULT_SETTINGS,
        *,
        checks: Sequence[Check[Any, Any]] = CHECKS,
        on_check_error: OnCheckError = _ignore,
        single_look: bool = False,
    ) -> None:
        findings, scores = Findings(), Scores(settings.scoring)
        self._tellings = Tellings(scores, findings, settings)
        looker = Looker(
            snapshot,
            Rulebook(checks, policy),
            settings.model_copy(update={"resolve_after": timedelta(0)}),  # what is gone at the start need not wait
            findings=findings,
            scores=scores,
            tellings=self._tellings,
            on_check_error=on_check_error,
            single_look=single_look,
        )
        super().__init__(snapshot, looker, findings=findings, scores=scores, scoring=settings.scoring)
        self.started = False  # every object was looked at once
        self._begun = False
        self._placing = False  # objects are looked at for the first time
        self._settings = settings
        self._checks = checks
        self._readers = readers_of(checks)
        self._membership = Membership(scores, snapshot)
        self._queue = Queue()
        self._agenda = Agenda()
        self._looked_at: dict[ObjectKey, datetime] = {}  # of the cluster and zones
        self._server_version = snapshot.server_version

    @property
    def pending(self) -> int:
        """How many objects are queued."""
        return len(self._queue)

    @property
    def next_due_at(self) -> datetime | None:
        """When `tick` is wanted, though nothing changes until then."""
        dates = (self._agenda.next_at, self._tellings.next_due_at)
        return min((date for date in dates if date is not None), default=None)

    def start(self) -> None:
        """Queue every object. Each gets its place among the scores when it is looked at."""
        self._begun = True
        self._placing = True
        self._queue_all(self._looker.rulebook.kinds | PLACED_KINDS)

    def mark(self, changes: Iterable[RowChange], now: datetime) -> None:
        """Queue what the changes touch. Before the start there is nothing to do: the view has them already."""
        if not self._begun:
            return
        for change in changes:
            if change.before is not None or change.after is not None:
                self._mark_itself(change)
            for key in affected(change, self._snapshot, self._readers):
                self._mark(key, frozenset({change.kind}), now)

    def mark_due(self, now: datetime) -> None:
        """Queue what is due by time."""
        self._queue.add_all(self._agenda.due(now))

    def work(self, now: datetime, limit: int | None = None) -> Outcome:
        """Look at up to `limit` queued objects, and say what is to be told."""
        self._queue.add_all(self._looker.thaw(now))
        batch = self._queue.take(limit)
        if self._placing:
            self._membership.place_all((key, self._snapshot.find(key)) for key, _ in batch if key.kind not in WIDE)
        for key, kinds in batch:
            self._look(key, kinds, now)
        if self._queue:
            return self._tellings.tell(now) if self.started else self._tellings.settle()
        self._placing = False
        if self.started or not self._begun:
            return self._tellings.tell(now)
        self.started = True
        self._looker.settings = self._settings
        return self._tellings.tell(now, resuming=True)

    def apply(self, changes: Iterable[RowChange], now: datetime) -> Outcome:
        self.mark(changes, now)
        return self.work(now)

    def tick(self, now: datetime) -> Outcome:
        self.mark_due(now)
        return self.work(now)

    def refresh_cluster(self) -> None:
        """Queue what rests on how well the API server is seen."""
        self._queue.add(CLUSTER_KEY, frozenset({SOURCES}))
        if self._server_version != self._snapshot.server_version:
            self._server_version = self._snapshot.server_version
            for key in self._snapshot.rows(NodeRow):
                self._queue.add(key, frozenset({SOURCES}))

    def restart_timers(self, now: datetime, kind: str | None = None) -> None:
        """An outage of our view of one kind, or of all, ended: what is not told yet must hold anew for its time.

        For all also after the clock was set.
        """
        for restarted in self._snapshot.sources if kind is None else (kind,):
            self._looker.restart_timers(restarted, now)
        if kind is None:  # perhaps the clock was set: dates that were reckoned before are worth nothing
            self._looked_at.clear()
            self._queue.add_all(self._findings.keys())

    def set_policy(self, policy: Policy) -> None:
        """Take another policy, and queue everything."""
        self._looker.rulebook = Rulebook(self._checks, policy)
        if self._begun:
            self._queue_all(self._looker.rulebook.kinds)

    def resume(
        self, published: Iterable[OpenFinding], now: datetime, scores: Mapping[ObjectKey, float] | None = None
    ) -> Outcome:
        """Take over from whoever told `published` and stored `scores` last: only differences are told.

        Before the first pass it is remembered for then. After it, on a standby that was warm, they are told now; that
        something is gone only when it stays away, as ever. A standby that is called in the midst of its first pass
        finishes that first.
        """
        if self._begun and not self.started:
            self.work(now)
        everything = (CLUSTER_KEY, *self.zones(), *self.namespaces(), *self.workloads(), *self._snapshot.rows(NodeRow))
        singles = self._tellings.resume(list(published), scores or {}, everything=everything)
        if not self.started:
            self._findings.restore(singles)
            return Outcome()
        self._tellings.add(self._findings.reconcile(singles, now, self._settings))
        for key in {found.finding.object.key for found in singles}:
            if (at := self._findings.next_look_at(key)) is not None:
                self._agenda.hasten(key, at)
        return self._tellings.tell(now, resuming=True)

    def _queue_all(self, kinds: frozenset[str]) -> None:
        """Zones last: they are where their nodes are."""
        rows = (self._snapshot.rows(kind) for kind in ROW_KINDS if kind.__name__.removesuffix("Row") in kinds)
        zones = map(zone_key, self._snapshot.zones())
        self._queue.add_all(chain((CLUSTER_KEY,), *rows, zones, self._findings.keys()))

    def _mark_itself(self, change: RowChange) -> None:
        before, after = change.before, change.after
        if before is not None and (after is None or after.uid != before.uid):
            self._looker.forget(change.key)
            self._agenda.set(change.key, None)
            if change.key.kind == "Node":
                self._tellings.rescored(change.key)
        for key in self._membership.update(change):
            self._scores.set_own(key, self._findings.loss(key))
        if after is not None and change.key.kind in self._looker.rulebook.kinds:
            self._queue.add(change.key)

    def _mark(self, key: ObjectKey, kinds: Kinds, now: datetime) -> None:
        """The cluster and zones are looked at once for many changes."""
        looked_at = self._looked_at.get(key) if key.kind in WIDE else None
        if looked_at is not None and looked_at <= now < looked_at + self._settings.wide_interval:
            self._agenda.hasten(key, looked_at + self._settings.wide_interval)
        else:
            self._queue.add(key, kinds)

    def _look(self, key: ObjectKey, kinds: Kinds, now: datetime) -> None:
        if key.kind in WIDE:
            self._looked_at[key] = now
        elif key.kind == "Node":
            self._tellings.rescored(key)
        at = self._looker.look(key, kinds, now)
        if key.kind not in WIDE or kinds is None:
            self._agenda.set(key, at)
        elif at is not None:  # a full look that was put off must not be struck off by a partial one
            self._agenda.hasten(key, at)
