"""A real Prometheus takes the shipped rules as they are and evaluates each without an error."""

from typing import Any

import httpx
from tests.support.alert_rules import RULES, alert_rules
from tests.support.exported_metrics import LABELS
from tests.support.monitoring import RunPrometheus, scraping
from tests.support.promql import shipped

from devcluster.api import wait_for


def test_prometheus_evaluates_every_rule(run_prometheus: RunPrometheus) -> None:
    files = {f"rules/{path.name}": path.read_text(encoding="utf-8") for path in RULES.glob("*.yaml")}
    prometheus = run_prometheus(scraping({}, [], ["rules/*.yaml"]), files=files)

    def evaluated() -> list[dict[str, Any]]:
        groups = httpx.get(f"{prometheus.url}/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else []

    rules = wait_for("the first evaluation of every rule", evaluated)
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    alerting = {rule["name"]: rule for rule in rules if rule["type"] == "alerting"}
    assert alerting.keys() == {rule["alert"] for rule in alert_rules()}
    assert alerting["Watchdog"]["state"] == "firing"
    assert alerting["ServiceDown"]["state"] == "pending"  # nothing is scraped here


def test_rules_ask_for_labels_that_are_told(run_prometheus: RunPrometheus) -> None:
    prometheus = run_prometheus(scraping({}, [], []))
    told = {name: labels for metrics in LABELS.values() for name, labels in metrics.items()}
    asked = [each for each in shipped(prometheus) if each.name in told]
    assert {each.name for each in asked} == told.keys()
    assert [each for each in asked if not each.labels <= told[each.name]] == []
