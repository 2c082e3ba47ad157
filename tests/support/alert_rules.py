"""The shipped rules and their promtool tests, read from their files."""

import re
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


def in_a_hurry(window: str = "") -> dict[str, str]:
    """The shipped rules by file name, of which each fires at once: nobody waits a quarter of an hour for a test.

    With a ``window`` ("20s"), what they look back on is as short: else they do not fall silent for minutes.
    """
    found = {}
    for path in sorted(RULES.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in content["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                if "alert" in rule:
                    rule.pop("for", None)
                    rule.pop("keep_firing_for", None)
                if window:
                    rule["expr"] = re.sub(r"\[\d+m\]", f"[{window}]", rule["expr"])
        found[path.name] = yaml.safe_dump(content)
    return found
