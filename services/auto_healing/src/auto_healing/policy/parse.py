"""Turns the text of a policy file into a policy, or names every mistake in it at once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.plan import timeout_of
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Match, Rule, Rung
from auto_healing.policy.codes import KIND_OF_CODE
from auto_healing.policy.defaults import DEFAULT_RULES
from auto_healing.policy.legible import legible_rules
from auto_healing.policy.schema import LADDER_ACTIONS, MatchDocument, PolicyDocument, RuleDocument, RungDocument
from common.policy.document import read_document
from common.policy.mistakes import Mistake, PolicyError, nearest

NO_NAMESPACE = frozenset({"Cluster", "Zone", "Node", "PersistentVolume"})

_DEFAULTS = {rule.name: rule for rule in DEFAULT_RULES}


def parse_policy(text: str) -> HealingPolicy:
    """The policy that a YAML text describes. Raises PolicyError with all its mistakes."""
    try:
        document = read_document(text, PolicyDocument, members={"parameters": "parameter"})
    except PolicyError as error:
        raise PolicyError([*error.mistakes, *_mistakes(legible_rules(text))]) from None
    if mistakes := list(_mistakes(document.rules)):
        raise PolicyError(mistakes)
    return HealingPolicy(
        version=document.version,
        mode=document.mode,
        approval_expires=document.approval_expires,
        scope=document.scope,
        attribution=document.attribution,
        promotion=document.promotion,
        rules=_rules(document.rules),
        guards=document.guards,
        cleanup=document.cleanup,
    )


def _rules(documents: list[RuleDocument]) -> tuple[Rule, ...]:
    """New ones first, then the defaults in their own order, each with what the file changes of it."""
    given = {each.name: _rule(each, _DEFAULTS.get(each.name)) for each in documents}
    own = [rule for name, rule in given.items() if name not in _DEFAULTS]
    return (*own, *(given.get(name, rule) for name, rule in _DEFAULTS.items()))


def _rule(document: RuleDocument, default: Rule | None) -> Rule:
    given = Rule(
        name=document.name,
        match=_match(document.match or MatchDocument()),
        ladder=tuple(map(_rung, document.ladder or ())),
        mode=document.mode,
        approval_expires=document.approval_expires,
    )
    if default is None:
        return given
    return replace(
        given,
        match=given.match if document.match else default.match,
        ladder=given.ladder or default.ladder,
    )


def _match(document: MatchDocument) -> Match:
    return Match(
        codes=frozenset(document.codes),
        severities=frozenset(document.severities),
        min_age=document.min_age,
        at_least=document.at_least,
        levels=frozenset(document.levels),
        kinds=frozenset(document.kinds),
        namespaces=tuple(document.namespaces),
        labels=document.labels,
    )


def _rung(document: RungDocument) -> Rung:
    return Rung(
        action=document.action,
        parameters=document.parameters,
        timeout=document.timeout or timeout_of(document.action),
        verify=document.verify,
    )


def _mistakes(rules: Iterable[RuleDocument]) -> Iterator[Mistake]:
    """What the rules mean that cannot be meant."""
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules):
        path = f"rules[{number}]"
        if rule.name in seen:
            yield Mistake(f"{path}.name", f"{rule.name} is the name of rules[{seen[rule.name]}] already; give another")
        seen.setdefault(rule.name, number)
        yield from _missing(rule, path)
        yield from _in_match(rule.match or MatchDocument(), f"{path}.match")
        yield from _in_ladder(rule.ladder or [], f"{path}.ladder")


def _missing(rule: RuleDocument, path: str) -> Iterator[Mistake]:
    if rule.name in _DEFAULTS:
        return
    hint = nearest(rule.name, _DEFAULTS)
    default = hint if "mean" in hint else ""
    if rule.match is None:
        yield Mistake(f"{path}.match", f"is missing, and {rule.name} is no default rule{default}")
    if rule.ladder is None:
        yield Mistake(
            f"{path}.ladder", f"is missing, and {rule.name} is no default rule: write one such as [{CALL_A_HUMAN}]"
        )


def _in_match(match: MatchDocument, path: str) -> Iterator[Mistake]:
    for position, code in enumerate(match.codes):
        if code not in KIND_OF_CODE:
            yield Mistake(f"{path}.codes[{position}]", f"there is no code {code}{nearest(code, KIND_OF_CODE)}")
    places = {KIND_OF_CODE[code] for code in match.codes if code in KIND_OF_CODE}
    if match.namespaces and places and places <= NO_NAMESPACE:
        yield Mistake(
            f"{path}.namespaces",
            f"can match nothing: the codes are about {' and '.join(sorted(places))}, which has no namespace",
        )


def _in_ladder(ladder: list[RungDocument], path: str) -> Iterator[Mistake]:
    for position, rung in enumerate(ladder):
        here = f"{path}[{position}]"
        if rung.action == CALL_A_HUMAN and position < len(ladder) - 1:
            yield Mistake(here, f"{CALL_A_HUMAN} ends a ladder: put it last")
        if unknown := _unknown(rung.action):
            yield Mistake(f"{here}.action", unknown)
        else:
            yield from _in_parameters(rung, f"{here}.parameters")


def _unknown(action: str) -> str:
    """Why no ladder can have the action; empty when it can."""
    if action in {*LADDER_ACTIONS, CALL_A_HUMAN}:
        return ""
    if action in ACTIONS_BY_CODE:
        return f"{action} runs by its schedule: set it under cleanup, not in a ladder"
    return f"there is no action {action}{nearest(action, [*LADDER_ACTIONS, CALL_A_HUMAN])}"


def _in_parameters(rung: RungDocument, path: str) -> Iterator[Mistake]:
    known = {} if rung.action == CALL_A_HUMAN else ACTIONS_BY_CODE[rung.action].parameters
    for name in rung.parameters:
        if name not in known:
            hint = nearest(name, known) if known else f"; {rung.action} takes none"
            yield Mistake(f"{path}.{name}", f"no such parameter of {rung.action}{hint}")
