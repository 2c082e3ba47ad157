"""Runs checks the way their tables ask: what is told of this object, here and now?"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.support.clock import NOON
from tests.support.rows import a_snapshot

from common.cluster.rows import Row
from common.cluster.snapshot import ClusterSnapshot
from health_monitor.checks.check import Check, Symptom

NO_CHANGES: Mapping[str, Any] = {}


def seen(
    check: Check[Any, Any],
    row: Row,
    snapshot: ClusterSnapshot | None = None,
    *,
    now: datetime = NOON,
    thresholds: Mapping[str, Any] = NO_CHANGES,
) -> list[Symptom]:
    """All symptoms, due or not. Without a snapshot the object is alone in its cluster."""
    set_to = replace(check.thresholds, **thresholds) if thresholds else check.thresholds
    return list(check.run(row, snapshot or a_snapshot(row), set_to, now))


def told(
    checks: Iterable[Check[Any, Any]], row: Row, snapshot: ClusterSnapshot | None = None, *, now: datetime = NOON
) -> list[str]:
    """Codes of the symptoms that have held for long enough, sorted. One without a start counts as having done so."""
    return sorted(
        check.code
        for check in checks
        for symptom in seen(check, row, snapshot, now=now)
        if symptom.since is None or symptom.since + symptom.after <= now
    )
