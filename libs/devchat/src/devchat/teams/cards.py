"""Adaptive Cards as Teams takes them from a flow: version 1.5 at most, and only actions that work without a bot.

https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference
https://adaptivecards.io/explorer
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from devchat.checks import Check, Mistakes, address, fields, flag, kinds, listing, one_of, text, whole, word

MOST_BYTES = 28_672
# What Microsoft counts is more than what was sent: 24,453 bytes were refused as 28,897.
# https://github.com/MicrosoftDocs/msteams-docs/issues/11274
GROWTH = 28_897 / 24_453
SCHEMAS = ("http://adaptivecards.io/schemas/adaptive-card.json", "https://adaptivecards.io/schemas/adaptive-card.json")
MOST_ACTIONS = 6

_COMMON: dict[str, Check] = {
    "id": text(200),
    "spacing": word("none", "small", "default", "medium", "large", "extraLarge", "padding"),
    "separator": flag,
    "isVisible": flag,
    "height": word("auto", "stretch"),
}
_STYLES = word("default", "emphasis", "good", "attention", "warning", "accent")
_ALIGNMENTS = word("left", "center", "right")
_VERTICAL = word("top", "center", "bottom")
_LOOKS: dict[str, Check] = {
    "size": word("default", "small", "medium", "large", "extraLarge"),
    "weight": word("default", "lighter", "bolder"),
    "color": word("default", "dark", "light", "accent", "good", "warning", "attention"),
    "isSubtle": flag,
    "fontType": word("default", "monospace"),
}


def _element(value: Any, at: str) -> Mistakes:
    yield from _ELEMENT(value, at)


def _action(value: Any, at: str) -> Mistakes:
    yield from _ACTION(value, at)


def _column(value: Any, at: str) -> Mistakes:
    yield from _COLUMN(value, at)


def _card(value: Any, at: str) -> Mistakes:
    yield from kinds({"AdaptiveCard": _CARD})(value, at)


def _width(value: Any, at: str) -> Mistakes:
    if not (value in ("auto", "stretch") or re.fullmatch(r"\d+(px)?", str(value))):
        yield "must be auto, stretch, a weight or pixels", at


def _targets(value: Any, at: str) -> Mistakes:
    target = fields({"elementId": text(200)}, {"isVisible": flag})
    yield from listing(
        lambda each, where: text(200)(each, where) if isinstance(each, str) else target(each, where), 50
    )(value, at)


_ITEMS = listing(_element, 200, least=0)
_BASE_ACTION: dict[str, Check] = {
    "id": text(200),
    "tooltip": text(200),
    "mode": one_of(("primary", "secondary")),
    "style": one_of(("default", "positive", "destructive")),
    "isEnabled": flag,
    "iconUrl": address(3000),
}
_ACTION: Check = kinds(
    {
        "Action.OpenUrl": fields({"title": text(200), "url": address(8000)}, _BASE_ACTION),
        "Action.ShowCard": fields({"title": text(200), "card": _card}, _BASE_ACTION),
        "Action.ToggleVisibility": fields({"title": text(200), "targetElements": _targets}, _BASE_ACTION),
    }
)
_RUN = kinds(
    {
        "TextRun": fields(
            {"text": text(10_000)},
            {
                **_LOOKS,
                "italic": flag,
                "strikethrough": flag,
                "highlight": flag,
                "underline": flag,
                "selectAction": _action,
            },
        )
    }
)
_CONTAINER: dict[str, Check] = {
    **_COMMON,
    "style": _STYLES,
    "bleed": flag,
    "minHeight": text(20),
    "verticalContentAlignment": _VERTICAL,
    "selectAction": _action,
}
_FACT = fields({"title": text(1000), "value": text(10_000, 0)})
_ELEMENT: Check = kinds(
    {
        "TextBlock": fields(
            {"text": text(20_000, 0)},
            {
                **_COMMON,
                **_LOOKS,
                "wrap": flag,
                "maxLines": whole,
                "horizontalAlignment": _ALIGNMENTS,
                "style": word("default", "heading"),
            },
        ),
        "RichTextBlock": fields({"inlines": listing(_RUN, 200)}, {**_COMMON, "horizontalAlignment": _ALIGNMENTS}),
        "FactSet": fields({"facts": listing(_FACT, 100)}, _COMMON),
        "Container": fields({"items": _ITEMS}, _CONTAINER),
        "ColumnSet": fields(
            {"columns": listing(_column, 20)},
            {**_CONTAINER, "horizontalAlignment": _ALIGNMENTS},
        ),
        "ActionSet": fields({"actions": listing(_action, MOST_ACTIONS)}, _COMMON),
        "Image": fields(
            {"url": address(3000)},
            {
                **_COMMON,
                "altText": text(1000),
                "size": word("auto", "stretch", "small", "medium", "large"),
                "style": word("default", "person"),
                "width": text(20),
                "horizontalAlignment": _ALIGNMENTS,
            },
        ),
    }
)
_COLUMN: Check = fields({"items": _ITEMS}, {**_CONTAINER, "width": _width, "type": one_of(("Column",))})
_MENTION = kinds({"mention": fields({"text": text(200), "mentioned": fields({"id": text(200), "name": text(200)})})})
_CARD: Check = fields(
    {"version": one_of(("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"))},
    {
        "$schema": one_of(SCHEMAS),
        "body": _ITEMS,
        "actions": listing(_action, MOST_ACTIONS, least=0),
        "msteams": fields({}, {"width": one_of(("Full", "full")), "entities": listing(_MENTION, 100, least=0)}),
        "fallbackText": text(10_000, 0),
        "speak": text(10_000, 0),
        "minHeight": text(20),
        "lang": text(20),
        "verticalContentAlignment": _VERTICAL,
    },
)
_MESSAGE = kinds(
    {
        "message": fields(
            {
                "attachments": listing(
                    fields(
                        {"contentType": one_of(("application/vnd.microsoft.card.adaptive",)), "content": _card},
                        {"contentUrl": lambda value, at: iter(() if value is None else (("must be null", at),))},
                    ),
                    1,
                )
            },
            {"summary": text(1000)},
        )
    }
)


def mistakes(message: Any) -> list[str]:
    """Why the flow would fail, or Teams not show it."""
    found = list(_MESSAGE(message, "")) or list(_mentions(message["attachments"][0]["content"]))
    return [f"{what} ({where or '/'})" for what, where in found]


def counted_bytes(body: bytes, message: Any) -> int:
    """The size as Microsoft counts it, after writing the message again in its own way."""
    written = json.dumps(message, separators=(",", ":"))
    escaped = re.sub(r"[<>&'+]", lambda found: f"\\u{ord(found[0]):04x}", written)
    return max(len(escaped), math.ceil(len(body) * GROWTH))


def texts(value: Any) -> Iterator[str]:
    """Every text of a card that is shown as Markdown."""
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict):
        if value.get("type") == "TextBlock":
            yield value["text"]
        for fact in value.get("facts", []):
            yield from (fact["title"], fact["value"])
        for name, each in value.items():
            if name != "facts":
                yield from texts(each)


def actions(value: Any) -> Iterator[dict[str, Any]]:
    """Every Action.OpenUrl of a card."""
    if isinstance(value, list):
        for each in value:
            yield from actions(each)
    elif isinstance(value, dict):
        if value.get("type") == "Action.OpenUrl":
            yield value
        for each in value.values():
            yield from actions(each)


def links(card: Any) -> list[str]:
    """The addresses of Markdown links in its texts."""
    return [found[1] for each in texts(card) for found in re.finditer(r"(?<!\\)\[[^\]]*(?<!\\)\]\(([^)\s]+)\)", each)]


def pings(card: dict[str, Any]) -> list[str]:
    """Who is notified by name: what is written between <at> and </at> and has an entity."""
    entities = {each["text"] for each in card.get("msteams", {}).get("entities", [])}
    return [found[0] for each in texts(card) for found in re.finditer(r"<at>[^<]*</at>", each) if found[0] in entities]


def _mentions(card: dict[str, Any]) -> Mistakes:
    written = " ".join(texts(card))
    for number, entity in enumerate(card.get("msteams", {}).get("entities", [])):
        if entity["text"] not in written:
            yield f"nothing in the card mentions {entity['text']}", f"/msteams/entities/{number}"
        if not re.fullmatch(r"<at>[^<]+</at>", entity["text"]):
            yield "must be written between <at> and </at>", f"/msteams/entities/{number}/text"
