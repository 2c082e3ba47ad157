"""Makes a card fit into what a vendor takes: the least important goes first, and it says what is missing. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from alert_service.cards.card import Card

_SHORTEST = 120  # characters of a text that are kept whatever happens
_BROKEN_OFF = re.compile(r"(<[^<>]*|\[[^\[\]]*(\]\([^()]*)?|&[a-z#0-9]{0,6}|\\)$")
ELLIPSIS = "…"


def fitted(card: Card, fits: Callable[[Card], bool]) -> Card:
    """The largest that fits, or the smallest there is. Lines go first, then facts, then texts are shortened."""
    smallest = card
    if not fits(card):
        for smallest in _smaller(card):
            if fits(smallest):
                break
    return smallest


def _smaller(card: Card) -> Iterator[Card]:
    shown, lines, facts = card, len(card.lines), len(card.facts)
    for kept in _less(lines):
        more = f"and {lines - kept} more that this message has no room for"
        yield (shown := replace(shown, lines=(*card.lines[:kept], more)))
    for kept in _less(facts):
        note = f"{facts - kept} of {facts} facts left out for want of room"
        footer = "\n".join(filter(None, (card.footer, note)))
        yield (shown := replace(shown, facts=card.facts[:kept], footer=footer))
    while len(shown.body) > _SHORTEST:
        yield (shown := replace(shown, body=_less_of(shown.body)))
    while len(shown.status) > _SHORTEST:
        yield (shown := replace(shown, status=_less_of(shown.status)))
    while len(shown.footer) > _SHORTEST:
        yield (shown := replace(shown, footer=_less_of(shown.footer)))


def _less(count: int) -> Iterator[int]:
    while count:
        count = count * 2 // 3
        yield count


def _less_of(text: str) -> str:
    return shortened(text, max(_SHORTEST, len(text) * 2 // 3))


def shortened(text: str, longest: int) -> str:
    """At most so many characters, cut between words and through no link, entity or escape."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 5]  # room for what is added below
    at = max(kept.rfind("\n"), kept.rfind(" "))
    if at > longest // 2:
        kept = kept[:at]
    kept = _BROKEN_OFF.sub("", kept).rstrip() + ELLIPSIS
    if kept.count("```") % 2:
        return kept + "\n```"
    return kept + "`" if kept.count("`") % 2 else kept
