"""What no single test can see: that list, files, catalogue, runbooks, tests, documents and metrics agree."""

import ast
import dataclasses
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.alert_rules import RULES, Rule, alert_rules, rules_of, title
from tests.support.exported_metrics import EXPORTED

from alert_service.docs import DOCUMENTS as ALERTING_DOCUMENTS
from auto_healing.actions import ACTIONS, ACTIONS_BY_CODE
from auto_healing.docs import DOCUMENTS as HEALING_DOCUMENTS
from auto_healing.guards import GUARDS, GUARDS_BY_CODE
from auto_healing.guards.settings import FreshViewSettings
from auto_healing.policy.schema import LADDER_ACTIONS
from auto_healing.policy.settings import Scope
from common.docs.make import Documents
from health_monitor.catalogue import plain
from health_monitor.checks import CHECKS, CHECKS_BY_CODE
from health_monitor.checks.check import Check
from health_monitor.docs import DOCUMENTS
from health_monitor.docs.checks import FAMILIES
from health_monitor.policy.parse import parse_policy

ROOT = Path(__file__).parents[1]
CHECK_FILES = ROOT / "services/health_monitor/src/health_monitor/checks"
CHECK_TESTS = ROOT / "tests/unit/health_monitor/checks"
RUNBOOKS = ROOT / "docs/runbooks"
HEALING = ROOT / "services/auto_healing/src/auto_healing"
SERVICES = ("health_monitor", "auto_healing", "alert_service")
PACKAGES = (ROOT / "libs/common/src", *(ROOT / f"services/{service}/src" for service in SERVICES))
PREFIXES = tuple(f"{service}_" for service in SERVICES)
ALL_DOCUMENTS: Documents = {**DOCUMENTS, **HEALING_DOCUMENTS, **ALERTING_DOCUMENTS}
# About what can happen to any run, guard or cordon, not one for each code.
HEALING_RUNBOOKS = {f"healing-{about}" for about in ("declined", "runs", "ledger", "cordons", "cleanup")}

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)


def check_modules() -> Iterator[tuple[str, str]]:
    """Family and module of every file that defines a check."""
    for path in sorted(CHECK_FILES.glob("*/*.py")):
        if re.search(r"^CHECK(:| =)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path.parent.name, path.stem


def module_of(check: Check[Any, Any]) -> str:
    return check.code.replace("-", "_")


# --- checks


def test_every_file_of_a_check_is_in_the_list_and_named_by_its_code() -> None:
    modules = {name: family for family, name in check_modules()}
    assert {module_of(check) for check in CHECKS} == set(modules)
    for check in CHECKS:
        name = module_of(check)
        module = importlib.import_module(f"health_monitor.checks.{modules[name]}.{name}")
        assert module.CHECK is check


def test_codes_are_unique() -> None:
    assert len(CHECKS_BY_CODE) == len(CHECKS)


@every_check
def test_a_check_explains_itself(check: Check[Any, Any]) -> None:
    assert check.title
    assert check.summary.endswith(".")
    assert dataclasses.is_dataclass(check.thresholds)
    assert type(check.thresholds).__dataclass_params__.frozen
    for field in dataclasses.fields(check.thresholds):
        assert len(field.metadata.get("description", "")) > 20, f"{field.name} needs a reason"


@every_check
def test_a_policy_can_set_each_threshold_to_what_it_is(check: Check[Any, Any]) -> None:
    values = {
        field.name: plain(getattr(check.thresholds, field.name)) for field in dataclasses.fields(check.thresholds)
    }
    entry = {"thresholds": values} if values else {"enabled": True}
    policy = parse_policy(json.dumps({"version": 1, "checks": {check.code: entry}}))  # JSON is YAML
    assert policy.effective(check).thresholds == check.thresholds


def test_every_check_has_a_test() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CHECK_TESTS.rglob("test_*.py"))
    untested = [check.code for check in CHECKS if not re.search(rf"\b{module_of(check)}\b|\b{check.code}\b", text)]
    assert not untested


def test_every_kind_has_its_place_in_the_catalogue() -> None:
    listed = [kind for kinds in FAMILIES.values() for kind in kinds]
    assert len(listed) == len(set(listed))
    assert {check.kind for check in CHECKS} <= set(listed)


# --- runbooks


@every_check
def test_a_check_has_a_runbook(check: Check[Any, Any]) -> None:
    path = RUNBOOKS / f"{check.code}.md"
    assert path.exists(), f"write {path.relative_to(ROOT)}"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {check.code}")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "kubectl " in text


def test_every_runbook_belongs_to_a_check_or_an_alert() -> None:
    of_alerts = {runbook_of(rule) for rule in alert_rules()}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} <= CHECKS_BY_CODE.keys() | HEALING_RUNBOOKS | of_alerts


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_links_into_documents_lead_to_a_heading(path: Path) -> None:
    lost = []
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")):
        there = path.parent / target if target else path
        if "://" not in target and anchor not in anchors(there):
            lost.append(f"{target}#{anchor}")
    assert lost == []


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- actions and guards


