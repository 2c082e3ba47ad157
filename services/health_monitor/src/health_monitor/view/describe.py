"""Puts what is known of one object, of one finding or of the cluster into the shapes of the API."""

from collections import Counter
from dataclasses import fields
from datetime import datetime
from typing import Any

from common.cluster.rows import NodeRow, PodRow, Row, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey, ObjectRef, Severity
from common.contracts.objects import CLUSTER
from health_monitor.api.shapes import (
    ClusterView,
    Detail,
    FindingView,
    NodeSummary,
    PodSummary,
    SourceView,
    Summary,
    WorkloadSummary,
)
from health_monitor.checks import CHECKS_BY_CODE
from health_monitor.engine.engine import Engine, OpenFinding
from health_monitor.view.walks import Collection

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")
_FINDING_FIELDS = tuple(field.name for field in fields(Finding))


class Describe:
    """Descriptions of one cluster's objects. `runbook` is a pattern with `{code}` in it."""

    def __init__(self, engine: Engine, snapshot: ClusterSnapshot, runbook: str) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._runbook = runbook

    def summary(self, collection: Collection, key: ObjectKey) -> Summary | None:
        """The object as a member of the collection; None when there is no such object."""
        if not self._engine.knows(key):
            return None
        row = self._snapshot.find(key)
        findings = [opened.finding for opened in self._engine.findings(key)]
        common: dict[str, Any] = {
            "object": self.ref(key),
            "score": self._engine.value(key),
            "confidence": self._engine.confidence(key),
            "severity": max((each.severity for each in findings), key=lambda each: each.rank, default=None),
            "findings": len(findings),
            "codes": tuple(sorted({each.code for each in findings})),
        }
        if collection is Collection.WORKLOADS:
            replicas = (row.replicas, row.ready_replicas) if isinstance(row, WorkloadRow) else (None, None)
            return WorkloadSummary(**common, replicas=replicas[0], ready_replicas=replicas[1])
        return self._with_facts(row, common)

    def _with_facts(self, row: Row | None, common: dict[str, Any]) -> Summary:
        """What a list of this kind shows beside the health."""
        match row:
            case NodeRow():
                pods = self._snapshot.requested_on(row.name).pods
                return NodeSummary(
                    **common, zone=row.zone, ready=row.ready, schedulable=not row.unschedulable, pods=pods
                )
            case PodRow():
                owner = self._snapshot.top_owner(row)
                ref = owner.ref() if owner != row.key else None
                return PodSummary(**common, phase=row.phase, ready=row.ready, node=row.node, owner=ref)
            case _:
                return Summary(**common)

    def detail(self, key: ObjectKey) -> Detail | None:
        """One object without its timeline; None when there is no such object."""
        score = self._engine.score(key)
        if score is None:
            return None
        row = self._snapshot.find(key)
        return Detail(
            object=self.ref(key),
            created_at=row.created_at if row is not None else None,
            labels=row.labels if row is not None else {},
            score=score,
            findings=tuple(map(self.finding, self._engine.findings(key))),
            owners=tuple(owner.ref() for owner in self._snapshot.owners(row)) if row is not None else (),
        )

    def ref(self, key: ObjectKey) -> ObjectRef:
        row = self._snapshot.find(key)
        return key.ref("" if row is None else row.uid)

    def finding(self, opened: OpenFinding) -> FindingView:
        finding = opened.finding
        check = CHECKS_BY_CODE.get(finding.code)
        return FindingView(
            **{name: getattr(finding, name) for name in _FINDING_FIELDS},
            title=check.title if check is not None else finding.code,
            runbook=self.runbook(finding.code),
            opened_at=opened.opened_at,
            changed_at=opened.changed_at,
            flapping=opened.flapping,
            muted_until=opened.muted_until,
        )

    def runbook(self, code: str) -> str:
        return self._runbook.replace("{code}", code)

    def cluster(self, name: str, now: datetime) -> ClusterView:
        """The cluster at a glance; cheap, whatever its size."""
        score = self._engine.score(CLUSTER_KEY)
        if score is None:
            raise LookupError("the cluster itself is scored from the start")
        return ClusterView(
            name=name,
            server_version=self._snapshot.server_version,
            score=score,
            findings=self._findings_by_severity(),
            own_findings=tuple(map(self.finding, self._engine.findings(CLUSTER_KEY))),
            objects=self.objects_by_kind(),
            sources=tuple(
                SourceView(kind=each.kind, state=each.state, reason=each.reason, heard_at=each.heard_at)
                for each in self._snapshot.sources.values()
            ),
            at=now,
        )

    def objects_by_kind(self) -> dict[str, int]:
        return {
            "zones": len(self._engine.zones()),
            "nodes": len(self._snapshot.rows(NodeRow)),
            "namespaces": len(self._engine.namespaces()),
            "workloads": len(self._engine.workloads()),
            "pods": len(self._snapshot.rows(PodRow)),
        }

    def _findings_by_severity(self) -> dict[Severity, int]:
        counts: Counter[Severity] = Counter()
        for (_, severity), count in self._engine.counts().items():
            counts[severity] += count
        return {severity: counts[severity] for severity in sorted(Severity, key=lambda each: -each.rank)}
