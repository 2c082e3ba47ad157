"""The catalogue of checks with what holds for them under a policy. Pure; for the API, the command line and the docs."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, JsonValue

from common.contracts import Severity
from common.policy.shape import format_duration
from health_monitor.checks import CHECKS
from health_monitor.checks.check import Check
from health_monitor.policy import Effective, Policy

RUNBOOK = "docs/runbooks/{code}.md"  # in this repository, unless the settings say where the runbooks are published


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdEntry:
    """One number that decides, as it is written in a policy file."""

    name: str
    value: JsonValue
    default: JsonValue
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One check, and what holds for it."""

    code: str
    title: str
    kind: Annotated[str, Field(description="Of the objects that it looks at; also Cluster and Zone")]
    summary: str
    severity: Annotated[Severity, Field(description="Unless the finding says otherwise")]
    enabled: bool
    weight: Annotated[float | None, Field(description="Points that a finding takes; null: as the severity says")]
    thresholds: tuple[ThresholdEntry, ...]
    reads: Annotated[tuple[str, ...], Field(description="Other kinds that its answer rests on")]
    runbook: str


def catalogue(policy: Policy, *, runbook: str, namespace: str = "") -> tuple[CatalogueEntry, ...]:
    """All checks in their order. Rules of the policy that select by labels show on one object, not here."""
    return tuple(entry(check, policy.effective(check, namespace), runbook=runbook) for check in CHECKS)


def entry(check: Check[Any, Any], effective: Effective, *, runbook: str) -> CatalogueEntry:
    return CatalogueEntry(
        code=check.code,
        title=check.title,
        kind=check.kind,
        summary=check.summary,
        severity=effective.severity or check.severity,
        enabled=effective.enabled,
        weight=effective.weight,
        thresholds=thresholds(check, effective.thresholds),
        reads=tuple(sorted(check.reads)),
        runbook=runbook.replace("{code}", check.code),
    )


def thresholds(check: Check[Any, Any], values: Any) -> tuple[ThresholdEntry, ...]:
    """The values that hold, beside the check's own."""
    return tuple(
        ThresholdEntry(
            name=each.name,
            value=plain(getattr(values, each.name)),
            default=plain(getattr(check.thresholds, each.name)),
            description=str(each.metadata.get("description", "")),
        )
        for each in dataclasses.fields(check.thresholds)
    )


def plain(value: Any) -> JsonValue:
    """A value of a threshold as a policy file has it: durations such as "5m"."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple | frozenset | list):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
