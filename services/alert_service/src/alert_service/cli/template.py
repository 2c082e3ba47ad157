"""`alert-service template`: the texts of cards, shown and checked without a channel."""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cli.failure import NOT_GOOD, OK, CommandFailed
from common.cli.program import Commands

if TYPE_CHECKING:
    from alert_service.cards.card import Card
    from alert_service.cards.templates import Templates

_NAMES = ("incident", "storm", "message")


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "template", help="list, show, preview or check the templates of cards", description="See docs/cards.md."
    )
    kinds = parser.add_subparsers(required=True, metavar="COMMAND")
    listed = kinds.add_parser("list", help="name the templates, and which of them are the folder's own")
    listed.set_defaults(run=run_list)
    shown = kinds.add_parser("show", help="print a shipped template, to begin an own one with")
    shown.add_argument("name", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    shown.set_defaults(run=run_show)
    preview = kinds.add_parser("preview", help="print the cards that a template makes of made-up incidents")
    preview.add_argument("name", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    preview.add_argument("--state", metavar="STATE", help="only this one, such as acknowledged; default: all")
    preview.add_argument(
        "--as",
        dest="form",
        choices=("text", "slack", "teams"),
        default="text",
        metavar="FORM",
        help="text, slack for its Block Kit Builder, or teams for the card designer; default: text",
    )
    preview.set_defaults(run=run_preview)
    check = kinds.add_parser("check", help="try every template of a folder; exit code 1 with what is wrong")
    check.set_defaults(run=run_check)
    for each in (listed, preview, check):
        each.add_argument("--folder", type=Path, metavar="FOLDER", help="own templates; default: the shipped ones")


def run_list(args: argparse.Namespace) -> int:
    folder: Path | None = args.folder
    _templates(folder)
    for name in _NAMES:
        own = folder is not None and (folder / f"{name}.j2").is_file()
        print(f"{name:10}{folder / f'{name}.j2' if own and folder else 'shipped'}")
    return OK


def run_show(args: argparse.Namespace) -> int:
    from alert_service.cards.templates import shipped_text

    print(shipped_text(args.name), end="")
    return OK


def run_preview(args: argparse.Namespace) -> int:
    """Exit code 1 when a template failed: the cards are those that would be sent instead."""
    from alert_service.cards.dialects import DIALECTS
    from alert_service.cards.previews import Stand, previews

    dialect = DIALECTS["plain" if args.form == "text" else args.form]
    cards = previews(args.name, Stand(_templates(args.folder), dialect, datetime.now(UTC)))
    if args.state is not None and args.state not in cards:
        raise CommandFailed(f"there is no state {args.state} of {args.name}; there are {', '.join(cards)}")
    chosen = {state: card for state, card in cards.items() if args.state in (None, state)}
    print(
        _text(chosen) if args.form == "text" else json.dumps(_payloads(chosen, args.form), indent=2, ensure_ascii=False)
    )
    wrong = {card.error: None for card in chosen.values() if card.error}
    for error in wrong:
        print(error, file=sys.stderr)
    return NOT_GOOD if wrong else OK


def run_check(args: argparse.Namespace) -> int:
    from alert_service.cards.previews import mistakes

    found = mistakes(_templates(args.folder), datetime.now(UTC))
    for wrong in found.values():
        print(wrong, file=sys.stderr)
    if not found:
        print(f"good: {', '.join(_NAMES)}")
    return NOT_GOOD if found else OK


def _templates(folder: Path | None) -> "Templates":
    from alert_service.cards.templates import Templates

    if folder is not None and not folder.is_dir():
        raise CommandFailed(f"there is no folder {folder}")
    return Templates(folder)


def _payloads(cards: Mapping[str, "Card"], form: str) -> dict[str, Any]:
    from alert_service.channels.adaptive import adaptive_card
    from alert_service.channels.blocks import block_kit

    if form == "slack":
        return {state: {"blocks": block_kit(card)} for state, card in cards.items()}
    return {state: adaptive_card(card) for state, card in cards.items()}


def _text(cards: Mapping[str, "Card"]) -> str:
    return "\n\n".join(f"--- {state}\n{_card_text(card)}" for state, card in cards.items())


def _card_text(card: "Card") -> str:
    facts = "\n".join(f"{each.label}: {each.value}" for each in card.facts)
    buttons = " ".join(f"[{each.label}]" for each in card.buttons)
    parts = (f"({card.tone}) {card.title}", card.status, card.body, facts, "\n".join(card.lines), card.footer, buttons)
    return "\n\n".join(part for part in parts if part)
