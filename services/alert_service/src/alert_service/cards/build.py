"""Makes cards: of an incident, of a storm, of a text. Pure but for the templates, which may lie in files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alert_service.cards.buttons import buttons_of
from alert_service.cards.card import Button, Card, Fact, Tone
from alert_service.cards.dialect import Dialect
from alert_service.cards.dialects.plain import PLAIN
from alert_service.cards.marks import foreign, written, written_line
from alert_service.cards.shown import incident_shown, storm_shown
from alert_service.cards.templates import Templates
from alert_service.channels.channel import Buttons
from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.incident import Incident, IncidentState
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.storm import Storm

_LONGEST_TEXT = 12_000  # of a message; channels have their own limits, but nothing needs to be larger
_LONGEST_FALLBACK = 300
_TONES = {AlertSeverity.CRITICAL: Tone.CRITICAL, AlertSeverity.WARNING: Tone.WARNING}


def incident_card(
    incident: Incident,
    policy: AlertPolicy,
    dialect: Dialect,
    *,
    buttons: Buttons,
    link: Callable[[Button], str] | None,
    now: datetime,
    templates: Templates,
    parent: str = "",
    children: Sequence[str] = (),
    mentions: Sequence[str] = (),
) -> Card:
    """`parent` and `children` are titles of incidents, `mentions` names of the policy's people."""
    shown = incident_shown(incident, policy, now=now, parent=parent, children=children)
    card = _card("incident", shown, dialect, templates, tone_of(incident))
    return replace(
        card,
        fallback=_fallback(incident, card.title, str(shown["summary"])),
        buttons=buttons_of(incident, policy, way=buttons, link=link, now=now),
        mentions=vendor_ids(mentions, policy, dialect),
    )


def storm_card(storm: Storm, dialect: Dialect, *, now: datetime, templates: Templates) -> Card:
    """The live card of a storm that rages, or its last state."""
    tone = Tone.CRITICAL if storm.ended_at is None else Tone.GOOD
    return _card("storm", storm_shown(storm, now), dialect, templates, tone)


def plain_card(
    text: str,
    policy: AlertPolicy,
    dialect: Dialect,
    *,
    templates: Templates,
    about: str = "",
    mentions: Sequence[str] = (),
    tone: Tone = Tone.INFO,
) -> Card:
    """A message of its own, or a line below a card.

    `about` is the title of what it is about, `mentions` are names of the policy's people.
    """
    cut = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
    card = _card("message", {"text": foreign(cut), "about": foreign(about)}, dialect, templates, tone)
    line = written_line(foreign(f"{about}: {text}" if about else text), PLAIN)
    return replace(card, fallback=_cut(line), mentions=vendor_ids(mentions, policy, dialect))


def tone_of(incident: Incident) -> Tone:
    if not incident.open:
        return Tone.GOOD
    if incident.suppression is not None or incident.silences:
        return Tone.MUTED
    if incident.state is IncidentState.ACKNOWLEDGED:
        return Tone.ACKNOWLEDGED
    return _TONES.get(incident.severity, Tone.INFO)


def vendor_ids(names: Sequence[str], policy: AlertPolicy, dialect: Dialect) -> tuple[str, ...]:
    """As the vendor knows them; who has no id there is left out."""
    people = [policy.people[name] for name in dict.fromkeys(names) if name in policy.people]
    known = {"slack": [each.slack for each in people], "teams": [each.teams for each in people]}
    return tuple(each for each in known.get(dialect.name, [each.identity for each in people]) if each)


def _card(name: str, shown: Mapping[str, Any], dialect: Dialect, templates: Templates, tone: Tone) -> Card:
    parts, error = templates.parts(name, shown)
    title = written_line(parts.title, PLAIN)
    return Card(
        title=title,
        tone=tone,
        fallback=_cut(title),
        status=written(parts.status, dialect),
        body=written(parts.body, dialect),
        facts=tuple(_facts(parts.facts, dialect)),
        lines=tuple(written_line(line, dialect) for line in parts.lines.split("\n") if line.strip()),
        footer=written_line(parts.footer, dialect),
        error=written_line(foreign(error), dialect),
    )


def _facts(text: str, dialect: Dialect) -> list[Fact]:
    """Those that have a value."""
    pairs = [line.partition(":") for line in text.split("\n")]
    return [
        Fact(label=written_line(label, dialect), value=written_line(value, dialect))
        for label, _, value in pairs
        if value.strip()
    ]


def _fallback(incident: Incident, title: str, summary: str) -> str:
    """[critical] KubePodCrashLooping: shop/checkout. Pod is restarting."""
    word = incident.severity.value if incident.state is IncidentState.FIRING else incident.state.value
    return _cut(f"[{word}] {title}" + (f". {written_line(summary, PLAIN)}" if summary else ""))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_FALLBACK else text[: _LONGEST_FALLBACK - 1] + "…"
