"""The shipped rules and their promtool tests, read from their files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "rules"
TESTS = PROMETHEUS / "tests"
ALERTMANAGER = ROOT / "deploy/alertmanager/alertmanager.yaml"

Rule = dict[str, Any]


def rules_of(path: Path) -> Iterator[Rule]:
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def alert_rules() -> list[Rule]:
    return [rule for path in sorted(RULES.glob("*.yaml")) for rule in rules_of(path) if "alert" in rule]


def title(rule: Rule) -> str:
    """What its tests are named by: an alert may have a rule for each severity, and for each pair of windows."""
    labels = rule["labels"]
    return f"{rule['alert']} ({', '.join(labels[name] for name in ('severity', 'long') if name in labels)})"
