"""What a rehearsal shows: the life of one made-up incident, state by state, and others that are hard to show. Pure.

They say that they are a rehearsal, and carry text that must not do anything: markup, mentions, links, templates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from alert_service.cards import samples
from alert_service.incidents.incident import Incident, Member
from alert_service.routing.storm import Storm

# Nobody may be notified by it, nothing may become a link or bold, and no template may run it.
HARMLESS = "<!channel> <@U0> *b* [x](https://example.invalid) {{ 1 }} %s {0} <at>all</at> & é"
_NAME = "Rehearsal"
_SAYS = {"alertname": _NAME, "cluster": "rehearsal"}
_TOLD = {
    "summary": "This is a rehearsal: nothing is wrong",
    "description": f"Text that has to be shown as it is: {HARMLESS}",
    "runbook_url": "https://example.com/runbooks/rehearsal",
}
_LIFE = {
    "firing": "an incident opens",
    "acknowledged": "it is acknowledged",
    "approval": "healing waits for approval",
    "healing": "healing works",
    "escalated": "it is escalated",
    "resolved": "it is resolved",
}
_OTHERS = {
    "suppressed": "an incident that is held back",
    "many": "more alerts than a card can show",
    "bare": "an alert without a name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One state of an incident, to be shown as a card."""

    what: str
    incident: Incident


def life(incident_id: UUID, now: datetime) -> Sequence[Scene]:
    """One incident from its opening to its end: one card, changed in place where that is possible."""
    shown = samples.incidents(now)
    return [
        Scene(what=what, incident=replace(_rehearsed(shown[name]), id=incident_id, revision=revision))
        for revision, (name, what) in enumerate(_LIFE.items(), start=1)
    ]


def others(incident_id: UUID, now: datetime) -> Sequence[Scene]:
    """Each a card of its own."""
    shown = samples.incidents(now)
    return [
        Scene(what=what, incident=replace(_rehearsed(shown[name]), id=incident_id)) for name, what in _OTHERS.items()
    ]


def storm(now: datetime) -> Storm:
    """One that rages, in places that are called as no place is."""
    return replace(samples.storms(now)["rages"], counts={"alertname": {_NAME: 97, HARMLESS: 46}})


def _rehearsed(incident: Incident) -> Incident:
    members = {name: _member(each) for name, each in incident.members.items()}
    bare = not incident.labels
    labels, annotations = ({}, _TOLD) if bare else ({**incident.labels, **_SAYS}, {**incident.annotations, **_TOLD})
    return replace(incident, labels=labels, annotations=annotations, members=members, external_url="")


def _member(member: Member) -> Member:
    alert = member.alert
    labels = {**alert.labels, **_SAYS, "odd": HARMLESS}
    annotations = {"summary": f"{labels.get('pod', '')} is not wrong at all. {HARMLESS}"}
    return replace(
        member, alert=msgspec.structs.replace(alert, labels=labels, annotations=annotations, generator_url="")
    )
