"""The shipped rules, by promtool: well formed, and each tried: it fires, it does not, and where it begins."""

import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support.alert_rules import PROMETHEUS, RULES, TESTS, Rule, alert_rules, rules_of, title

from devcluster import binaries

KINDS = ("fires", "does not fire", "boundary")
ALWAYS = "Watchdog"  # there is nothing in which it does not fire
BY_TITLE = {title(rule): rule for rule in alert_rules()}
TEST_NAMES = [test["name"] for path in TESTS.glob("*.yaml") for test in yaml.safe_load(path.read_text())["tests"]]
every_rule = pytest.mark.parametrize("rule", BY_TITLE.values(), ids=list(BY_TITLE))


def promtool(*arguments: str | Path) -> str:
    """What it says. Fails with that when it finds anything wrong."""
    command = [str(each) for each in (binaries.ensure("prometheus")["promtool"], *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_well_formed() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yaml")))


def test_the_configuration_of_prometheus_is_well_formed() -> None:
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yaml")


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_rules_fire_when_they_should_and_only_then(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


@every_rule
@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_is_tried(rule: Rule, kind: str) -> None:
    if (rule["alert"], kind) != (ALWAYS, "does not fire"):
        assert [name for name in TEST_NAMES if name.startswith(f"{title(rule)} {kind}: ")]


def test_every_test_is_of_a_rule() -> None:
    assert [name for name in TEST_NAMES if name.partition(")")[0] + ")" not in BY_TITLE] == []


def test_every_file_of_rules_has_its_tests() -> None:
    with_alerts = {path.name for path in RULES.glob("*.yaml") if any("alert" in rule for rule in rules_of(path))}
    assert with_alerts == {path.name for path in TESTS.glob("*.yaml")}
