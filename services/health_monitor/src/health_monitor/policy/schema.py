"""The shape of a policy file, made from the checks: it validates, and it is published as JSON Schema."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, Field, create_model

from common.contracts import Severity
from common.policy.shape import Duration, Strict, format_duration, json_schema
from health_monitor.checks import CHECKS
from health_monitor.checks.check import Check


def policy_json_schema() -> dict[str, Any]:
    """For editors, and for whoever checks a policy file before it is rolled out."""
    return json_schema(policy_model())


@cache
def policy_model() -> type[Strict]:
    """The model of a whole file. Made once: it takes a quarter of a second."""
    entries: Any = {check.code.replace("-", "_"): _entry(check) for check in CHECKS}
    overrides = create_model("Checks", __base__=Strict, **entries)
    rule: Any = create_model(
        "Rule",
        __base__=Strict,
        __doc__="Overrides for the objects that it matches. What is left out matches all.",
        namespaces=(list[str], Field(default_factory=list, description="Names, or patterns such as team-*")),
        labels=(dict[str, str], Field(default_factory=dict, description="Labels that the object must have")),
        kinds=(list[str], Field(default_factory=list, description="Kinds of object, such as Pod")),
        checks=(overrides, Field(description="Overrides by code of check")),
    )
    return create_model(
        "Policy",
        __base__=Strict,
        __doc__="Policy of health_monitor: what is looked for, how strictly and how much it counts.",
        version=(Literal[1], Field(description="Version of this format")),
        checks=(overrides, Field(default_factory=overrides, description="Overrides for all objects")),
        rules=(list[rule], Field(default_factory=list, description="Applied in their order: a later one wins")),
    )


def _entry(check: Check[Any, Any]) -> tuple[Any, Any]:
    name = check.code.title().replace("-", "")
    fields: Any = {
        "enabled": (bool, Field(None, description="Whether it is looked for at all")),
        "severity": (Annotated[Severity, Field(strict=False)], Field(None, description=_severity(check))),
        "weight": (
            float,
            Field(None, ge=0, le=100, description="Points that a finding takes, instead of its severity's"),
        ),
    }
    if dataclasses.fields(check.thresholds):
        thresholds = _fields_model(f"{name}Thresholds", check.thresholds)
        fields["thresholds"] = (thresholds, Field(None, description="Numbers that decide"))
    model = create_model(name, __base__=Strict, __doc__=check.summary, **fields)
    return (model | None, Field(None, alias=check.code, description=check.title))


def _severity(check: Check[Any, Any]) -> str:
    return f"info, warning or critical, instead of what the check says ({check.severity} by default)"


def _fields_model(name: str, values: Any) -> type[Strict]:
    """A model of a frozen dataclass whose fields are all optional."""
    hints = get_type_hints(type(values))
    fields: Any = {
        field.name: _field(hints[field.name], field.metadata, getattr(values, field.name))
        for field in dataclasses.fields(values)
    }
    return create_model(name, __base__=Strict, **fields)


def _field(annotation: Any, metadata: Mapping[str, Any], default: Any) -> tuple[Any, Any]:
    type_ = _type(annotation)
    if annotation in {int, float}:
        type_ = Annotated[type_, Field(ge=metadata.get("least") or 0, le=metadata.get("most"))]
    shown = format_duration(default) if isinstance(default, timedelta) else default
    examples = [shown] if isinstance(shown, str | int | float) else None
    return (type_, Field(None, description=metadata.get("description"), examples=examples))


def _type(annotation: Any) -> Any:
    """The pydantic type for what a thresholds dataclass may hold. TypeError tells an author what it may not."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _fields_model(annotation.__name__, annotation())
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Annotated[annotation, BeforeValidator(_as_word)]
    if origin is tuple:
        return list[_type(arguments[0])]  # type: ignore[misc]
    if origin is Mapping:
        return dict[str, _type(arguments[1]) | None]  # type: ignore[misc]
    raise TypeError(f"a threshold cannot be of type {annotation!r}")


def _as_word(value: object) -> object:
    """YAML reads an unquoted True as a boolean; where words are asked for it is the word."""
    return str(value) if isinstance(value, bool) else value


_PLAIN = {
    timedelta: Duration,
    Severity: Annotated[Severity, Field(strict=False)],
    bool: bool,
    int: int,
    float: float,
    str: str,
}
