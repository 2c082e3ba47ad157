"""Builders of what guards look at: a step on a pod in trouble, allowed unless a test says otherwise."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.clock import NOON
from tests.support.rows import (
    NAMESPACE,
    a_condition,
    a_deployment,
    a_lease,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_status,
    owned_by,
)

from auto_healing.facts import Facts, Sight
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards.settings import GuardSettings
from auto_healing.history import PastRun
from auto_healing.plan import Decline, Displacement, Harm, Mode, Plan, Step
from auto_healing.run import RunState
from common.cluster.rows import DeploymentRow, NodeRow, PodRow, Row
from common.contracts import Finding, ObjectKey, ObjectRef, Severity

HOUR_AGO = NOON - timedelta(hours=1)
CHECKOUT = ObjectKey("Deployment", NAMESPACE, "checkout")


@dataclass(frozen=True)
class Told:
    """A history in any order: guards may not rely on one."""

    runs: tuple[PastRun, ...] = ()
    asked: tuple[PastRun, ...] = ()  # and left unanswered, or denied

    def active(self) -> Collection[PastRun]:
        return [run for run in self.runs if not run.state.ended]

    def of_target(self, target: ObjectKey) -> Collection[PastRun]:
        return [run for run in self.runs if run.target == target]

    def of_owner(self, owner: ObjectKey) -> Collection[PastRun]:
        return [run for run in self.runs if run.owner == owner]

    def in_namespace(self, namespace: str) -> Collection[PastRun]:
        return [run for run in self.runs if run.namespace == namespace]

    def unanswered(self, target: ObjectKey) -> Collection[PastRun]:
        return [run for run in self.asked if run.target == target]

    def since(self, at: datetime) -> Collection[PastRun]:
        return [run for run in self.runs if run.started_at >= at]


def a_settings(**groups: dict[str, Any]) -> GuardSettings:
    """As a policy file would say: `a_settings(grace={"default": "1m"})`."""
    return GuardSettings.model_validate(groups)


def a_looping_pod(name: str = "checkout-7d4b9c-x2x9z", **overrides: Any) -> PodRow:
    """Of Deployment checkout, crashing on node-1."""
    crashing = {
        "owner": owned_by(a_replica_set()),
        "ready": False,
        "statuses": (a_status(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=7),),
    }
    return a_pod(name, **(crashing | overrides))


def a_dark_node(name: str = "node-1", *, since: datetime = HOUR_AGO, **overrides: Any) -> NodeRow:
    return a_node(name, **({"conditions": (a_condition("Ready", "Unknown", changed_at=since),)} | overrides))


def a_ref(row: Row) -> ObjectRef:
    return row.key.ref(row.uid)


def a_finding(about: Row, code: str = "", **overrides: Any) -> Finding:
    """An hour old; of a node that it is silent, of a pod that it crashes."""
    own = {
        "code": code or {"Node": "node-unknown", "Pod": "pod-crash-loop"}.get(about.kind, "deployment-unavailable"),
        "object": a_ref(about),
        "severity": Severity.CRITICAL,
        "message": "It is broken",
        "since": HOUR_AGO,
    }
    return Finding(**(own | overrides))


def a_step(target: Row | ObjectRef, action: str = "", **overrides: Any) -> Step:
    """Harmful: of a pod its eviction, of a node its cordon, else a restart."""
    ref = target if isinstance(target, ObjectRef) else a_ref(target)
    usual = {"Pod": "delete-pod", "Node": "cordon"}.get(ref.kind, "restart-rollout")
    own = {"action": action or usual, "target": ref, "harm": Harm.HARMFUL, "reason": "it is broken"}
    if isinstance(target, PodRow):
        own["displaces"] = (moves(target),)
    return Step(**(own | overrides))


def moves(pod: PodRow, to_node: str = "node-2", **overrides: Any) -> Displacement:
    return Displacement(pod=a_ref(pod), from_node=pod.node, to_node=to_node, **overrides)


def a_past_run(target: Row | ObjectKey, **overrides: Any) -> PastRun:
    """Began an hour ago, and healed in six minutes."""
    key = target if isinstance(target, ObjectKey) else target.key
    own = {
        "id": uuid4(),
        "rule": "crash-loops",
        "action": "cordon" if key.kind == "Node" else "delete-pod",
        "harm": Harm.HARMFUL,
        "target": key,
        "owner": key,
        "node": key.name if key.kind == "Node" else "node-1",
        "namespace": key.namespace,
        "code": "node-unknown" if key.kind == "Node" else "pod-crash-loop",
        "state": RunState.HEALED,
        "started_at": HOUR_AGO,
        "ended_at": HOUR_AGO + timedelta(minutes=6),
    }
    return PastRun(**(own | overrides))


def an_active_run(target: Row | ObjectKey, **overrides: Any) -> PastRun:
    """Began a minute ago."""
    now = {"state": RunState.RUNNING, "started_at": NOON - timedelta(minutes=1), "ended_at": None}
    return a_past_run(target, **(now | overrides))


def around(*rows: Row) -> list[Row]:
    """The rows, and as far as they do not say otherwise a namespace, two nodes and the pod's owners."""
    deployment = a_deployment()
    usual = [
        a_namespace(),
        a_node(),
        a_node("node-2", zone="zone-b"),
        a_node("node-3", zone="zone-c"),
        deployment,
        a_replica_set(owner=owned_by(deployment)),
    ]
    said = {row.key for row in rows}
    return [*rows, *(row for row in usual if row.key not in said)]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A step and the world it is judged in: nothing is wrong with it unless said."""

    rows: Iterable[Row] = ()
    target: Row | ObjectRef | None = None
    action: str = ""
    step: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    history: tuple[PastRun, ...] = ()
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    mode: Mode = Mode.AUTO
    level: FaultLevel | None = None
    revision: str = ""
    rung: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    snapshot: dict[str, Any] = field(default_factory=dict)

    def build(self) -> tuple[Step, Facts]:
        target = self.target or next(iter(self.rows), None) or a_looping_pod()
        rows = around(*self.rows, *([target] if isinstance(target, Row) and not list(self.rows) else []))
        step = a_step(target, self.action, **self.step)
        return step, self._facts(target, step, rows)

    def _facts(self, target: Row | ObjectRef, step: Step, rows: list[Row]) -> Facts:
        about = (a_finding(target),) if isinstance(target, Row) else ()
        findings = about if self.findings is None else self.findings
        level = self.level or (FaultLevel.NODE if step.target.kind == "Node" else FaultLevel.POD)
        fault = Fault(level=level, subject=step.target.key, findings=findings, revision=self.revision)
        facts = Facts(
            now=NOON,
            snapshot=a_snapshot(*rows, *_leases(rows), **self.snapshot),
            settings=a_settings(**self.settings),
            history=Told(self.history),
            plan=Plan(
                rule="crash-loops", mode=self.mode, fault=fault, target=step.target, rung=self.rung, steps=(step,)
            ),
            sight=Sight(synced_at=HOUR_AGO, health_monitor_heard_at=NOON),
        )
        return replace(facts, **self.facts)


def _leases(rows: list[Row]) -> list[Row]:
    """As old as the node is dark."""
    said = {row.name for row in rows if row.kind == "Lease"}
    nodes = [row for row in rows if isinstance(row, NodeRow) and row.name not in said]
    return [a_lease(node.name, renewed_at=NOON if _alive(node) else HOUR_AGO) for node in nodes]


def _alive(node: NodeRow) -> bool:
    ready = node.condition("Ready")
    return ready is not None and ready.status != "Unknown"


def a_rolling_deployment(**overrides: Any) -> DeploymentRow:
    moving = {
        "updated_replicas": 1,
        "conditions": (a_condition("Progressing", reason="ReplicaSetUpdated"),),
    }
    return a_deployment(**(moving | overrides))


def assert_says(decline: Decline | None, refusal: str) -> None:
    """The guard declines with these words; it allows where there are none."""
    assert (decline is not None) == bool(refusal), decline
    assert decline is None or refusal in decline.message
