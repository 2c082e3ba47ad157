"""What the documents say of guards: taken from the guards themselves and their settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from auto_healing.guards import GUARDS
from auto_healing.guards.guard import Guard
from auto_healing.guards.settings import GuardSettings
from common.policy.shape import format_duration


@dataclass(frozen=True, slots=True)
class Setting:
    """One number of a guard. `path` is where the policy file has it; `default` is written as there."""

    path: str
    default: str
    description: str  # with its unit, and why this default


@dataclass(frozen=True, slots=True)
class Entry:
    """One guard."""

    code: str
    title: str
    looks_at: str
    stops_restoring: bool
    settings: tuple[Setting, ...]


def catalogue() -> tuple[Entry, ...]:
    """All guards, in the order in which they are asked."""
    return tuple(
        Entry(
            code=guard.code,
            title=guard.title,
            looks_at=guard.looks_at,
            stops_restoring=guard.stops_restoring,
            settings=tuple(_settings(guard)),
        )
        for guard in GUARDS
    )


def _settings(guard: Guard) -> Iterator[Setting]:
    name = guard.code.replace("-", "_")
    group: BaseModel | None = getattr(GuardSettings(), name, None)
    if group is None:
        return
    for key, field in type(group).model_fields.items():
        description = " ".join((field.description or "").split())
        yield Setting(path=f"guards.{name}.{key}", default=as_written(getattr(group, key)), description=description)


def as_written(value: Any) -> str:
    """As in the policy file."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(as_written(each) for each in value) + "]"
    return str(value)
