"""Healing's documents: made from its code, and where they are written by hand, true of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from auto_healing.actions import ACTIONS
from auto_healing.docs import DOCUMENTS
from auto_healing.docs.__main__ import main
from auto_healing.docs.actions import FAMILIES, actions_document
from auto_healing.docs.api import API
from auto_healing.docs.guards import guards_document
from auto_healing.guards import GUARDS

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
BY_HAND = sorted([DOCS / "healing.md", DOCS / "is-it-safe.md", *(DOCS / "runbooks").glob("healing-*.md")])
OPENAPI = json.loads(API.openapi())
ASKED = re.compile(r'ask (?P<how>[^"\n]*)"\$HEALING(?P<url>/[^"]*)"(?P<more>[^`\n]*(?:\n  [^\n`]*)?)')
by_hand = pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)


def test_documents_are_made_and_then_up_to_date(tmp_path: Path) -> None:
    assert main([], tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(DOCUMENTS)
    assert main(["--check"], tmp_path) == 0


def test_every_action_is_in_the_catalogue_once() -> None:
    assert re.findall(r"^### (\S+)$", actions_document(), re.MULTILINE) == [action.code for action in ACTIONS]
    assert [action for actions in FAMILIES.values() for action in actions] == list(ACTIONS)


def test_every_parameter_is_told() -> None:
    document = actions_document()
    for action in ACTIONS:
        (section,) = re.findall(rf"^### {action.code}\n(.*?)(?=^##|\Z)", document, re.DOTALL | re.MULTILINE)
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(action.parameters)


def test_every_guard_is_in_the_catalogue_in_the_order_in_which_they_are_asked() -> None:
    assert re.findall(r"^## (\S+)$", guards_document(), re.MULTILINE) == [guard.code for guard in GUARDS]


def test_every_route_is_in_the_document_with_what_it_needs() -> None:
    document = API.markdown()
    for path, methods in OPENAPI["paths"].items():
        for method in methods:
            heading = re.escape(f"### {method.upper()} {path}")
            (section,) = re.findall(rf"^{heading}\n(.*?)(?=^#|\Z)", document, re.DOTALL | re.MULTILINE)
            assert "Answers 2" in section
            signed = path == "/api/v1/events"  # a webhook: its signature is the credential
            assert (path.startswith("/api/") and not signed) == ("Scope `" in section)


@dataclass(frozen=True)
class Example:
    """A question as a document shows it."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def operation(self) -> dict[str, Any] | None:
        """Its description; None when there is no such route."""
        for path, methods in OPENAPI["paths"].items():
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            if self.method in methods and re.fullmatch(pattern, self.path):
                return dict(methods[self.method])
        return None


def examples(path: Path) -> Iterator[Example]:
    for found in ASKED.finditer(path.read_text(encoding="utf-8")):
        url, sent = urlsplit(found["url"]), re.search(r"-d '([^']*)'", found["more"], re.DOTALL)
        method = re.search(r"-X (\w+)", found["how"])
        yield Example(
            method=(method[1] if method else "POST" if sent else "GET").lower(),
            path=url.path,
            query=dict(parse_qsl(url.query)),
            body=json.loads(sent[1]) if sent else None,
        )


@by_hand
def test_what_is_asked_in_examples_can_be_asked(path: Path) -> None:
    for example in examples(path):
        operation = example.operation
        assert operation is not None, f"there is no {example.method.upper()} {example.path}"
        known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
        assert example.query.keys() <= known, f"{example.path} has no {example.query.keys() - known}"
        assert (example.body is None) or "requestBody" in operation
        if example.body:
            assert example.body.keys() <= fields(operation["requestBody"], example.body), example


def fields(body: dict[str, Any], sent: dict[str, Any]) -> set[str]:
    """Names that a body may have; of several shapes that of the scenario which was sent."""
    schema = next(iter(body["content"].values()))["schema"]
    if "discriminator" in schema:
        schema = {"$ref": schema["discriminator"]["mapping"][sent["scenario"]]}
    return set(OPENAPI["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"])


@by_hand
def test_routes_that_are_named_exist(path: Path) -> None:
    named = re.findall(r"`(GET|POST|PUT|DELETE) (/api/v1/[^`?]*)", path.read_text(encoding="utf-8"))
    for method, route in named:
        example = Example(method.lower(), re.sub(r"\{\w+\}", "x", route), {}, None)
        monitors = route.startswith(("/api/v1/findings", "/api/v1/subscriptions"))
        assert monitors or example.operation is not None, f"there is no {method} {route}"


def test_examples_are_found_at_all() -> None:
    assert sum(1 for _ in examples(DOCS / "healing.md")) > 30


def test_each_answer_to_is_it_safe_names_tests_that_exist() -> None:
    page = DOCS / "is-it-safe.md"
    proofs = re.findall(r"\[([^\]]+)\]\((\.\./tests/[^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(proofs) > 40
    missing = [
        (claim, file)
        for claim, file in proofs
        if f"def test_{re.sub('[ -]', '_', claim.lower())}(" not in (page.parent / file).read_text(encoding="utf-8")
    ]
    assert missing == []


@pytest.mark.parametrize("guard", [guard.code for guard in GUARDS])
def test_a_guard_has_its_place_in_the_runbook(guard: str) -> None:
    assert re.search(rf"^## {guard}$", (DOCS / "runbooks/healing-declined.md").read_text("utf-8"), re.MULTILINE)
