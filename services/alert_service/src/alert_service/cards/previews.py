"""What a template makes of every state that it can be shown: for previews and checks. Pure but for the templates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from alert_service.cards import build, samples
from alert_service.cards.card import Card
from alert_service.cards.dialect import Dialect
from alert_service.cards.dialects.plain import PLAIN
from alert_service.cards.templates import NAMES, Parts, Templates
from alert_service.channels.channel import Buttons


@dataclass(frozen=True, slots=True)
class Stand:
    """What previews are made with."""

    templates: Templates
    dialect: Dialect
    now: datetime


def previews(name: str, stand: Stand) -> Mapping[str, Card]:
    """The cards of one template, by the state that they show; `name` is one of NAMES."""
    return _PREVIEWS[name](stand)


def mistakes(templates: Templates, now: datetime) -> Mapping[str, str]:
    """What is wrong with the user's templates, by the name of the template; empty: nothing is."""
    found: dict[str, str] = {}
    for name in NAMES:
        for state, card in previews(name, Stand(templates, PLAIN, now)).items():
            if card.error:
                found.setdefault(name, f"{card.error} ({state})")
        if name not in found and (stray := templates.strays(name)):
            blocks = ", ".join(each.name for each in fields(Parts))
            found[name] = f"template {name}.j2: nothing shows the block {', '.join(stray)}; there are {blocks}"
    return found


def _incident(stand: Stand) -> Mapping[str, Card]:
    children = ["KubePodNotReady: shop/cart", "KubePodNotReady: shop/search"]
    return {
        state: build.incident_card(
            incident,
            samples.POLICY,
            stand.dialect,
            buttons=Buttons.NATIVE,
            link=None,
            now=stand.now,
            templates=stand.templates,
            parent="KubeNodeNotReady: worker-7" if state == "suppressed" else "",
            children=children if state == "escalated" else (),
        )
        for state, incident in samples.incidents(stand.now).items()
    }


def _storm(stand: Stand) -> Mapping[str, Card]:
    return {
        state: build.storm_card(storm, stand.dialect, now=stand.now, templates=stand.templates)
        for state, storm in samples.storms(stand.now).items()
    }


def _message(stand: Stand) -> Mapping[str, Card]:
    return {
        state: build.plain_card(
            each["text"], samples.POLICY, stand.dialect, templates=stand.templates, about=each["about"]
        )
        for state, each in samples.messages().items()
    }


_PREVIEWS: Mapping[str, Callable[[Stand], Mapping[str, Card]]] = dict(
    zip(NAMES, (_incident, _storm, _message), strict=True)
)
