"""Which buttons an incident's card has, in the order in which a phone shows them. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from alert_service.cards.address import is_address, quoted
from alert_service.cards.card import Button
from alert_service.cards.shown import runbook_of
from alert_service.channels.channel import Buttons
from alert_service.durations import shortly
from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import Healing, Incident, SuppressionReason
from alert_service.incidents.values import ButtonValue
from alert_service.policy.settings import AlertPolicy

_SILENCES = (timedelta(hours=1), timedelta(hours=4))

LinkOf = Callable[[Button], str]


def buttons_of(
    incident: Incident, policy: AlertPolicy, *, way: Buttons, link: LinkOf | None, now: datetime
) -> tuple[Button, ...]:
    """Those whose press can come back on this channel, and those that only open a page."""
    made = _closed(incident) if not incident.open else _open(incident, policy, now)
    return tuple(button for each in made for button in _reaching(each, way, link))


def _reaching(button: Button, way: Buttons, link: LinkOf | None) -> Iterator[Button]:
    if way is Buttons.NATIVE:
        yield button
    elif button.url:
        yield replace(button, value="")
    elif way is Buttons.LINKS and link is not None:
        yield replace(button, url=link(button))


def _open(incident: Incident, policy: AlertPolicy, now: datetime) -> Iterator[Button]:
    decisions = tuple(_decisions(incident, incident.healing, now))
    yield from decisions
    known = incident.acknowledgement
    if known is None or any(each.alert.fingerprint not in known.fingerprints for each in incident.firing):
        yield _button(incident, ActKind.ACKNOWLEDGE, "Acknowledge", primary=not decisions)
    if known is not None:
        yield _button(incident, ActKind.UNACKNOWLEDGE, "Un-acknowledge")
    if incident.escalation is not None and incident.escalation.next_at is not None:
        yield _button(
            incident, ActKind.ESCALATE, "Escalate now", confirm="The next people are told at once, whatever the hour."
        )
    yield from _silences(incident, policy)
    yield from _runbook(incident)
    yield _button(incident, ActKind.EXPLAIN, "Explain")


def _closed(incident: Incident) -> Iterator[Button]:
    """What is over asks whether it was worth telling."""
    yield _button(incident, ActKind.USEFUL, "Worth telling")
    yield _button(incident, ActKind.NOISY, "Noise")
    yield from _runbook(incident)
    yield _button(incident, ActKind.EXPLAIN, "Explain")


def _decisions(incident: Incident, healing: Healing | None, now: datetime) -> Iterator[Button]:
    if healing is None or healing.run_id is None or healing.approve_until is None or healing.approve_until <= now:
        return
    what = healing.action or "the healing"
    value = ButtonValue(incident_id=incident.id, revision=incident.revision, run_id=healing.run_id)
    yield Button(
        act=ActKind.APPROVE,
        label="Approve healing",
        value=str(value),
        primary=True,
        confirm=f"{what} starts at once. {healing.message}",
    )
    yield Button(
        act=ActKind.DENY,
        label="Deny healing",
        value=str(value),
        danger=True,
        confirm=f"{what} is not done, and people have to mend it.",
    )


def _silences(incident: Incident, policy: AlertPolicy) -> Iterator[Button]:
    """One at a time: a silence that is there is made longer or ended where silences are listed."""
    muted = incident.suppression is not None and incident.suppression.reason is SuppressionReason.SILENCED
    if incident.silences or muted:
        return
    for duration in (*(each for each in _SILENCES if each <= policy.silences.longest), None):
        length = "until resolved" if duration is None else shortly(duration)
        how_long = "until they resolve" if duration is None else f"for {length}"
        value = ButtonValue(incident_id=incident.id, revision=incident.revision, duration=duration)
        yield Button(
            act=ActKind.SILENCE,
            label=f"Silence {length}",
            value=str(value),
            confirm=f"Alertmanager tells nobody of these alerts {how_long}.",
        )


def _runbook(incident: Incident) -> Iterator[Button]:
    url = runbook_of(incident)
    if is_address(url):
        yield replace(_button(incident, ActKind.RUNBOOK, "Runbook"), url=quoted(url))  # Slack tells of this press, too


def _button(incident: Incident, act: ActKind, label: str, *, primary: bool = False, confirm: str = "") -> Button:
    value = ButtonValue(incident_id=incident.id, revision=incident.revision)
    return Button(act=act, label=label, value=str(value), primary=primary, confirm=confirm)
