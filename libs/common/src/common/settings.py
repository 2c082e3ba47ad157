"""Settings of a process from its environment, in nested groups, with every mistake named at once and no secret shown.

`HEALTH_MONITOR_DATABASE__POOL_SIZE=20` sets `pool_size` of the group `database`. Each secret can also be read from a
file, as Kubernetes mounts them: `HEALTH_MONITOR_DATABASE__URL_FILE=/run/secrets/url`.
"""

import difflib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

_NESTED = "__"
_FILE = "_FILE"
# EX_CONFIG of sysexits.h: something is wrong with the configuration.
EXIT_CODE = 78
# What Kubernetes adds for a Service that is called like us: HEALTH_MONITOR_PORT_8080_TCP and the like.
_SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")


class Settings(BaseSettings):
    """Base of a service's settings; a subclass sets `model_config = SettingsConfigDict(env_prefix="...")`."""

    model_config = SettingsConfigDict(env_nested_delimiter=_NESTED, env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls)


class SettingsInvalid(Exception):
    """The environment does not make valid settings; `mistakes` has a line for each, naming the variable."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


AnySettings = TypeVar("AnySettings", bound=Settings)


def load(kind: type[AnySettings]) -> AnySettings:
    """The settings of this process; when they are wrong, a line for each mistake on standard error, and the end."""
    try:
        return read(kind)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None


def read(kind: type[AnySettings]) -> AnySettings:
    """The settings of this process. Raises SettingsInvalid."""
    mistakes = [*_unknown_variables(kind), *_unusable_files(kind), *_malformed_json(kind)]
    try:
        settings = kind()
    except ValidationError as error:
        found = [_mistake(kind, each) for each in error.errors(include_input=False, include_url=False)]
        raise SettingsInvalid(sorted({*mistakes, *found})) from None
    except SettingsError as error:  # malformed JSON, which hides every other mistake
        raise SettingsInvalid(sorted(mistakes) or [f"{_prefix(kind)}*: {error}"]) from None
    if mistakes:
        raise SettingsInvalid(sorted(mistakes))
    return settings


def renewed(settings: AnySettings) -> AnySettings:
    """With what the files of secrets hold now. What cannot be read stays; the very same if the rest will not do."""
    kind = type(settings)
    values = settings.model_dump()
    for leaf, file in _secret_files(kind):
        with suppress(OSError, ValueError):
            reduce(getitem, leaf.path[:-1], values)[leaf.path[-1]] = _value(leaf, file)
    try:
        return kind.model_validate(values)
    except ValidationError:
        return settings


def markdown(kind: type[Settings]) -> str:
    """The settings as Markdown tables, one for each group, for the generated documentation.

    A group's docstring gives the heading, its first sentence, and a paragraph, the rest.
    """
    lines: list[str] = []
    heading = None
    for leaf in leaves(kind):
        if leaf.group is not heading:
            heading = leaf.group
            title, _, more = " ".join((heading.__doc__ or "").split()).partition(". ")
            lines += ["", f"### {title.rstrip('.')}", "", *([more, ""] if more else [])]
            lines += ["| Variable | Type | Default | What it is |", "|---|---|---|---|"]
        also = f" Or `{leaf.variable}{_FILE}`, the path of a file that holds it." if leaf.secret else ""
        about = f"{leaf.field.description or ''}{also}".replace("|", "\\|")
        lines.append(f"| `{leaf.variable}` | {leaf.type_name} | {leaf.default} | {about} |")
    return "\n".join(lines).strip() + "\n"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: the variable that sets it, its place, and what is said about it."""

    variable: str
    path: tuple[str, ...]
    group: type[BaseModel]
    field: FieldInfo

    @property
    def secret(self) -> bool:
        return SecretStr in (self.field.annotation, *get_args(self.field.annotation))

    @property
    def is_json(self) -> bool:
        return get_origin(self.field.annotation) in (list, dict)

    @property
    def type_name(self) -> str:
        if self.secret:
            return "secret"
        return _type_name(self.field.annotation) + _limits(self.field.metadata)

    @property
    def default(self) -> str:
        if self.field.is_required():
            return "required"
        value = self.field.get_default(call_default_factory=True)
        if self.secret or value in (None, ""):
            return ""
        return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def leaves(kind: type[Settings]) -> Iterator[Leaf]:
    """Every setting, group by group, in the order of declaration."""
    return _leaves(kind, _prefix(kind), ())


def _leaves(group: type[BaseModel], prefix: str, path: tuple[str, ...]) -> Iterator[Leaf]:
    inner = []
    for name, field in group.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner.append(_leaves(field.annotation, variable + _NESTED, (*path, name)))
        else:
            yield Leaf(variable, (*path, name), group, field)
    for each in inner:
        yield from each


