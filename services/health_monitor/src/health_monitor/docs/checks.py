"""docs/checks.md: the catalogue, and how to change it."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from common.docs.notice import GENERATED
from health_monitor.catalogue import ThresholdEntry, thresholds
from health_monitor.checks import CHECKS
from health_monitor.checks.check import Check

FAMILIES: Mapping[str, frozenset[str]] = {
    "Cluster and zones": frozenset({"Cluster", "Zone"}),
    "Nodes": frozenset({"Node"}),
    "Pods": frozenset({"Pod"}),
    "Workloads": frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}),
    "What workloads rest on": frozenset(
        {
            "HorizontalPodAutoscaler",
            "PodDisruptionBudget",
            "PersistentVolumeClaim",
            "PersistentVolume",
            "Service",
        }
    ),
}

INTRODUCTION = """\
# What is looked for

Every check below looks at one kind of object, whenever it or something that it rests on changes. What it sees becomes a
finding once it has held for as long as its thresholds say; a finding takes points from the object's score, by its
severity. Each number has its reason beside it, and can be changed.

## Change it

Name a policy file in `HEALTH_MONITOR_POLICY__FILE`. It is read again whenever it changes; one with mistakes changes
nothing, and its mistakes are told in the log, by a metric and by `/readyz`. [policy.schema.json](policy.schema.json)
lets an editor complete and check it:

```yaml
# yaml-language-server: $schema=policy.schema.json
version: 1
checks:                             # for all objects
  node-cpu-high:
    thresholds: {ratio: 0.95, after: 30m}
  pod-no-requests: {enabled: false}
rules:                              # for some; applied in their order, a later one wins
  - namespaces: [dev-*, sandbox]    # left out, it matches all; so do labels and kinds
    checks:
      deployment-unavailable: {severity: info}
  - labels: {tier: batch}
    checks:
      pod-restarts: {weight: 5}     # points that it takes, instead of its severity's
```

Durations are whole numbers with units: `90s`, `5m`, `1h30m`, `2d`.

## Mute it

An object can ask for silence itself, to the end of a day (UTC), to an instant, or without end. A muted finding stays
visible, takes no points and is not told.

```sh
kubectl annotate pod checkout-0 k8s-health-checker/mute='pod-restarts=2026-12-31, pod-no-requests'
```
"""


def checks_document() -> str:
    parts = [GENERATED, "", INTRODUCTION]
    for family, kinds in FAMILIES.items():
        members = [check for check in CHECKS if check.kind in kinds]
        parts += [f"## {family}", "", *_overview(members), ""]
        for check in members:
            parts += [*_check(check), ""]
    return "\n".join(parts).rstrip() + "\n"


def _overview(checks: Iterable[Check[object, object]]) -> Iterator[str]:
    yield "| Code | What | Severity |"
    yield "|---|---|---|"
    for check in checks:
        yield f"| [{check.code}](#{check.code}) | {check.title} | {check.severity} |"


def _check(check: Check[object, object]) -> Iterator[str]:
    yield f"### {check.code}"
    yield ""
    yield f"**{check.title}.** {check.summary}"
    yield ""
    points = "" if check.weight is None else f", takes {check.weight:g} points"
    yield f"Kind {check.kind}, {check.severity}{points}. [Runbook](runbooks/{check.code}.md)"
    numbers = thresholds(check, check.thresholds)
    if numbers:
        yield ""
        yield "| Threshold | Default | Why |"
        yield "|---|---|---|"
    for number in numbers:
        yield _threshold(number)


def _threshold(number: ThresholdEntry) -> str:
    return f"| `{number.name}` | {_cell(number.default)} | {number.description.replace('|', chr(92) + '|')} |"


def _cell(value: JsonValue) -> str:
    if isinstance(value, list):
        return "<br>".join(f"`{item}`" for item in value)
    if isinstance(value, dict):
        return "<br>".join(f"`{key}`: {_words(item)}" for key, item in value.items())
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _words(value: JsonValue) -> str:
    return ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, dict) else str(value)
