"""What a PromQL expression selects, as Prometheus itself parses it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from tests.support.alert_rules import RULES, rules_of

from devcluster.monitoring import Prometheus

Node = dict[str, Any]
_PARTS = ("expr", "lhs", "rhs", "param")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric, the labels by which it is chosen, and those by which the aggregation around it groups."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    grouped_by: tuple[str, ...] = ()

    @property
    def labels(self) -> set[str]:
        """That the metric has to have for the selection to mean anything."""
        return {name for name, _, _ in self.matchers} | set(self.grouped_by)

    def with_its_labels(self) -> str:
        """A query for series of the metric that have them all."""
        chosen = ", ".join(f'{label}!=""' for label in sorted(self.labels))
        return f"{self.name}{{{chosen}}}"


def shipped(prometheus: Prometheus) -> set[Selector]:
    """What the shipped rules select."""
    rules = [rule for path in RULES.glob("*.yaml") for rule in rules_of(path)]
    return {each for rule in rules for each in selectors(prometheus, rule["expr"])}


def ask(prometheus: Prometheus, query: str) -> list[dict[str, str]]:
    """The labels of what a query finds."""
    answer = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": query}, timeout=30)
    answer.raise_for_status()
    return [each["metric"] for each in answer.json()["data"]["result"]]


def selectors(prometheus: Prometheus, expression: str) -> list[Selector]:
    answer = httpx.get(f"{prometheus.url}/api/v1/parse_query", params={"query": expression})
    answer.raise_for_status()
    return list(_selectors(answer.json()["data"], ()))


def _selectors(node: Node, grouped_by: tuple[str, ...]) -> Iterator[Selector]:
    if node["type"] in ("vectorSelector", "matrixSelector"):
        matchers = [(each["name"], each["type"], each["value"]) for each in node["matchers"]]
        yield Selector(node["name"], tuple(each for each in matchers if each[0] != "__name__"), grouped_by)
    if node["type"] == "aggregation" and not node["without"]:
        grouped_by = tuple(node["grouping"])
    for part in [*(node.get(name) for name in _PARTS), *node.get("args", ())]:
        if isinstance(part, dict):
            yield from _selectors(part, grouped_by)
