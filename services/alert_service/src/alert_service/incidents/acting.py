"""What a person's act does to an incident, and what the person is told. Pure.

Whatever comes too late explains itself and changes nothing: a card may have been on a screen for an hour.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from alert_service.durations import shortly
from alert_service.incidents.acts import Act, ActKind, Answer
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import (
    Acknowledgement,
    Escalation,
    Happening,
    HappeningKind,
    Healing,
    Incident,
    IncidentState,
    Member,
    Silenced,
)
from alert_service.incidents.posts import resolved
from alert_service.incidents.severity import highest
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import still_missing

Acted = tuple[Changed, Answer]


def act(incident: Incident, wanted: Act, policy: AlertPolicy, *, now: datetime) -> Acted:
    """For acts that need another system (silence, approve, deny) it is called once that has done its part."""
    if wanted.kind not in wanted.by.rights:
        return _refused(incident, wanted, f"{wanted.by.shown} may not {wanted.kind} here: the policy says who may")
    return _ACTS[wanted.kind](incident, wanted, policy, now)


def look_again(incident: Incident, revision: int | None) -> str | None:
    """What has become of it since the card of the revision that whoever saw that has to know first; None: nothing."""
    if not incident.firing:
        return None
    shown = _shown(incident, revision)
    if not shown:
        return "what that card showed is over, and something else fires: look again"
    if highest(member.severity for member in shown).rank < incident.severity.rank:
        return f"it became {incident.severity} after the card that you saw: look again"
    return None


def _acknowledge(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not incident.open:
        return _too_late(incident, now)
    if (why := look_again(incident, wanted.revision)) is not None:
        return _nothing(incident, why)
    covered = frozenset(each.alert.fingerprint for each in _shown(incident, wanted.revision))
    who = incident.acknowledgement
    if who is not None and who.by == wanted.by.name and covered <= who.fingerprints:
        return _nothing(incident, f"you acknowledged it {shortly(now - who.at)} ago")
    if who is None and incident.escalation is not None:
        waiting = _waiting(incident, incident.escalation, wanted, policy)
        if waiting is not None:
            return waiting
    return _acknowledged(incident, wanted, covered, policy, now)


def _waiting(incident: Incident, escalation: Escalation, wanted: Act, policy: AlertPolicy) -> Acted | None:
    """The step that was told last wants everybody, and this is not the last of them."""
    after = replace(escalation, acked_by=escalation.acked_by | {wanted.by.name})
    missing = ", ".join(still_missing(after, policy))
    if not missing:
        return None
    if wanted.by.name in escalation.acked_by:
        return _nothing(incident, f"you have acknowledged it; this step waits for {missing} too")
    what = _happening(HappeningKind.NOTED, wanted, f"{wanted.by.shown} acknowledged; it waits for {missing} too")
    text = f"noted; this step wants everybody, and waits for {missing} too"
    return changed(incident, what, escalation=after), Answer(changed=True, text=text)


def _acknowledged(
    incident: Incident,
    wanted: Act,
    covered: frozenset[str],
    policy: AlertPolicy,
    now: datetime,
) -> Acted:
    who, limits = incident.acknowledgement, policy.acknowledgement
    ack = Acknowledgement(
        by=wanted.by.name,
        at=now,
        fingerprints=covered | (who.fingerprints if who else frozenset()),
        severity=incident.severity,
        remind_at=now + limits.remind_after if limits.remind_after else None,
        expires_at=now + limits.expires_after if limits.expires_after else None,
    )
    what = _happening(HappeningKind.ACKNOWLEDGED, wanted, f"{wanted.by.shown} acknowledged it")
    after = changed(incident, what, state=IncidentState.ACKNOWLEDGED, acknowledgement=ack)
    return after, Answer(changed=True, text=_until(ack, now))


def _until(ack: Acknowledgement, now: datetime) -> str:
    if ack.expires_at is None:
        return "acknowledged: it is yours"
    return f"acknowledged: it is yours for {shortly(ack.expires_at - now)}"


def _shown(incident: Incident, revision: int | None) -> tuple[Member, ...]:
    """Those that fire and stood on the card of the revision."""
    return tuple(each for each in incident.firing if revision is None or each.revision <= revision)


def _unacknowledge(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not incident.open:
        return _too_late(incident, now)
    if incident.acknowledgement is None and not _halfway(incident):
        return _nothing(incident, "nobody has acknowledged it")
    what = _happening(HappeningKind.UNACKNOWLEDGED, wanted, f"{wanted.by.shown} took the acknowledgement back")
    after = changed(incident, what, state=IncidentState.FIRING, acknowledgement=None, escalation=None)
    return after, Answer(changed=True, text="it fires again, and escalation starts over")


def _halfway(incident: Incident) -> bool:
    """Some of those who all have to have acknowledged."""
    return incident.escalation is not None and bool(incident.escalation.acked_by)


def _escalate(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not incident.open:
        return _too_late(incident, now)
    if incident.escalation is None and incident.suppression is not None:
        return _nothing(incident, f"nobody is told while it is held back: {incident.suppression.detail}")
    if incident.escalation is None or incident.escalation.next_at is None:
        return _nothing(incident, "nobody is left to tell: its route names no escalation, or that has told everybody")
    what = _happening(HappeningKind.NOTED, wanted, f"{wanted.by.shown} escalates it now")
    forced = replace(incident.escalation, forced=True)
    after = changed(incident, what, state=IncidentState.FIRING, acknowledgement=None, escalation=forced)
    return after, Answer(changed=True, text="the next people are told now")


def _resolve(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not incident.open:
        return _too_late(incident, now)
    why = f"by {wanted.by.shown}{f': {wanted.text}' if wanted.text else ''}"
    return resolved(incident, now, why, by=wanted.by.name, via=wanted.via), Answer(changed=True, text="resolved")


def _silenced(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not incident.open:
        return _too_late(incident, now)
    length = "until it resolves" if wanted.duration is None else f"for {shortly(wanted.duration)}"
    what = _happening(HappeningKind.SILENCED, wanted, f"{wanted.by.shown} silenced it {length}", silence=wanted.text)
    ids = tuple(dict.fromkeys((*incident.silences, wanted.text))) if wanted.text else incident.silences
    covered = Silenced(
        by=wanted.by.shown,
        at=now,
        until=now + (wanted.duration or policy.silences.longest),
        until_resolved=wanted.duration is None,
        fingerprints=frozenset(each.alert.fingerprint for each in incident.firing),
        severity=incident.severity,
    )
    return changed(incident, what, silences=ids, silenced=covered), Answer(changed=True, text=f"silenced {length}")


def _approve(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    what = _happening(HappeningKind.APPROVED, wanted, f"{wanted.by.shown} approved the healing", run=str(wanted.run_id))
    return changed(incident, what, healing=_decided(incident)), Answer(changed=True, text="approved: healing starts")


def _deny(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    what = _happening(HappeningKind.DENIED, wanted, f"{wanted.by.shown} denied the healing", run=str(wanted.run_id))
    return changed(incident, what, healing=_decided(incident)), Answer(changed=True, text="denied: nothing is done")


def _decided(incident: Incident) -> Healing | None:
    """It waits for nobody any more; what comes of it is told by its own notices."""
    return None if incident.healing is None else replace(incident.healing, approve_until=None)


def _note(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    if not wanted.text.strip():
        return _nothing(incident, "an empty note says nothing: give it a text")
    return changed(incident, _happening(HappeningKind.NOTED, wanted, wanted.text)), Answer(changed=True, text="noted")


def _vote(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    """The vote itself is kept elsewhere: the incident is none the wiser."""
    return Changed(incident=incident), Answer(changed=True, text=f"counted as {wanted.kind}")


def _look(incident: Incident, wanted: Act, policy: AlertPolicy, now: datetime) -> Acted:
    return _nothing(incident, "")


_ACTS = {
    ActKind.ACKNOWLEDGE: _acknowledge,
    ActKind.UNACKNOWLEDGE: _unacknowledge,
    ActKind.SILENCE: _silenced,
    ActKind.APPROVE: _approve,
    ActKind.DENY: _deny,
    ActKind.ESCALATE: _escalate,
    ActKind.RESOLVE: _resolve,
    ActKind.NOTE: _note,
    ActKind.NOISY: _vote,
    ActKind.USEFUL: _vote,
    ActKind.RUNBOOK: _look,
    ActKind.EXPLAIN: _look,
}


def _happening(kind: HappeningKind, wanted: Act, text: str, **details: str) -> Happening:
    return Happening(kind=kind, at=wanted.at, by=wanted.by.name, text=text, details={"via": wanted.via, **details})


def _too_late(incident: Incident, now: datetime) -> Acted:
    ago = shortly(now - incident.resolved_at) if incident.resolved_at else shortly(timedelta())
    return _nothing(incident, f"it was resolved {ago} ago: nothing is left to do")


def _nothing(incident: Incident, text: str) -> Acted:
    return Changed(incident=incident), Answer(changed=False, text=text)


def _refused(incident: Incident, wanted: Act, text: str) -> Acted:
    what = _happening(HappeningKind.CLICK_REFUSED, wanted, text)
    return Changed(incident=incident, happenings=(what,)), Answer(changed=False, text=text)
