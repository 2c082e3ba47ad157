"""A card as Slack's Block Kit, within its limits. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from alert_service.cards.card import Button, Card, Tone
from alert_service.cards.dialects.slack import SLACK
from alert_service.channels.fitting import ELLIPSIS, fitted, shortened

Block = dict[str, Any]

MOST_BLOCKS = 50
_HEADER, _SECTION, _FIELD, _CONTEXT = 150, 3000, 2000, 3000
_FIELDS = 10
_BUTTONS = 25
_LABEL, _VALUE, _URL, _CONFIRM_TEXT = 75, 2000, 3000, 300
# Slack refuses more than about 12,000 characters in all texts together: https://github.com/slackapi/bolt-js/issues/2509
_TOGETHER = 11_000

# Blocks have no colour of their own, and those in coloured attachments are folded away behind "Show more".
SIGNS = {
    Tone.CRITICAL: "🔴",
    Tone.WARNING: "🟠",
    Tone.INFO: "🔵",
    Tone.ACKNOWLEDGED: "🟡",
    Tone.GOOD: "🟢",
    Tone.MUTED: "⚪",
}


def block_kit(card: Card, *, buttons_as_links: bool = False) -> list[Block]:
    """`buttons_as_links`: for incoming webhooks, whose app may have nobody who answers a press."""
    bounded = replace(
        card,
        status=shortened(card.status, _SECTION),
        body=shortened(card.body, _SECTION),
        footer=shortened(card.footer, _CONTEXT),
        error=shortened(card.error, _FIELD),
        facts=[replace(each, value=shortened(each.value, _FIELD - len(each.label) - 5)) for each in card.facts],
    )
    made = partial(_blocks, buttons_as_links=buttons_as_links)
    return made(fitted(bounded, lambda smaller: _fits(made(smaller))))


def notification(card: Card) -> str:
    """The line that phones and screen readers have, in plain text."""
    return _cut(f"{SIGNS[card.tone]} {card.fallback or card.title}", _SECTION)


def _blocks(card: Card, *, buttons_as_links: bool) -> list[Block]:
    blocks: list[Block] = []
    if card.title.strip():
        title = _plain(_cut(f"{SIGNS[card.tone]} {card.title}", _HEADER), _HEADER)
        blocks.append({"type": "header", "text": title})
    called = " ".join(SLACK.mention(each) for each in card.mentions)
    blocks += [_section(text) for text in (called, card.status, card.body) if text.strip()]
    blocks += _facts(card)
    if lines := "\n".join(filter(None, card.lines)):
        blocks.append(_section(lines))
    if buttons_as_links:
        blocks += _links(card.buttons)
    else:
        blocks += _actions(card.buttons)
    blocks += [_context(text) for text in (card.footer, card.error) if text.strip()]
    return blocks or [_section(SLACK.escape(card.fallback) or "-")]


def _fits(blocks: Sequence[Block]) -> bool:
    sections = [each["text"]["text"] for each in blocks if "text" in each]
    together = [*sections, *(text["text"] for each in blocks for text in each.get("fields", ()))]
    return (
        len(blocks) <= MOST_BLOCKS
        and all(len(each) <= _SECTION for each in sections)
        and sum(map(len, together)) <= _TOGETHER
    )


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, longest), "emoji": True}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + ELLIPSIS


def _facts(card: Card) -> Iterator[Block]:
    """Two in a row, ten in a block."""
    fields = [{"type": "mrkdwn", "text": f"*{each.label}*\n{each.value or '-'}"} for each in card.facts]
    for first in range(0, len(fields), _FIELDS):
        yield {"type": "section", "fields": fields[first : first + _FIELDS]}


def _actions(buttons: Sequence[Button]) -> Iterator[Block]:
    """Names of actions have to differ within a block: the second of a kind is called `silence:2`."""
    if not buttons:
        return
    seen: Counter[str] = Counter()
    elements = []
    for button in buttons[:_BUTTONS]:
        seen[button.act] += 1
        number = seen[button.act]
        elements.append(_button(button, button.act if number == 1 else f"{button.act}:{number}"))
    yield {"type": "actions", "elements": elements}


def _button(button: Button, action_id: str) -> Block:
    found: Block = {"type": "button", "action_id": action_id, "text": _plain(button.label, _LABEL)}
    if button.value:
        found["value"] = button.value[:_VALUE]
    if button.url and len(button.url) <= _URL:
        found["url"] = button.url
    if button.danger or button.primary:
        found["style"] = "danger" if button.danger else "primary"
    if button.confirm:
        found["confirm"] = {
            "title": _plain(button.label, 100),
            "text": _plain(button.confirm, _CONFIRM_TEXT),
            "confirm": _plain(button.label, 30),
            "deny": _plain("Cancel", 30),
        }
    return found


def _links(buttons: Sequence[Button]) -> Iterator[Block]:
    links = [SLACK.link(each.url, each.label) for each in buttons if each.url]
    text, joined = "", " · "
    for link in links:
        if text and len(text) + len(joined) + len(link) > _SECTION:
            yield _section(text)
            text = ""
        text = f"{text}{joined}{link}" if text else link
    if text:
        yield _section(text)
