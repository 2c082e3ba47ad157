"""What is wrong now, as health_monitor told: late, doubled and disordered events end in the same picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from common.contracts import Change, Finding, HealthEvent, ObjectKey

Key = tuple[str, ObjectKey, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFinding:
    """One finding's last word. A resolved one is kept for a while, so that an older event cannot open it again."""

    finding: Finding
    cursor: int  # of the newest event about it
    opened_at: datetime
    resolved_at: datetime | None = None
    object_score: float | None = None

    @property
    def key(self) -> Key:
        return self.finding.key


@dataclass(slots=True)
class OpenFindings:
    """All of them, by key and by object."""

    _known: dict[Key, KnownFinding] = field(default_factory=dict)
    _open_about: dict[ObjectKey, dict[Key, KnownFinding]] = field(default_factory=dict)
    _scores: dict[ObjectKey, tuple[int, float]] = field(default_factory=dict)  # by object: cursor, score

    def __contains__(self, key: object) -> bool:
        """Whether the finding of that key is open."""
        known = self._known.get(key)  # type: ignore[call-overload]
        return known is not None and known.resolved_at is None

    def __len__(self) -> int:
        return sum(map(len, self._open_about.values()))

    def load(self, known: Iterable[KnownFinding]) -> None:
        """Know just this."""
        self._known.clear()
        self._open_about.clear()
        self._scores.clear()
        for each in known:
            self._keep(each)

    def apply(self, event: HealthEvent) -> KnownFinding | None:
        """Take an event into account; what is known now, or None when it says nothing new.

        A storm's event is about many findings and names none, so it says nothing here.
        """
        finding = event.data.finding
        before = self._known.get(finding.key)
        if event.data.storm or (before is not None and before.cursor >= event.cursor):
            return None
        resolved = event.data.change is Change.RESOLVED
        was_open = before is not None and before.resolved_at is None
        known = KnownFinding(
            finding=finding,
            cursor=event.cursor,
            opened_at=before.opened_at if before is not None and was_open else event.time,
            resolved_at=event.time if resolved else None,
            object_score=event.data.object_score,
        )
        self._keep(known)
        return known

    def set_back(self, head: int) -> None:
        """The stream has begun anew and ends at `head`: no cursor of the former one is newer than what comes now."""
        self.load([replace(each, cursor=min(each.cursor, head)) for each in self._known.values()])

    def reconcile(self, findings: Sequence[Finding], *, head: int, now: datetime) -> list[KnownFinding]:
        """Make it equal to a full list that is at least as new as the event with cursor `head`; what changed.

        What newer events have told stays.
        """
        listed = {finding.key: finding for finding in findings}
        changed = [
            KnownFinding(
                finding=known.finding,
                cursor=head,
                opened_at=known.opened_at,
                resolved_at=now,
                object_score=known.object_score,
            )
            for known in self.open()
            if known.key not in listed and known.cursor <= head
        ]
        for key, finding in listed.items():
            known = self._known.get(key)
            if known is None or (known.resolved_at is not None and known.cursor <= head):
                changed.append(KnownFinding(finding=finding, cursor=head, opened_at=now))
        for each in changed:
            self._keep(each)
        return changed

    def open(self) -> list[KnownFinding]:
        return [known for those in self._open_about.values() for known in those.values()]

    def all(self) -> tuple[Finding, ...]:
        """The open ones."""
        return tuple(known.finding for known in self.open())

    def about(self, key: ObjectKey) -> tuple[Finding, ...]:
        return tuple(known.finding for known in self._open_about.get(key, {}).values())

    def opened_since(self, at: datetime) -> tuple[Finding, ...]:
        return tuple(known.finding for known in self.open() if known.opened_at >= at)

    def score_of(self, key: ObjectKey) -> float | None:
        """The object's score as last told with one of its findings, resolved ones included; None when never told."""
        told = self._scores.get(key)
        return None if told is None else told[1]

    def forget_resolved_before(self, at: datetime) -> list[Key]:
        """Drop what was resolved long ago; the keys that went."""
        gone = [key for key, known in self._known.items() if known.resolved_at is not None and known.resolved_at < at]
        for key in gone:
            del self._known[key]
        if gone:
            there = {object_key for _, object_key, _ in self._known}
            self._scores = {key: told for key, told in self._scores.items() if key in there}
        return gone

    def _keep(self, known: KnownFinding) -> None:
        self._known[known.key] = known
        self._keep_score(known)
        about = self._open_about.setdefault(known.finding.object.key, {})
        if known.resolved_at is None:
            about[known.key] = known
        else:
            about.pop(known.key, None)
        if not about:
            del self._open_about[known.finding.object.key]

    def _keep_score(self, known: KnownFinding) -> None:
        key, score = known.finding.object.key, known.object_score
        if score is not None and known.cursor >= self._scores.get(key, (0, 0.0))[0]:
            self._scores[key] = (known.cursor, score)
