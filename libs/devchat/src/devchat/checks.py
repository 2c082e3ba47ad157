"""Checks of JSON against tables of what a vendor knows: every mistake is told, with the path to it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

Mistakes = Iterator[tuple[str, str]]  # what is wrong, and where: /blocks/0/text
Check = Callable[[Any, str], Mistakes]


def text(longest: int, shortest: int = 1) -> Check:
    def check(value: Any, at: str) -> Mistakes:
        if not isinstance(value, str):
            yield "must be a string", at
        elif len(value) < shortest:
            yield f"must be more than {shortest - 1} characters", at
        elif len(value) > longest:
            yield f"must be less than {longest + 1} characters", at

    return check


def one_of(allowed: Collection[Any]) -> Check:
    def check(value: Any, at: str) -> Mistakes:
        if value not in allowed:
            yield f"must be one of {', '.join(map(str, allowed))}", at

    return check


def word(*allowed: str) -> Check:
    """One of these, however it is capitalized."""
    lower = {each.lower() for each in allowed}

    def check(value: Any, at: str) -> Mistakes:
        if not isinstance(value, str) or value.lower() not in lower:
            yield f"must be one of {', '.join(allowed)}", at

    return check


def flag(value: Any, at: str) -> Mistakes:
    if not isinstance(value, bool):
        yield "must be a boolean", at


def whole(value: Any, at: str) -> Mistakes:
    if not isinstance(value, int) or isinstance(value, bool):
        yield "must be an integer", at


def address(longest: int) -> Check:
    def check(value: Any, at: str) -> Mistakes:
        yield from text(longest)(value, at)
        if isinstance(value, str) and not value.startswith(("http://", "https://")):
            yield "must be a valid http or https URL", at

    return check


def listing(item: Check, most: int, least: int = 1) -> Check:
    def check(value: Any, at: str) -> Mistakes:
        if not isinstance(value, list):
            yield "must be an array", at
            return
        if len(value) > most:
            yield f"no more than {most} items allowed", at
        if len(value) < least:
            yield f"no fewer than {least} items allowed", at
        for number, each in enumerate(value):
            yield from item(each, f"{at}/{number}")

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no others."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: str) -> Mistakes:
        if not isinstance(value, dict):
            yield "must be an object", at
            return
        for name in required:
            if name not in value:
                yield f"missing required field: {name}", at
        for name, each in value.items():
            if name not in known:
                yield f"no more fields are known here, but there is {name}", at
            else:
                yield from known[name](each, f"{at}/{name}")

    return check


def kinds(known: Mapping[str, Check]) -> Check:
    """An object whose `type` says what else it has."""

    def check(value: Any, at: str) -> Mistakes:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in known:
            yield f"unsupported type: {kind}", f"{at}/type"
        else:
            yield from known[kind]({name: each for name, each in value.items() if name != "type"}, at)

    return check
