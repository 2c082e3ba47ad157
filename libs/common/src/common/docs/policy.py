"""Tables of what a policy file may say, made from its JSON Schema and from what holds without a file."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]


def policy_tables(schema: Definition, holds: Mapping[str, Any], *, depth: int = 2) -> str:
    """A section for each group of settings, the outermost with a heading of `depth`."""
    return "\n".join(_sections("", schema, schema["$defs"], holds, depth=depth))


def _sections(path: str, definition: Definition, known: Definition, holds: Any, *, depth: int) -> Iterator[str]:
    """A table of what is plain at this place, then a section for each group in it."""
    groups: list[tuple[str, Definition, Any]] = []
    rows: list[str] = []
    for name, field in definition["properties"].items():
        inner = _group(field, known)
        default = holds.get(name) if isinstance(holds, dict) else field.get("default")
        named = bool(_named(field))
        if inner is not None:
            groups.append(
                (f"{path}.{name}{'.NAME' if named else ''}".removeprefix("."), inner, None if named else default)
            )
        if inner is None or named or "items" in field or "anyOf" in field:
            rows.append(f"| `{name}` | {_default(name, default, inner)} | {_meaning(field)} |")
    title = f"`{path}`" if path else "Settings"
    yield f"{'#' * min(depth, 4)} {title}\n"
    if path and definition.get("description"):
        yield f"{definition['description']}\n"
    if rows:
        yield "\n".join(["| Setting | Default | Meaning |", "|---|---|---|", *rows, ""])
    for inner_path, inner, default in groups:
        yield from _sections(inner_path, inner, known, default, depth=depth + 1)


def _group(field: Definition, known: Definition) -> Definition | None:
    """The definition of the mapping, or of those in the list or under names, that a field holds; None: it is plain."""
    for each in (field, field.get("items", {}), *_named(field), *field.get("anyOf", ())):
        target = known.get(each.get("$ref", "").rpartition("/")[2], each)
        if "properties" in target:
            return dict(target)
        if each is not field and ("items" in each or "anyOf" in target):
            found = _group({"items": each.get("items", {}), "anyOf": target.get("anyOf", ())}, known)
            if found is not None:
                return found
    return None


def _named(field: Definition) -> list[Definition]:
    """The definitions of what a mapping holds under names of the user's own."""
    every = [field.get("additionalProperties"), *field.get("patternProperties", {}).values()]
    return [each for each in every if isinstance(each, dict)]


def _default(name: str, value: Any, group: Definition | None) -> str:
    """A list of groups is told by its own tables."""
    if value is None or (group is not None and value):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _meaning(field: Definition) -> str:
    return str(field.get("description", "")).replace("|", "\\|")
