"""Findings, and workloads that are spread over nodes, for tests of attribution and of deciding."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.support.clock import NOON
from tests.support.rows import a_deployment, a_node, a_pod, a_replica_set, a_status, owned_by

from common.cluster.rows import PodRow, Row
from common.contracts import Finding, ObjectKey, Severity

LONG_AGO = NOON - timedelta(minutes=30)
SEVERITIES = {
    "pod-crash-loop": Severity.CRITICAL,
    "node-not-ready": Severity.CRITICAL,
    "pod-no-requests": Severity.INFO,
}


def a_finding(about: Row | ObjectKey, code: str = "pod-crash-loop", **overrides: Any) -> Finding:
    """Half an hour old, of a warning unless the code is known to be something else."""
    ref = about.key.ref(about.uid) if isinstance(about, Row) else about.ref()
    usual = {
        "code": code,
        "object": ref,
        "severity": SEVERITIES.get(code, Severity.WARNING),
        "message": f"{code} of {ref.name}",
        "since": LONG_AGO,
        "evidence": {"restarts": 9} if code == "pod-crash-loop" else {},
    }
    return Finding(**(usual | overrides))


def nodes(*names: str, **overrides: Any) -> list[Row]:
    return [a_node(name, **overrides) for name in names]


def crashing(**overrides: Any) -> dict[str, Any]:
    """What a pod in a crash loop has."""
    status = a_status(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=9)
    return {"ready": False, "ready_changed_at": LONG_AGO, "statuses": (status,)} | overrides


def a_workload(
    name: str,
    on: Sequence[str],
    *,
    failing: Iterable[str] = (),
    revision: str = "7d4b9c",
    number: int = 1,
    since: datetime = NOON - timedelta(days=1),
    **overrides: Any,
) -> list[Row]:
    """A Deployment, its ReplicaSet and a pod on each node of `on`; those on `failing` are in a crash loop."""
    failing = set(failing)
    deployment = a_deployment(name, replicas=len(on), revision=str(number), uid=f"deployment-{name}", **overrides)
    return [deployment, *a_revision(deployment, on, failing=failing, revision=revision, number=number, since=since)]


def a_revision(
    deployment: Row,
    on: Sequence[str],
    *,
    failing: Iterable[str] = (),
    revision: str,
    number: int,
    since: datetime = NOON - timedelta(days=1),
) -> list[Row]:
    """One more ReplicaSet of the Deployment, made at `since`, and its pods."""
    failing = set(failing)
    name = f"{deployment.name}-{revision}"
    replica_set = a_replica_set(
        name, replicas=len(on), revision=str(number), owner=owned_by(deployment), created_at=since
    )
    labels = {"app": deployment.name, "pod-template-hash": revision}
    pods = [
        a_pod(
            f"{name}-{node}",
            node=node,
            labels=labels,
            owner=owned_by(replica_set),
            created_at=since,
            **(crashing() if node in failing else {}),
        )
        for node in on
    ]
    return [replica_set, *pods]


def crash_loops(rows: Iterable[Row], **overrides: Any) -> list[Finding]:
    """A finding of each pod that is not ready."""
    return [a_finding(row, **overrides) for row in rows if isinstance(row, PodRow) and not row.ready]
