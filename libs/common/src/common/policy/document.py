"""Reads the YAML text of a policy into its pydantic model, or names every mistake in it at once."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from common.policy.mistakes import Mistake, PolicyError, nearest

MOST_ALIASES = 100  # a few lines of aliases of aliases can stand for more than any machine can read

M = TypeVar("M", bound=BaseModel)


def read_document(text: str, model: type[M], *, members: Mapping[str, str]) -> M:
    """Raises PolicyError with all mistakes. `members` names what a mapping holds, such as {"checks": "check"}."""
    try:
        return model.model_validate(load(text))
    except ValidationError as error:
        raise PolicyError(_mistake(details, model, members) for details in error.errors()) from None


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


def load(text: str) -> Any:
    """What a YAML text says. Raises PolicyError when it is none, or one that means harm."""
    try:
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.CSafeLoader))
        if aliases > MOST_ALIASES:
            raise PolicyError([Mistake("", f"has {aliases} aliases such as *name; at most {MOST_ALIASES} are allowed")])
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise PolicyError([Mistake(where, f"is no valid YAML: {getattr(error, 'problem', None) or error}")]) from None
    except PolicyError:
        raise
    except (ValueError, RecursionError) as error:  # an impossible date; thousands of brackets
        raise PolicyError([Mistake("", f"is no valid YAML: {error}")]) from None


def _mistake(details: ErrorDetails, model: type[BaseModel], members: Mapping[str, str]) -> Mistake:
    location = details["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if details["type"] == "extra_forbidden":
        word = members.get(str(location[-2]), "setting") if len(location) > 1 else "setting"
        return Mistake(path, f"no such {word}{nearest(str(location[-1]), _names_at(model, location[:-1]))}")
    if details["type"] == "model_type":
        return Mistake(path, f"must be a mapping with {', '.join(_names_at(model, location))}")
    if details["type"] == "too_short":
        return Mistake(
            path, f"must have at least {details['ctx']['min_length']}, not {details['ctx']['actual_length']}"
        )
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = details["input"]
    shown = "" if isinstance(given, dict | list) or details["type"] == "missing" else f", not {given!r}"
    return Mistake(path, message[:1].lower() + message[1:] + shown)


def _names_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names that are known at a place in the file."""
    here: Any = model
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
