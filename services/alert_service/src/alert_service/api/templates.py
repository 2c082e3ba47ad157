"""The templates of cards over HTTP: which there are, and what one makes of incidents, before it is put into force."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices
from alert_service.cards.card import Card, Tone
from alert_service.cards.dialects import DIALECTS
from alert_service.cards.previews import Stand, previews
from alert_service.cards.templates import NAMES, Templates, TextTemplates, shipped_text
from common.web.parts import MAY_READ, Operator
from common.web.problems import responses

router = APIRouter(prefix="/api/v1/templates", tags=["templates"])

TemplateName = Literal["incident", "storm", "message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateShown:
    """One template as it is shipped; an own one of the same name in the policy's folder takes its place."""

    name: str
    own: Annotated[bool, Field(description="Whether the policy's folder has one of its own")]
    shipped: Annotated[str, Field(description="The shipped text (Jinja2)")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateList:
    """All there are."""

    items: Sequence[TemplateShown]


class PreviewRequest(BaseModel):
    """Which template, and for which channels."""

    model_config = ConfigDict(extra="forbid")

    template: Annotated[TemplateName, Field(description="Its name")]
    text: Annotated[
        str | None,
        Field(
            max_length=100_000,
            description="Its text; null: as it is in the policy's folder, or shipped",
            examples=['{% extends "shipped/incident.j2" %}{% block footer %}Team {{ labels.team }}{% endblock %}'],
        ),
    ] = None
    dialect: Annotated[Literal["slack", "teams", "plain"], Field(description="Whose markup the texts are to be in")] = (
        "plain"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FactShown:
    """One line of a card."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardShown:
    """A card as it would be sent, before a vendor's limits shorten it."""

    state: Annotated[str, Field(description="What of an incident, a storm or a message it shows")]
    tone: Tone
    title: str
    fallback: Annotated[str, Field(description="The line of notifications and of clients without cards")]
    status: str
    body: str
    facts: Sequence[FactShown]
    lines: Sequence[str]
    footer: str
    buttons: Sequence[str]
    error: Annotated[str, Field(description="Why the shipped template was used instead; empty: it was not")]

    @classmethod
    def of(cls, state: str, card: Card) -> "CardShown":
        return cls(
            state=state,
            tone=card.tone,
            title=card.title,
            fallback=card.fallback,
            status=card.status,
            body=card.body,
            facts=[FactShown(label=each.label, value=each.value) for each in card.facts],
            lines=card.lines,
            footer=card.footer,
            buttons=[each.label for each in card.buttons],
            error=card.error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What a template makes of made-up incidents in every state. Nothing is sent."""

    valid: Annotated[bool, Field(description="Whether it works for every state")]
    cards: Sequence[CardShown]


@router.get("", dependencies=[MAY_READ])
async def list_templates(services: AnyServices) -> TemplateList:
    """The templates of cards."""
    return await asyncio.to_thread(_listed, _folder(services))


@router.post("/preview", responses=responses(422))
async def preview_template(services: AnyServices, caller: Operator, wanted: PreviewRequest) -> Previewed:
    """Make cards of made-up incidents, and say what is wrong with the template. It runs in a sandbox."""
    folder = _folder(services)
    templates = Templates(folder) if wanted.text is None else TextTemplates(wanted.template, wanted.text, folder)
    stand = Stand(templates, DIALECTS[wanted.dialect], services.now())
    cards = await asyncio.to_thread(previews, wanted.template, stand)
    shown = [CardShown.of(state, card) for state, card in cards.items()]
    return Previewed(valid=not any(each.error for each in shown), cards=shown)


def _folder(services: AnyServices) -> Path | None:
    folder = services.policy().templates
    return Path(folder) if folder else None


def _listed(folder: Path | None) -> TemplateList:
    items = [
        TemplateShown(
            name=name, own=folder is not None and (folder / f"{name}.j2").is_file(), shipped=shipped_text(name)
        )
        for name in NAMES
    ]
    return TemplateList(items=items)
