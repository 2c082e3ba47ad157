"""What becomes of a finding from one look to the next: waiting, open, fading, flapping, muted, told. Pure.

- waiting: the symptom is there, but not for long enough yet.
- open: it has been. It stays open while the symptom is there, even when an outage of our view restarts the timers.
- fading: the symptom is gone, but not for long enough to believe it (debounce).
- flapping: it opened and resolved so often that it is now kept open until nothing moved for a whole window.
- muted: open, visible, and not told. Muting tells that it resolved, the end of a mute that it opened.

What is told rests on what was told last, so whoever folds the events has the open findings, whatever was in between.
"""

import dataclasses
import re
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from common.contracts import Change, Finding, Severity
from health_monitor.engine.evaluate import Sighting
from health_monitor.engine.outcome import OpenFinding
from health_monitor.engine.settings import EngineSettings
from health_monitor.policy.mutes import FOREVER

_DIGITS = re.compile(r"\d+")


class Track(Struct, frozen=True, gc=False, kw_only=True):
    """What is remembered of one finding of one object, also before it opens and, for flap detection, afterwards."""

    finding: Finding
    points: int = 0  # thousandths
    first_seen_at: datetime | None = None  # of the symptom; None while it is away
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    gone_at: datetime | None = None  # open, but the symptom is away since
    moved_at: datetime | None = None  # the symptom came or went last
    turns: tuple[datetime, ...] = ()  # when it opened and resolved, within the flap window
    flapping: bool = False
    muted_until: datetime | None = None
    told: Finding | None = None  # as it was told last
    told_at: datetime | None = None
    told_flapping: bool = False
    look_at: datetime | None = None  # when time alone can change this
    object_changed_at: datetime | None = None  # what made it open, by the API server's clock

    @property
    def idle(self) -> bool:
        """Nothing about it needs to be remembered."""
        return self.opened_at is None and self.first_seen_at is None and not self.turns and self.told is None

    def as_open(self) -> OpenFinding | None:
        if self.opened_at is None:
            return None
        return OpenFinding(
            finding=self.finding,
            opened_at=self.opened_at,
            changed_at=self.changed_at or self.opened_at,
            flapping=self.flapping,
            muted_until=self.muted_until,
        )


class Draft(Struct, frozen=True, gc=False, kw_only=True):
    """What is to be told of one finding, before storms are summed up and scores are known."""

    change: Change
    finding: Finding
    previous_severity: Severity | None = None
    flapping: bool = False
    object_changed_at: datetime | None = None


def resumed(published: OpenFinding) -> Track:
    """The track of a finding that was told by whoever was in charge before."""
    return Track(
        finding=published.finding,
        first_seen_at=published.finding.since,
        opened_at=published.opened_at,
        changed_at=published.changed_at,
        moved_at=published.changed_at,
        flapping=published.flapping,
        told=published.finding,
        told_at=published.changed_at,
        told_flapping=published.flapping,
    )


def continued(track: Track, published: OpenFinding) -> Track:
    """The track of a finding that is open here and was told before: it began then, and not with us."""
    track = replace(track, told=published.finding, told_flapping=published.flapping)
    if track.opened_at is None or track.finding.object.uid != published.finding.object.uid:
        return track  # another object under the same name began anew
    since = min(track.finding.since, published.finding.since)
    return replace(
        track,
        finding=dataclasses.replace(track.finding, since=since),
        first_seen_at=min(track.first_seen_at or since, published.finding.since),
        opened_at=min(track.opened_at, published.opened_at),
        changed_at=published.changed_at,
    )


def follow(track: Track | None, seen: Sighting | None, now: datetime, settings: EngineSettings) -> Track | None:
    """The finding's next state. `seen` is its symptom as of now, None when it is away."""
    if seen is None:
        if track is None:
            return None
        track = _without(track, now, settings)
        return track if track.opened_at is not None else replace(track, first_seen_at=None)
    if track is None or track.opened_at is None:
        return _open(track, seen, now, settings) if seen.due_at <= now else _wait(track, seen, now, settings)
    track = replace(track, first_seen_at=seen.first_seen_at)
    if seen.held_at <= now:
        return _stay(track, seen, now, settings)
    return _sooner(_without(track, now, settings), seen.due_at)


def tell(track: Track, now: datetime, settings: EngineSettings) -> tuple[Track, Draft | None]:
    """What is to be told of the track now, and the track after that."""
    if track.opened_at is None or track.muted_until is not None:
        if track.told is None:
            return track, None
        finding = track.told
        if track.muted_until is not None:
            until = "" if track.muted_until == FOREVER else f" until {track.muted_until:%Y-%m-%d %H:%M} UTC"
            finding = dataclasses.replace(finding, message=f"Muted{until}: {finding.message}")
        return _told(track, None, now), Draft(change=Change.RESOLVED, finding=finding, flapping=False)
    if track.told is None:
        return _told(track, track.finding, now), Draft(
            change=Change.OPENED,
            finding=track.finding,
            flapping=track.flapping,
            object_changed_at=track.object_changed_at if track.opened_at == now else None,
        )
    return _tell_change(track, track.told, now, settings)


