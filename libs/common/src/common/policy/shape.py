"""Parts that the models of policy files are made of, and their JSON Schema."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = r"^(?=\d)(\d{1,6}d)?(\d{1,6}h)?(\d{1,6}m)?(\d{1,6}s)?$"
_LONGEST = timedelta(days=3650)


def parse_duration(value: object) -> timedelta:
    """Such as "90s", "5m", "1h30m" or "2d"; a timedelta stays one. ValueError tells how to write one."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(_DURATION, value) if isinstance(value, str) else None
    if found is None:
        hint = ", with its unit" if isinstance(value, int | float) else ""
        raise ValueError(f"must be a duration such as 90s, 5m, 1h30m or 2d{hint}")
    duration = timedelta(**{_UNITS[part[-1]]: int(part[:-1]) for part in found.groups() if part})
    if duration > _LONGEST:
        raise ValueError("must be at most 3650d")
    return duration


def format_duration(duration: timedelta) -> str:
    """As `parse_duration` reads it: "1h30m"."""
    rest = int(duration.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["90s", "5m", "1h30m", "2d"]}),
]


def word_of(words: type[StrEnum]) -> BeforeValidator:
    """One of the words, in `Annotated[Words, word_of(Words)]`. YAML reads an unquoted off as a boolean."""

    def read(value: object) -> object:
        try:
            return words("off" if value is False else str(value))
        except ValueError:
            raise ValueError(f"must be one of {', '.join(words)}") from None

    return BeforeValidator(read)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Durations as the file has them."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """For editors, and for whoever checks a policy file before it is rolled out."""
    schema: dict[str, Any] = _without_noise(model.model_json_schema(schema_generator=_Schema))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _without_noise(schema: Any) -> Any:
    """Titles repeat the names, a default of null only says that nothing is changed, and texts were broken for code."""
    if isinstance(schema, list):
        return [_without_noise(item) for item in schema]
    if isinstance(schema, str):
        return " ".join(schema.split()) if "\n" in schema else schema
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_noise(value)
        for name, value in schema.items()
        if not (name == "default" and value is None) and not (name == "title" and isinstance(value, str))
    }
