"""Looks at a listed cluster once and says what it saw. Pure: the cluster is a value, and so is the time."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.catalogue import RUNBOOK
from health_monitor.checks import CHECKS_BY_CODE
from health_monitor.engine.engine import Engine, OpenFinding
from health_monitor.policy import DEFAULT_POLICY, Policy
from health_monitor.scan.report import Report, Reported, ScoredObject


class NamespaceUnknown(Exception):
    """The namespace to be looked at does not exist, or nothing in it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be looked at. `severity`: findings below it count in the score but are not shown."""

    cluster: str
    namespace: str = ""
    severity: Severity = Severity.INFO
    fail_under: float | None = None
    policy: Policy = DEFAULT_POLICY
    runbook: str = RUNBOOK


def survey(snapshot: ClusterSnapshot, options: Options, now: datetime, seconds: float) -> Report:
    """Raises NamespaceUnknown. `seconds` is how long the whole scan took, for the report."""
    engine = Engine(snapshot, options.policy, single_look=True)
    engine.start()
    engine.work(now)
    subject = ObjectKey("Namespace", "", options.namespace) if options.namespace else ObjectKey(CLUSTER, "", "")
    score = engine.score(subject)
    if score is None:
        raise NamespaceUnknown(f"there is no namespace {options.namespace!r} in {options.cluster}")
    opened = [each for each in engine.all_findings() if each.muted_until is None and _concerns(each, options)]
    return Report(
        cluster=options.cluster,
        server_version=snapshot.server_version,
        namespace=options.namespace,
        taken_at=now,
        seconds=seconds,
        score=score,
        fail_under=options.fail_under,
        objects=_objects(engine, snapshot, options.namespace),
        zones=() if options.namespace else _scored(engine, engine.zones(), _by_zone(opened, snapshot)),
        namespaces=() if options.namespace else _scored(engine, engine.namespaces(), _by_namespace(opened)),
        findings=tuple(_reported(each, engine, snapshot, options) for each in sorted(opened, key=_reading_order)),
        not_seen=tuple(each for each in snapshot.sources.values() if each.state is not SourceState.SYNCED),
    )


def _concerns(opened: OpenFinding, options: Options) -> bool:
    finding = opened.finding
    key = finding.object.key
    here = not options.namespace or options.namespace == (key.name if key.kind == "Namespace" else key.namespace)
    return here and finding.severity.rank >= options.severity.rank


def _reading_order(opened: OpenFinding) -> tuple[int, str, ObjectKey, str]:
    finding = opened.finding
    return (-finding.severity.rank, finding.code, finding.object.key, finding.part)


def _reported(opened: OpenFinding, engine: Engine, snapshot: ClusterSnapshot, options: Options) -> Reported:
    finding = opened.finding
    check = CHECKS_BY_CODE.get(finding.code)
    row = snapshot.find(finding.object.key)
    return Reported(
        finding=finding,
        title=check.title if check is not None else finding.code,
        runbook=options.runbook.replace("{code}", finding.code),
        owner=snapshot.top_owner(row).ref() if row is not None else finding.object,
        score=engine.value(finding.object.key),
    )


def _objects(engine: Engine, snapshot: ClusterSnapshot, namespace: str) -> dict[str, int]:
    if namespace:
        workloads = sum(key.namespace == namespace for key in engine.workloads())
        return {"pods": len(snapshot.pods_in(namespace)), "workloads": workloads}
    return {
        "nodes": len(snapshot.rows(NodeRow)),
        "pods": len(snapshot.rows(PodRow)),
        "workloads": len(engine.workloads()),
        "namespaces": len(engine.namespaces()),
    }


def _scored(engine: Engine, keys: Collection[ObjectKey], findings: Counter[str]) -> tuple[ScoredObject, ...]:
    """The worst first."""
    scored = (ScoredObject(object=key.ref(), score=engine.value(key), findings=findings[key.name]) for key in keys)
    return tuple(sorted(scored, key=lambda each: (each.score, each.object.name)))


def _by_namespace(opened: Collection[OpenFinding]) -> Counter[str]:
    keys = (each.finding.object.key for each in opened)
    return Counter(key.name if key.kind == "Namespace" else key.namespace for key in keys)


def _by_zone(opened: Collection[OpenFinding], snapshot: ClusterSnapshot) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in opened:
        key = each.finding.object.key
        if key.kind == "Zone":
            counts[key.name] += 1
        elif key.kind == "Node" and (node := snapshot.node(key.name)) is not None:
            counts[node.zone] += 1
    return counts
