"""One look at one object: runs its checks, follows its findings and sets its score."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from common.cluster.rows import Labels, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey
from common.contracts.health import Scalar
from common.contracts.objects import CLUSTER, ZONE
from health_monitor.engine.agenda import Kinds
from health_monitor.engine.evaluate import OnCheckError, Part, Rule, Seen, Sighting, Timers, examine, sightings
from health_monitor.engine.findings import Findings
from health_monitor.engine.rulebook import Rulebook, Rules
from health_monitor.engine.scores import Scores
from health_monitor.engine.scoring import NO_LOSS
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.tellings import Tellings

UNTRUSTED = frozenset({SourceState.STALE, SourceState.STARTING})
OUTAGE = timedelta(seconds=10)  # a shorter gap is made up for before anybody's patience ends
RETRY = timedelta(minutes=1)  # of what could not be judged when it was due
CHANNEL = "k8s-health-checker/channel"  # annotation of a namespace: where its people hear of alerts
NO_LABELS: Labels = {}
NO_CODES: frozenset[str] = frozenset()


class Looker:
    """Looks at objects. Checks that rest on a source which is not seen are frozen: silence proves nothing."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        rulebook: Rulebook,
        settings: EngineSettings,
        *,
        findings: Findings,
        scores: Scores,
        tellings: Tellings,
        on_check_error: OnCheckError,
        single_look: bool,
    ) -> None:
        self.rulebook = rulebook
        self.settings = settings
        self._snapshot = snapshot
        self._findings = findings
        self._scores = scores
        self._tellings = tellings
        self._on_check_error = on_check_error
        self._single_look = single_look
        self._restarted: dict[str, datetime] = {}
        self._stale: frozenset[str] = frozenset()
        self._stale_since: dict[str, datetime] = {}
        self._frozen: set[ObjectKey] = set()

    def subject(self, key: ObjectKey) -> Row | ObjectKey | None:
        """The row, or for the cluster and zones the key itself; None when there is no such object."""
        if key.kind == CLUSTER:
            return key
        if key.kind == ZONE:
            group = self._scores.group(key)
            return None if group is None or group.empty else key
        return self._snapshot.find(key)

    def look(self, key: ObjectKey, kinds: Kinds, now: datetime) -> datetime | None:
        """Look at the object. Returns when time alone makes another look worth while."""
        subject = self.subject(key)
        if subject is None:
            self.forget(key)
            return None
        rules = self._rules(key, subject).reading(kinds)
        frozen = self._freeze(key, rules) if self._stale else NO_CODES
        if frozen:
            rules = tuple(rule for rule in rules if rule.code not in frozen)
        seen, failed = examine(
            subject, key, rules=rules, snapshot=self._snapshot, now=now, on_error=self._on_check_error
        )
        tracks = self._findings.of(key)
        if not seen and not tracks:
            return None
        judged = {code for code, _ in tracks} if kinds is None else {rule.code for rule in rules}
        return self._take(key, subject, seen, judged=judged - frozen - failed, now=now)

    def peek(self, key: ObjectKey, now: datetime) -> tuple[list[Sighting], set[str]]:
        """What the object's checks see now, due or not yet, and the codes of those that failed. Changes nothing."""
        subject = self.subject(key)
        if subject is None:
            return [], set()
        rules = self.rules(key)
        seen, failed = examine(
            subject, key, rules=rules, snapshot=self._snapshot, now=now, on_error=self._on_check_error
        )
        return list(self._rate(key, subject, seen, now).values()), failed

    def rules(self, key: ObjectKey) -> Sequence[Rule]:
        """The checks that are run on the object, with their thresholds."""
        subject = self.subject(key)
        return () if subject is None else self._rules(key, subject).rules

    def forget(self, key: ObjectKey) -> None:
        """The object was deleted, or another took its name."""
        self._tellings.add(self._findings.forget(key))
        self._scores.set_own(key, NO_LOSS)

    def restart_timers(self, kind: str, now: datetime) -> None:
        self._restarted[kind] = now

    def thaw(self, now: datetime) -> set[ObjectKey]:
        """Take note of which sources are seen. Returns what is to be looked at again because that changed.

        Timers of a source that is seen again after an outage start anew here too, lest a look comes before anybody
        says that it ended.
        """
        sources = self._snapshot.sources
        stale = frozenset(kind for kind, source in sources.items() if source.state in UNTRUSTED)
        if stale == self._stale:
            return set()
        for kind in self._stale - stale:
            if now - self._stale_since.pop(kind) >= OUTAGE:
                self.restart_timers(kind, now)
        self._stale_since.update(dict.fromkeys(stale - self._stale, now))
        frozen, self._frozen, self._stale = self._frozen, set(), stale
        return frozen

    def _rules(self, key: ObjectKey, subject: Row | ObjectKey) -> Rules:
        return self.rulebook.rules(key.kind, key.namespace, subject.labels if isinstance(subject, Row) else NO_LABELS)

    def _rate(self, key: ObjectKey, subject: Row | ObjectKey, seen: list[Seen], now: datetime) -> dict[Part, Sighting]:
        uid, annotations = (subject.uid, subject.annotations) if isinstance(subject, Row) else ("", NO_LABELS)
        timers = Timers(
            first_seen=self._findings.first_seen(key),
            restarted=self._restarted,
            open_after=self.settings.open_after,
            single_look=self._single_look,
        )
        if seen and (place := self._place(key, subject)):
            seen = [(rule, replace(symptom, evidence={**symptom.evidence, **place})) for rule, symptom in seen]
        return sightings(seen, key.ref(uid), annotations, timers=timers, scoring=self.settings.scoring, now=now)

    def _place(self, key: ObjectKey, subject: Row | ObjectKey) -> dict[str, Scalar]:
        """What its place tells of it: a sick node may explain it, and its namespace may name who is to know."""
        place: dict[str, Scalar] = {"node": subject.node} if isinstance(subject, PodRow) and subject.node else {}
        namespace = self._snapshot.find(ObjectKey("Namespace", "", key.namespace)) if key.namespace else None
        if namespace is not None and (channel := namespace.annotations.get(CHANNEL)):
            place[CHANNEL] = channel
        return place

    def _freeze(self, key: ObjectKey, rules: Sequence[Rule]) -> frozenset[str]:
        frozen = frozenset(rule.code for rule in rules if rule.kinds & self._stale)
        if frozen:
            self._frozen.add(key)
        return frozen

    def _take(
        self, key: ObjectKey, subject: Row | ObjectKey, seen: list[Seen], *, judged: set[str], now: datetime
    ) -> datetime | None:
        """Note what was seen. Findings of codes that were not judged stay as they are."""
        found = self._rate(key, subject, seen, now)
        self._tellings.add(self._findings.update(key, found, judged=judged, now=now, settings=self.settings))
        self._scores.set_own(key, self._findings.loss(key))
        at = self._findings.next_look_at(key)
        return now + RETRY if at is not None and at <= now else at