class _SecretFiles(PydanticBaseSettingsSource):
    """Secrets whose variable has the ending _FILE: their value is what the file holds, without the last line's end."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # asked for by the base class, which is not used field by field here

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for leaf, file in _secret_files(self.settings_cls):
            try:
                value = _value(leaf, file)
            except (OSError, ValueError):
                continue  # reported with all the other mistakes
            inner = values
            for step in leaf.path[:-1]:
                inner = inner.setdefault(step, {})
            inner[leaf.path[-1]] = value
        return values


def _value(leaf: Leaf, file: Path) -> Any:
    """Raises OSError, and ValueError for what is no text, or no JSON where it has to be."""
    text = file.read_text(encoding="utf-8").rstrip("\r\n")
    return json.loads(text) if leaf.is_json else text


def _secret_files(kind: type[BaseSettings]) -> Iterator[tuple[Leaf, Path]]:
    for leaf in _leaves(kind, _prefix(kind), ()):
        if leaf.secret and (file := os.environ.get(leaf.variable + _FILE)):
            yield leaf, Path(file)


def _unusable_files(kind: type[Settings]) -> Iterator[str]:
    for leaf, file in _secret_files(kind):
        if os.environ.get(leaf.variable):
            yield f"{leaf.variable}{_FILE}: {leaf.variable} is set too; leave one of them out"
        try:
            file.read_text(encoding="utf-8")
        except OSError as error:
            yield f"{leaf.variable}{_FILE}: cannot read {file}: {error.strerror}"
        except UnicodeDecodeError:
            yield f"{leaf.variable}{_FILE}: {file} is not text in UTF-8"


def _malformed_json(kind: type[Settings]) -> Iterator[str]:
    texts = [(leaf, leaf.variable, os.environ.get(leaf.variable)) for leaf in leaves(kind)]
    for leaf, file in _secret_files(kind):
        with suppress(OSError, UnicodeDecodeError):
            texts.append((leaf, leaf.variable + _FILE, file.read_text(encoding="utf-8")))
    for leaf, variable, text in texts:
        if not leaf.is_json or not text:
            continue
        try:
            json.loads(text)
        except ValueError:
            example = '["a", "b"]' if get_origin(leaf.field.annotation) is list else '{"a": 1}'
            yield f"{variable}: not JSON; write it like {example}"


def _unknown_variables(kind: type[Settings]) -> Iterator[str]:
    known = {leaf.variable for leaf in leaves(kind)} | {leaf.variable + _FILE for leaf in leaves(kind) if leaf.secret}
    groups = {variable.rsplit(_NESTED, 1)[0] for variable in known if _NESTED in variable}  # a whole group as JSON
    for variable in os.environ:
        if not variable.startswith(_prefix(kind)) or _SERVICE_LINK.search(variable):
            continue
        if variable not in known | groups and not any(variable.startswith(each + _NESTED) for each in known):
            start = _prefix(kind)  # all share it, so it makes nothing alike
            names = [each.removeprefix(start) for each in known]
            near = difflib.get_close_matches(variable.removeprefix(start), names, 1)
            yield f"{variable}: there is no such setting" + (f"; did you mean {start}{near[0]}?" if near else "")


def _mistake(kind: type[Settings], error: ErrorDetails) -> str:
    """One line; pydantic's message tells the rule, not the value."""
    steps = [str(step) for step in error["loc"]]
    variable = _prefix(kind) + _NESTED.join(steps).upper()
    # Within a list or a mapping the steps go deeper than the variable.
    owner = next((leaf.variable for leaf in leaves(kind) if tuple(steps[: len(leaf.path)]) == leaf.path), variable)
    inside = f" (at {'.'.join(steps)})" if owner != variable else ""
    return f"{owner}: {error['msg'].removeprefix('Value error, ')}{inside}"


def _prefix(kind: type[BaseSettings]) -> str:
    return str(kind.model_config.get("env_prefix", "")).upper()


def _type_name(annotation: Any) -> str:
    """What an operator calls the type."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if optional := [each for each in get_args(annotation) if each is not NoneType and NoneType in get_args(annotation)]:
        return " or ".join(map(_type_name, optional))
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", timedelta: "duration"}
    return names.get(annotation, str(annotation))


def _limits(metadata: list[Any]) -> str:
    bounds = {key: getattr(each, key) for each in metadata for key in ("ge", "le") if hasattr(each, key)}
    match bounds:
        case {"ge": least, "le": most}:
            return f", {least} to {most}"
        case {"ge": least}:
            return f", at least {least}"
        case {"le": most}:
            return f", at most {most}"
    return ""


def each_of(secrets: SecretStr) -> tuple[str, ...]:
    """Of several that are comma separated, as while one is replaced by another."""
    return tuple(each.strip() for each in secrets.get_secret_value().split(",") if each.strip())
