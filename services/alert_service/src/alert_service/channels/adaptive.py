"""A card as an Adaptive Card 1.5 for a Workflows webhook, within what Teams takes. Pure.

https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from alert_service.cards.card import Button, Card, Tone
from alert_service.cards.dialects.teams import TEAMS
from alert_service.channels.fitting import fitted, shortened

Json = dict[str, Any]

# Microsoft counts 28,672 bytes after writing the message again in its own way; a request of 24,453 was too large.
# https://github.com/MicrosoftDocs/msteams-docs/issues/11274
MOST_BYTES = 20_000
_MOST_WRITTEN_AGAIN = 24_000
_MOST_ACTIONS = 6  # of one set; what is more is not shown
_LONGEST_TEXT = 4_000

_STYLES = {
    Tone.CRITICAL: "attention",
    Tone.WARNING: "warning",
    Tone.INFO: "accent",
    Tone.ACKNOWLEDGED: "accent",
    Tone.GOOD: "good",
    Tone.MUTED: "emphasis",
}


def message_of(card: Card) -> bytes:
    """The body of the post."""
    bounded = replace(
        card,
        title=shortened(card.title, 300),
        status=shortened(card.status, _LONGEST_TEXT),
        body=shortened(card.body, 2 * _LONGEST_TEXT),
        footer=shortened(card.footer, _LONGEST_TEXT),
        error=shortened(card.error, _LONGEST_TEXT),
    )
    return _written(_message(fitted(bounded, lambda each: _fits(_message(each)))))


def adaptive_card(card: Card) -> Json:
    """The card alone, whatever its size."""
    body: list[Json] = [_title(card)] if card.title or not card.body else []
    people = dict.fromkeys(card.mentions)
    called = [TEAMS.mention(each) for each in people]
    body += [_text(text) for text in (" ".join(called), card.status, card.body) if text]
    if card.facts:
        facts = [{"title": each.label, "value": each.value or "-"} for each in card.facts]
        body.append({"type": "FactSet", "facts": facts})
    if card.lines:
        body.append(_text("\n\n".join(card.lines)))
    body += _actions(card.buttons)
    body += [_text(text, size="small", isSubtle=True) for text in (card.footer, card.error) if text]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": TEAMS.escape(card.fallback or card.title),
        "body": body,
        "msteams": {
            "width": "Full",
            "entities": [
                {"type": "mention", "text": TEAMS.mention(each), "mentioned": {"id": each, "name": _name(each)}}
                for each in people
            ],
        },
    }


def _message(card: Card) -> Json:
    content = adaptive_card(card)
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "summary": shortened(card.fallback or card.title, 200) or "alert",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": content}],
    }


def _written(message: Json) -> bytes:
    """Compact, and not longer than it has to be: escaped characters would count sixfold."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def _fits(message: Json) -> bool:
    """Also when it is written again with everything escaped that can be."""
    escaped = re.sub("[<>&'+]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(message, separators=(",", ":")))
    return len(_written(message)) <= MOST_BYTES and len(escaped) <= _MOST_WRITTEN_AGAIN


def _title(card: Card) -> Json:
    title = _text(TEAMS.escape(card.title or card.fallback), size="large", weight="bolder")
    return {"type": "Container", "style": _STYLES[card.tone], "bleed": True, "items": [title]}


def _text(text: str, **looks: Any) -> Json:
    return {"type": "TextBlock", "text": text, "wrap": True, **looks}


def _actions(buttons: Sequence[Button]) -> Iterator[Json]:
    """A press opens a page: nothing else comes back from a flow's card."""
    actions = [{"type": "Action.OpenUrl", "title": each.label[:200], "url": each.url} for each in buttons if each.url]
    for first in range(0, len(actions), _MOST_ACTIONS):
        yield {"type": "ActionSet", "actions": actions[first : first + _MOST_ACTIONS]}


def _name(vendor_id: str) -> str:
    """ana.lopez@example.com is called ana.lopez."""
    return vendor_id.partition("@")[0] or vendor_id
