"""Making the generated documents, and telling when they are old."""

import json
import re
from pathlib import Path

import pytest

from health_monitor.checks import CHECKS, CHECKS_BY_CODE
from health_monitor.docs import DOCUMENTS
from health_monitor.docs.__main__ import main
from health_monitor.docs.api import API
from health_monitor.docs.checks import INTRODUCTION, checks_document
from health_monitor.policy.parse import parse_policy


def test_documents_are_made_and_then_up_to_date(tmp_path: Path) -> None:
    assert main([], tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(DOCUMENTS)
    assert main(["--check"], tmp_path) == 0


def test_an_old_document_is_named_and_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([], tmp_path)
    (tmp_path / "checks.md").write_text("old")
    assert main(["--check"], tmp_path) == 1
    assert "checks.md; run `make docs`" in capsys.readouterr().err
    assert (tmp_path / "checks.md").read_text() == "old"


def test_the_wrong_folder_is_an_error_that_says_where_to_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path / "none") == 2
    assert "root of the repository" in capsys.readouterr().err


def test_every_check_is_in_the_catalogue_once() -> None:
    headings = re.findall(r"^### (\S+)$", checks_document(), re.MULTILINE)
    assert sorted(headings) == sorted(check.code for check in CHECKS)


def test_the_example_of_a_policy_is_one() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", INTRODUCTION, re.DOTALL)
    policy = parse_policy(example)
    assert not policy.effective(CHECKS_BY_CODE["pod-no-requests"], "shop").enabled
    assert policy.effective(CHECKS_BY_CODE["pod-restarts"], "shop", {"tier": "batch"}).weight == 5


def test_every_route_is_in_the_document_with_what_it_needs() -> None:
    document = API.markdown()
    for path, methods in json.loads(API.openapi())["paths"].items():
        for method in methods:
            heading = re.escape(f"### {method.upper()} {path}")
            (section,) = re.findall(rf"^{heading}\n(.*?)(?=^#|\Z)", document, re.DOTALL | re.MULTILINE)
            assert "Answers 2" in section
            assert path.startswith("/api/") == ("Scope `" in section), "every route below /api needs a scope"
