"""The shipped rules, by promtool: well formed, and each tried: it fires, it does not, and where it begins."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.alert_rules import PROMETHEUS, RULES, TESTS, Rule, alert_rules, rules_of, title

from devcluster import binaries

Trial = dict[str, Any]
Labels = dict[str, str]
MEANT = {"fires": {True}, "does not fire": {False}, "boundary": {True, False}}  # "fires" may tell its end, too
ALWAYS = "Watchdog"  # there is nothing in which it does not fire
BY_TITLE = {title(rule): rule for rule in alert_rules()}
TRIALS = [test for path in sorted(TESTS.glob("*.yaml")) for test in yaml.safe_load(path.read_text())["tests"]]
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


def expected(trial: Trial) -> list[bool]:
    """Whether the alert is expected to fire, at each moment at which it is asked."""
    alerts = [bool(each["exp_alerts"]) for each in trial.get("alert_rule_test", [])]
    return alerts + [bool(each["exp_samples"]) for each in trial.get("promql_expr_test", [])]


def tried(rule: Rule, kind: str, trials: list[Trial]) -> bool:
    """Whether there are trials of this kind by their names, and by what they expect."""
    found = [expected(each) for each in trials if each["name"].startswith(f"{title(rule)} {kind}: ")]
    moments = {each for trial in found for each in trial}
    return all(map(any, found)) and True in moments if kind == "fires" else moments == MEANT[kind]


@every_rule
@pytest.mark.parametrize("kind", MEANT)
def test_every_rule_is_tried(rule: Rule, kind: str) -> None:
    assert tried(rule, kind, TRIALS) or (rule["alert"], kind) in {(ALWAYS, "does not fire"), (ALWAYS, "boundary")}


def test_a_trial_that_is_missing_or_expects_something_else_is_noticed() -> None:
    rule = BY_TITLE["NodeNotReady (warning)"]
    fires = [each for each in TRIALS if each["name"].startswith("NodeNotReady (warning) fires: ")]
    assert tried(rule, "fires", fires)
    assert not tried(rule, "boundary", fires)
    hollow = [each | {"alert_rule_test": [], "promql_expr_test": []} for each in fires]
    assert not tried(rule, "fires", hollow)


def told(trial: Trial) -> list[str]:
    return [text for each in alerts_of(trial) for text in each["exp_annotations"].values()]


def alerts_of(trial: Trial) -> list[dict[str, Labels]]:
    return [alert for each in trial.get("alert_rule_test", []) for alert in each["exp_alerts"]]


@every_rule
def test_every_rule_says_whole_sentences(rule: Rule) -> None:
    texts = [text for trial in TRIALS if trial["name"].startswith(f"{title(rule)} fires: ") for text in told(trial)]
    assert len(texts) >= 3, "a trial expects what people read: summary, description, runbook_url"
    assert [text for text in texts if re.search(r"  |<no value>| [.,:]|\(\)|(?<![-\w.])1 [a-z]+s\b|{{", text)] == []


def test_every_trial_is_of_a_rule() -> None:
    assert [each["name"] for each in TRIALS if each["name"].partition(")")[0] + ")" not in BY_TITLE] == []


def test_every_file_of_rules_has_its_tests() -> None:
    with_alerts = {path.name for path in RULES.glob("*.yaml") if any("alert" in rule for rule in rules_of(path))}
    assert with_alerts == {path.name for path in TESTS.glob("*.yaml")}
