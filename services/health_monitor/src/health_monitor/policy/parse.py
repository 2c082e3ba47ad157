"""Turns the text of a policy file into a policy, or names every mistake in it at once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from health_monitor.checks import CHECKS, CHECKS_BY_CODE
from health_monitor.policy import Override, Policy, Rule
from health_monitor.policy.schema import policy_model

NO_LABELS = frozenset({"Cluster", "Zone"})
NO_NAMESPACE = frozenset({"Cluster", "Zone", "Node", "Namespace", "PersistentVolume"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in the file that cannot stand. `path` is where, such as `checks.pod-restarts.thresholds.after`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PolicyError(ValueError):
    """The policy file cannot be used."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))


def parse_policy(text: str) -> Policy:
    """The policy that a YAML text describes. Raises PolicyError with all its mistakes."""
    try:
        document = policy_model().model_validate(_load(text))
    except ValidationError as error:
        raise PolicyError(_mistake(details) for details in error.errors()) from None
    data = document.model_dump(exclude_unset=True, by_alias=True)
    mistakes = list(_unreachable(data))
    if mistakes:
        raise PolicyError(mistakes)
    return Policy(
        checks=_overrides(data.get("checks", {})),
        rules=[
            Rule(
                namespaces=tuple(rule.get("namespaces", ())),
                labels=rule.get("labels", {}),
                kinds=frozenset(rule.get("kinds", ())),
                checks=_overrides(rule["checks"]),
            )
            for rule in data.get("rules", ())
        ],
    )


def _overrides(checks: Mapping[str, Any]) -> dict[str, Override]:
    return {
        code: Override(**{name: value for name, value in entry.items() if value is not None})
        for code, entry in checks.items()
        if entry
    }


def _unreachable(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Overrides in a rule that can match nothing."""
    known = {check.kind for check in CHECKS}
    for number, rule in enumerate(data.get("rules", ())):
        kinds = rule.get("kinds", ())
        for position, kind in enumerate(kinds):
            if kind not in known:
                yield Mistake(f"rules[{number}].kinds[{position}]", f"no check is about {kind}{_nearest(kind, known)}")
        for code in rule["checks"]:
            kind, path = CHECKS_BY_CODE[code].kind, f"rules[{number}].checks.{code}"
            if kinds and kind not in kinds:
                yield Mistake(path, f"is about kind {kind}, which is not among the kinds of this rule")
            elif rule.get("namespaces") and kind in NO_NAMESPACE:
                yield Mistake(path, f"is about kind {kind}, which has no namespace: use a rule without namespaces")
            elif rule.get("labels") and kind in NO_LABELS:
                yield Mistake(path, f"is about kind {kind}, which has no labels: use a rule without labels")


class _Loader(yaml.CSafeLoader):
    """Safe YAML in which a key given twice is a mistake: the first would be lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise PolicyError([Mistake(f"line {key.start_mark.line + 1}", "a key must be a word")])
            if key.value in seen:
                line = key.start_mark.line + 1
                raise PolicyError([Mistake(f"line {line}", f"{key.value} is given twice; keep one")])
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise PolicyError([Mistake(where, f"is no valid YAML: {getattr(error, 'problem', None) or error}")]) from None
    except PolicyError:
        raise
    except (ValueError, RecursionError) as error:  # an impossible date; thousands of brackets
        raise PolicyError([Mistake("", f"is no valid YAML: {error}")]) from None


def _mistake(details: ErrorDetails) -> Mistake:
    location = details["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if details["type"] == "extra_forbidden":
        word = "no such check" if location[-2:-1] == ("checks",) else "no such setting"
        return Mistake(path, f"{word}{_nearest(str(location[-1]), _names_at(location[:-1]))}")
    if details["type"] == "model_type":
        return Mistake(path, f"must be a mapping with {', '.join(_names_at(location))}")
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = details["input"]
    shown = "" if isinstance(given, dict | list) or details["type"] == "missing" else f", not {given!r}"
    return Mistake(path, message[:1].lower() + message[1:] + shown)


def _names_at(location: tuple[int | str, ...]) -> list[str]:
    """Names that are known at a place in the file."""
    here: Any = policy_model()
    for part in location:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in here.model_fields.items()}
        if part in fields:
            here = _model_in(fields[part].annotation) or here
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)


def _nearest(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    matches = get_close_matches(name, known, n=1)
    if matches:
        return f"; did you mean {matches[0]}?"
    return f"; known are {', '.join(known)}" if len(known) <= 10 else ""