def _tell_change(track: Track, told: Finding, now: datetime, settings: EngineSettings) -> tuple[Track, Draft | None]:
    severe = track.finding.severity is not told.severity
    if not severe and track.flapping == track.told_flapping:
        if words(track.finding) == words(told):
            return track, None
        again_at = min(now, track.told_at or now) + settings.change_interval
        if now < again_at:
            return _sooner(track, again_at), None
    draft = Draft(
        change=Change.CHANGED,
        finding=track.finding,
        previous_severity=told.severity if severe else None,
        flapping=track.flapping,
    )
    return _told(replace(track, changed_at=now), track.finding, now), draft


def words(finding: Finding) -> tuple[object, ...]:
    """What makes a change worth telling: the words of the evidence. Numbers tick; nobody wants an event for each."""
    return tuple(
        (name, _DIGITS.sub("#", value) if isinstance(value, str) else value if isinstance(value, bool) else None)
        for name, value in sorted(finding.evidence.items())
    )


def _told(track: Track, finding: Finding | None, now: datetime) -> Track:
    return replace(track, told=finding, told_at=now, told_flapping=track.flapping)


def _wait(track: Track | None, seen: Sighting, now: datetime, settings: EngineSettings) -> Track:
    return Track(
        finding=seen.finding,
        first_seen_at=seen.first_seen_at,
        turns=_recent(track.turns, now, settings) if track else (),
        told=track.told if track else None,
        told_at=track.told_at if track else None,
        told_flapping=track is not None and track.told_flapping,
        look_at=seen.due_at,
    )


def _open(track: Track | None, seen: Sighting, now: datetime, settings: EngineSettings) -> Track:
    turns = (*(_recent(track.turns, now, settings) if track else ()), now)
    opened = replace(
        track or Track(finding=seen.finding),
        first_seen_at=seen.first_seen_at,
        opened_at=now,
        changed_at=now,
        gone_at=None,
        turns=turns,
        flapping=len(turns) >= settings.flap_changes,
        moved_at=now,
        object_changed_at=seen.object_changed_at,
    )
    return _stay(opened, seen, now, settings)


def _stay(track: Track, seen: Sighting, now: datetime, settings: EngineSettings) -> Track:
    """Open, and the symptom is there."""
    moved_at = now if track.gone_at is not None else track.moved_at or now
    flapping = track.flapping and now < moved_at + settings.flap_window
    track = replace(
        track,
        finding=seen.finding,
        points=seen.points,
        gone_at=None,
        moved_at=moved_at,
        flapping=flapping,
        turns=() if track.flapping and not flapping else track.turns,
        muted_until=seen.muted_until,
        look_at=None,
    )
    ends = [
        seen.muted_until,
        now + seen.look_again if seen.look_again else None,
        moved_at + settings.flap_window if flapping else None,
    ]
    return replace(track, look_at=min((end for end in ends if end is not None), default=None))


def _without(track: Track, now: datetime, settings: EngineSettings) -> Track:
    """The symptom is away, or began anew and waits."""
    if track.opened_at is None:
        turns = _recent(track.turns, now, settings)
        return replace(track, points=0, turns=turns, look_at=turns[-1] + settings.flap_window if turns else None)
    gone_at = min(now, track.gone_at or now)  # the clock may have been set
    moved_at = gone_at if track.gone_at is None else track.moved_at
    track = replace(track, gone_at=gone_at, moved_at=moved_at)
    ends_at = gone_at + (settings.flap_window if track.flapping else settings.resolve_after)
    if now < ends_at:
        return replace(track, look_at=ends_at)
    turns = (*_recent(track.turns, now, settings), now)
    if not track.flapping and len(turns) >= settings.flap_changes:
        return replace(track, turns=turns, flapping=True, look_at=gone_at + settings.flap_window)
    if track.flapping:
        turns = ()
    return replace(
        track,
        points=0,
        opened_at=None,
        changed_at=None,
        gone_at=None,
        moved_at=None,
        turns=turns,
        flapping=False,
        muted_until=None,
        look_at=turns[-1] + settings.flap_window if turns else None,
    )


def _recent(turns: tuple[datetime, ...], now: datetime, settings: EngineSettings) -> tuple[datetime, ...]:
    return tuple(turn for turn in turns if turn > now - settings.flap_window)


def _sooner(track: Track, at: datetime) -> Track:
    return replace(track, look_at=at if track.look_at is None else min(track.look_at, at))
