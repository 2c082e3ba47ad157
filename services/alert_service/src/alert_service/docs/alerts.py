"""docs/alerts.md: every alert that deploy/prometheus/rules can raise, and what is recorded for them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.docs.notice import GENERATED
from common.policy.document import load

_ROOT = Path(__file__).parents[5]  # of the repository
_RULES = _ROOT / "deploy/prometheus/rules"
_TITLES = {
    "general": "Whether alerts work",
    "nodes": "Nodes",
    "workloads": "Workloads",
    "storage": "Storage",
    "control-plane": "Control plane",
    "health": "Health",
    "services": "The services themselves",
}
_BASE = '{{ or $externalLabels.runbooks "docs/runbooks" }}/'

_INTRODUCTION = """\
# Alerts

What the rules in [deploy/prometheus/rules](../deploy/prometheus/rules) raise. Each rule has unit tests for promtool in
[deploy/prometheus/tests](../deploy/prometheus/tests): it fires, it does not fire, and where exactly it begins.

- **Severity**: `critical` wakes people, `warning` is for the same day, `info` is only worth knowing and held back while
  it is alone, `none` is plumbing.
- **Labels** for routes and escalations: `severity`, `component` (named below), and those of the object, such as
  `namespace`, `pod`, `node` or `deployment`; `cluster` comes from Prometheus' `external_labels`.
- **Runbooks** are those of this repository, `docs/runbooks/...`. Set the external label `runbooks` to the address at
  which you publish them, and cards link there; `deploy/prometheus/prometheus.yaml` takes the label off again.
- **One cluster each**: rules group by the object, not by `cluster`. Let the Prometheus of each cluster evaluate them; a
  ruler over several would take objects of the same name for one. Two Prometheus servers of one cluster raise the same
  alerts, which Alertmanager takes for one once the label `replica` is off: see `deploy/prometheus/prometheus.yaml`.
- **Exporters**: kube-state-metrics and the node exporter; several replicas count once. Take out `ExporterDown`,
  `ServiceDown` and the rules of what you do not run.
- **Try before you switch on**: `alert-service backtest NodeNotReady --rules deploy/prometheus/rules/*.yaml --since 30d`
  says how often an alert would have fired, how often at night, beside which others, and which `for` would do.
"""


def alert_catalogue() -> str:
    lines = [GENERATED, "", _INTRODUCTION]
    for name, title in _TITLES.items():
        lines += [f"## {title}", ""]
        for rule in _rules(name):
            lines += [*_alert(rule), ""]
    lines += ["## Recorded", "", "| Name | Expression |", "|---|---|"]
    for rule in _rules("recording"):
        expression = " ".join(rule["expr"].split()).replace("|", "\\|")
        lines.append(f"| `{rule['record']}` | `{expression}` |")
    return "\n".join(lines) + "\n"


def _rules(name: str) -> Iterator[Mapping[str, Any]]:
    document: Any = load((_RULES / f"{name}.yaml").read_text(encoding="utf-8"))
    for group in document["groups"]:
        yield from group["rules"]


def _alert(rule: Mapping[str, Any]) -> Iterator[str]:
    labels, annotations = rule["labels"], rule["annotations"]
    windows = f", over {labels['long']} and {labels['short']}" if "long" in labels else ""
    yield f"### {rule['alert']}: {labels['severity']}{windows}"
    yield ""
    begins = "At once" if rule["for"] == "0m" else f"After {rule['for']}"
    yield f"{annotations['summary']}. {begins}, component `{labels['component']}`. {_runbook(rule)}"
    yield ""
    yield f"> {annotations['description']}"
    yield ""
    yield "```promql"
    yield str(rule["expr"])
    yield "```"


def _runbook(rule: Mapping[str, Any]) -> str:
    file = rule["annotations"]["runbook_url"].removeprefix(_BASE)
    return "[Runbooks](checks.md), by the code of the check" if "{{" in file else f"[Runbook](runbooks/{file})"