def test_every_file_of_an_action_is_in_the_list() -> None:
    defined = set()
    for path in HEALING.glob("actions/*/*.py"):
        for code in re.findall(
            r'^    code: ClassVar\[str\] = "([a-z-]+)"', path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            defined.add(code)
    assert defined == set(ACTIONS_BY_CODE)


def test_codes_of_actions_and_guards_are_unique() -> None:
    assert len(ACTIONS_BY_CODE) == len(ACTIONS)
    assert len(GUARDS_BY_CODE) == len(GUARDS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.code)
def test_an_action_explains_itself(action: Any) -> None:
    assert action.title
    assert action.expects
    assert action.kinds
    assert action.permissions
    assert all(len(meaning) > 20 for meaning in action.parameters.values())


def test_every_action_and_guard_has_a_test() -> None:
    paths = [*ROOT.glob("tests/unit/auto_healing/**/test_*.py"), *ROOT.glob("tests/integration/auto_healing/test_*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    names = {**ACTIONS_BY_CODE, **GUARDS_BY_CODE}
    untested = [code for code, each in names.items() if not re.search(rf"\b({code}|{type(each).__name__})\b", text)]
    assert untested == []


def test_ladders_name_what_is_no_cleanup() -> None:
    assert {code for code in ACTIONS_BY_CODE if not code.startswith("clean-")} == set(LADDER_ACTIONS)


def test_nobody_is_healed_unasked() -> None:
    assert Scope().opt_in


# --- generated documents


@pytest.mark.parametrize("name", ALL_DOCUMENTS)
def test_a_generated_document_is_up_to_date(name: str) -> None:
    current = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert current == ALL_DOCUMENTS[name](), "run `make docs`"


# --- metrics


def metric_names() -> tuple[set[str], list[re.Pattern[str]]]:
    """Words in the code that can name a metric, with or without the service's prefix; f-strings as patterns."""
    words: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words.add(without_service(node.value))
                elif isinstance(node, ast.JoinedStr) and (pattern := as_pattern(node)):
                    patterns.append(pattern)
    return words, patterns


def without_service(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def as_pattern(text: ast.JoinedStr) -> re.Pattern[str] | None:
    """Of `f"{sort}_score"`; None where nothing fixed that looks like a name is in it."""
    parts = [part.value if isinstance(part, ast.Constant) else None for part in text.values]
    fixed = "".join(str(part) for part in parts if part is not None)
    if not re.fullmatch(r"_[a-z_]{3,}", fixed):
        return None
    return re.compile("".join("[a-z]+" if part is None else str(part) for part in parts))


def test_metrics_that_are_told_to_users_exist() -> None:
    words, patterns = metric_names()
    told = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.*"), ROOT / "README.md"]
    unknown = set()
    for path in told:
        if not path.is_file() or path.suffix not in {".md", ".json", ".yaml", ".yml", ".tpl"}:
            continue
        text = path.read_text(encoding="utf-8")
        for service, name in re.findall(rf"\b({'|'.join(PREFIXES)})([a-z_]+[a-z])\b", text):
            if service + name in FreshViewSettings.model_fields:
                continue
            base = re.sub(r"_(total|bucket|sum|count)$", "", name)
            if not {name, base} & words and not any(pattern.fullmatch(base) for pattern in patterns):
                unknown.add((str(path.relative_to(ROOT)), f"{service}{name}"))
    assert not unknown


# --- alert rules

RUNBOOK_BASE = '{{ or $externalLabels.runbooks "docs/runbooks" }}/'
BY_CODE = "{{ $labels.code }}"  # the code of a check, each of which has a runbook
every_alert_rule = pytest.mark.parametrize("rule", alert_rules(), ids=title)


def runbook_of(rule: Rule) -> str:
    url: str = rule["annotations"]["runbook_url"]
    assert url.startswith(RUNBOOK_BASE), "the address at which runbooks are published is the user's"
    return url.removeprefix(RUNBOOK_BASE).removesuffix(".md")


@every_alert_rule
def test_an_alert_rule_explains_itself(rule: Rule) -> None:
    assert "for" in rule
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert rule["labels"]["component"]
    assert "{{" not in rule["annotations"]["summary"], "a summary groups, so it does not change"
    assert len(rule["annotations"]["description"]) > 40


@every_alert_rule
def test_an_alert_rule_has_a_runbook(rule: Rule) -> None:
    runbook = runbook_of(rule)
    if runbook == BY_CODE:
        return
    path = RUNBOOKS / f"{runbook}.md"
    assert path.exists(), f"write {path.relative_to(ROOT)}"
    if runbook not in HEALING_RUNBOOKS:
        assert re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) == SECTIONS
    assert f"`{rule['alert']}`" in path.read_text(encoding="utf-8"), "a runbook speaks of each alert that leads to it"


def test_every_metric_of_a_rule_is_told_by_somebody() -> None:
    rules = [rule for path in RULES.glob("*.yaml") for rule in rules_of(path)]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    exported = frozenset().union(*EXPORTED.values())
    asked = {name for rule in rules for name in metrics_in(rule["expr"])}
    own = {name for name in asked if name.startswith(PREFIXES)}  # these are looked for in the code, above
    assert asked - own - recorded == exported, "each exporter's list holds what is asked for, and no more"
    assert own


def metrics_in(expression: str) -> set[str]:
    """Names that are followed by no call, without texts, selectors' insides and lists of labels."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", re.sub(r'"[^"]*"', "", expression))
    bare = re.sub(r"\b(by|on|ignoring|group_left|group_right|without)\s*\([^)]*\)", " ", bare)
    words = set(re.findall(r"(?<![\w:])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", bare))
    return words - {"and", "or", "unless", "sum", "max", "min", "avg", "count", "topk", "bool", "offset"}


# --- what decides


def test_what_calls_itself_pure_in_alert_service_is_held_to_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = {module for each in contracts if each["type"] == "forbidden" for module in each["source_modules"]}
    source = ROOT / "services/alert_service/src"
    pure = {
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in source.rglob("*.py")
        if re.search(r"\bPure\b", ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    }
    assert pure
    assert pure - held == set()
