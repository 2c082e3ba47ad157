"""All findings that are open, waiting or remembered, by object. An object without any costs nothing here."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from common.contracts import Change, ObjectKey, Severity
from health_monitor.engine.evaluate import Part, Sighting
from health_monitor.engine.outcome import OpenFinding
from health_monitor.engine.scoring import NO_LOSS, Loss, capped
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.storms import FindingKey
from health_monitor.engine.transitions import Draft, Track, continued, follow, resumed, tell

Tracks = dict[Part, Track]
NOTHING: Mapping[Part, Track] = {}


class Findings:
    """Tracks by object and part, with counts of the open ones."""

    def __init__(self) -> None:
        self._tracks: dict[ObjectKey, Tracks] = {}
        self.counts: Counter[tuple[str, Severity]] = Counter()  # open and not muted

    def of(self, key: ObjectKey) -> Mapping[Part, Track]:
        return self._tracks.get(key, NOTHING)

    def keys(self) -> Iterable[ObjectKey]:
        return self._tracks.keys()

    def open_of(self, key: ObjectKey) -> tuple[OpenFinding, ...]:
        return tuple(found for track in self.of(key).values() if (found := track.as_open()))

    def all_open(self) -> Iterator[OpenFinding]:
        for tracks in self._tracks.values():
            for track in tracks.values():
                if found := track.as_open():
                    yield found

    def loss(self, key: ObjectKey) -> Loss:
        """What the object's own findings take from it."""
        tracks = self._tracks.get(key)
        if not tracks:
            return NO_LOSS
        total = serious = 0
        for track in tracks.values():
            if counts(track):
                total += track.points
                if track.finding.severity is not Severity.INFO:
                    serious += track.points
        return capped(total, serious)

    def first_seen(self, key: ObjectKey) -> Mapping[Part, datetime]:
        """Since when each symptom of the object is there without a break."""
        return {part: track.first_seen_at for part, track in self.of(key).items() if track.first_seen_at}

    def next_look_at(self, key: ObjectKey) -> datetime | None:
        return min((track.look_at for track in self.of(key).values() if track.look_at), default=None)

    def update(
        self,
        key: ObjectKey,
        sightings: Mapping[Part, Sighting],
        *,
        judged: Collection[str],
        now: datetime,
        settings: EngineSettings,
    ) -> list[Draft]:
        """Take what was seen on the object. Findings of codes that were not `judged` stay as they are."""
        tracks = self._tracks.get(key, {})
        parts = [part for part in tracks if part[0] in judged]
        parts += [part for part in sightings if part not in tracks]
        drafts: list[Draft] = []
        for part in parts:
            before = tracks.get(part)
            after = follow(before, sightings.get(part), now, settings)
            if after is not None:
                after, draft = tell(after, now, settings)
                drafts += [draft] if draft else []
            self._put(key, part, before, after)
        return drafts

    def forget(self, key: ObjectKey) -> list[Draft]:
        """The object was deleted: all of its findings end."""
        drafts: list[Draft] = []
        for part, track in list(self.of(key).items()):
            if track.told is not None:
                message = f"{key} was deleted; before that: {track.told.message}"
                finding = dataclasses.replace(track.told, message=message)
                drafts.append(Draft(change=Change.RESOLVED, finding=finding))
            self._put(key, part, track, None)
        return drafts

    def restore(self, published: Iterable[OpenFinding]) -> None:
        """Start from what was told before, until the objects were looked at."""
        for found in published:
            code, key, part = found.finding.key
            self._put(key, (code, part), self.of(key).get((code, part)), resumed(found))

    def reconcile(self, published: Sequence[OpenFinding], now: datetime, settings: EngineSettings) -> list[Draft]:
        """Believe that `published` is what was told, and say what is to be told to make it true.

        What was told as open and is not open here stays so for now: whoever told it may have seen a little more than
        has come here yet. The look after that decides.
        """
        told: dict[FindingKey, OpenFinding] = {found.finding.key: found for found in published}
        drafts: list[Draft] = []
        for key, tracks in list(self._tracks.items()):
            for (code, part), track in list(tracks.items()):
                if track.opened_at is None and (code, key, part) in told:
                    continue
                before = told.pop((code, key, part), None)
                told_last = (
                    replace(track, told=None, told_flapping=False) if before is None else continued(track, before)
                )
                after, draft = tell(told_last, now, settings)
                drafts += [draft] if draft else []
                self._put(key, (code, part), track, after)
        for (code, key, part), found in told.items():
            adopted = replace(resumed(found), look_at=now + settings.resolve_after)
            self._put(key, (code, part), self.of(key).get((code, part)), adopted)
        return drafts

    def _put(self, key: ObjectKey, part: Part, before: Track | None, after: Track | None) -> None:
        if before is not None and counts(before):
            self.counts[(part[0], before.finding.severity)] -= 1
        if after is None or after.idle:
            tracks = self._tracks.get(key)
            if tracks is not None and before is not None:
                del tracks[part]
                if not tracks:
                    del self._tracks[key]
            return
        if counts(after):
            self.counts[(part[0], after.finding.severity)] += 1
        self._tracks.setdefault(key, {})[part] = after


def counts(track: Track) -> bool:
    """Whether it takes points."""
    return track.opened_at is not None and track.muted_until is None
