"""The words that lists can be filtered by are those that the code writes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import auto_healing
from auto_healing.api.vocabulary import EVENTS, REFUSING

SOURCES = [file for file in Path(auto_healing.__file__).parent.rglob("*.py") if "docs" not in file.parts]
PLACE_OF_EVENT = {"_entry": 0, "entry": 0, "_note": 1, "_change": 2}  # among the arguments of what makes entries


def words(call: ast.Call, keyword: str) -> Iterator[str]:
    """The literal that is given for the keyword, or in its place."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [each.value for each in call.keywords if each.arg == keyword]
    if keyword == "event" and name in PLACE_OF_EVENT:
        given += call.args[PLACE_OF_EVENT[name] :][:1]
        given += call.args[1:2] if name == "_entry" else []  # after what it is about
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def written(keyword: str) -> set[str]:
    calls = (node for file in SOURCES for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {word for call in calls for word in words(call, keyword)} - {""}


@pytest.mark.parametrize(("keyword", "known", "one"), [("event", EVENTS, "marked"), ("guard", REFUSING, "policy")])
def test_what_is_written_can_be_asked_for(keyword: str, known: frozenset[str], one: str) -> None:
    found = written(keyword)
    assert one in found, "the sources are read"
    assert found <= known, found - known
