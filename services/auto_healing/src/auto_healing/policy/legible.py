"""What can be read of the rules of a file with mistakes, so that those in their meaning are told with the others."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from auto_healing.policy.schema import LADDER_ACTIONS, ARung, MatchDocument, RuleDocument, RuleName, RungDocument
from common.policy.document import load
from common.policy.mistakes import PolicyError

_NAME, _MATCH, _RUNG = TypeAdapter(RuleName), TypeAdapter(MatchDocument), TypeAdapter(ARung)
_HARMLESS = RungDocument(action=LADDER_ACTIONS[0])  # with which nothing is wrong


def legible_rules(text: str) -> list[RuleDocument]:
    """One for each rule of the file, in its place. What cannot be read of it stands there as something harmless."""
    try:
        document = load(text)
    except PolicyError:
        return []
    rules = document.get("rules") if isinstance(document, Mapping) else None
    return [_rule(number, rule) for number, rule in enumerate(rules if isinstance(rules, list) else [])]


def _rule(number: int, given: Any) -> RuleDocument:
    given = given if isinstance(given, Mapping) else {}
    name = _read(_NAME, given.get("name"), "")
    match, ladder = given.get("match"), given.get("ladder")
    rungs = [_read(_RUNG, rung, _HARMLESS) for rung in ladder] if isinstance(ladder, list) else []
    return RuleDocument.model_construct(
        name=name or f"rule {number}",
        match=None if match is None and name else _read(_MATCH, match, MatchDocument()),
        ladder=None if ladder is None and name else rungs,
    )


def _read(shape: TypeAdapter[Any], given: Any, otherwise: Any) -> Any:
    try:
        return shape.validate_python(given)
    except ValidationError:
        return otherwise
