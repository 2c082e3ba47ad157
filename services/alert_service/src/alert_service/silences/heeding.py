"""What an incident makes of the silences that stand in Alertmanager, whoever made them. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alert_service.durations import shortly
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import Happening, HappeningKind, Incident, Silenced


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A silence that mutes at this moment."""

    id: str
    by: str  # as cards call whoever made it
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Muting:
    """All that stand, by their ids, and by which of them each alert is muted, by its fingerprint."""

    standing: Mapping[str, Standing]
    by: Mapping[str, Collection[str]]

    def longest_of(self, fingerprint: str) -> Standing | None:
        found = (self.standing[each] for each in self.by.get(fingerprint, ()) if each in self.standing)
        return max(found, key=lambda each: each.ends_at, default=None)


def heed(muting: Muting, own: str | None, now: datetime, incident: Incident) -> Changed:
    """It is silenced while all that fires of it is muted, and not for longer. `own` is the id of the silence that a
    button made for it: an edit may have given it another."""
    known = incident.silenced
    ids = tuple(each for each in dict.fromkeys((own or "", *incident.silences)) if each in muting.standing)
    covering = [muting.longest_of(each.alert.fingerprint) for each in incident.firing]
    found = [each for each in covering if each is not None]
    if not incident.open or not covering:
        return Changed(incident=incident)
    if len(found) < len(covering):
        return _partly(incident, ids, now)
    until = min(each.ends_at for each in found)
    if known is None or not ids:
        return _begun(incident, found, until, now)
    fingerprints = frozenset(each.alert.fingerprint for each in incident.firing)
    after = replace(
        known,
        until=known.until if known.until_resolved else until,
        fingerprints=known.fingerprints | fingerprints,
        severity=max(known.severity, incident.severity, key=lambda each: each.rank),
    )
    return _kept(incident, after, ids)


def _begun(incident: Incident, found: Collection[Standing], until: datetime, now: datetime) -> Changed:
    ids = tuple(sorted({each.id for each in found}))
    by = next(iter(found)).by
    text = f"silenced in Alertmanager by {by}, for {shortly(until - now)}"
    what = Happening(kind=HappeningKind.SILENCED, at=now, text=text, details={"silence": ids[0]})
    silenced = Silenced(
        by=by,
        at=now,
        until=until,
        fingerprints=frozenset(each.alert.fingerprint for each in incident.firing),
        severity=incident.severity,
    )
    return changed(incident, what, silences=ids, silenced=silenced)


def _partly(incident: Incident, ids: tuple[str, ...], now: datetime) -> Changed:
    """What joined is told all the same; where no silence of it stands any more, all of it is."""
    if incident.silenced is None or ids:
        return _kept(incident, incident.silenced, ids)
    what = Happening(kind=HappeningKind.SILENCE_ENDED, at=now, text="no silence in Alertmanager mutes it any more")
    return changed(incident, what, silences=(), silenced=None)


def _kept(incident: Incident, after: Silenced | None, ids: tuple[str, ...]) -> Changed:
    if (after, ids) == (incident.silenced, incident.silences):
        return Changed(incident=incident)
    return changed(incident, silences=ids, silenced=after)
