"""Whoever is at work already is not disturbed: a rollout, another run, another healer."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.others import KEDA_LABEL, AtWork, foreign_cordon, kept_in_git, taking_node, taking_pod
from auto_healing.guards.steps import (
    CHANGING_SPEC,
    STEERING_ROLLOUTS,
    active_runs,
    codes_of,
    owner_of,
    row_of,
    scales,
    tidies,
    with_owners,
)
from auto_healing.plan import Decline, Step
from common.cluster.rows import (
    DaemonSetRow,
    DeploymentRow,
    HorizontalPodAutoscalerRow,
    NodeRow,
    PodRow,
    Row,
    StatefulSetRow,
    WorkloadRow,
)
from common.cluster.snapshot import ClusterSnapshot

_AGAIN = timedelta(minutes=1)


class OwnerInFlight:
    code: ClassVar[str] = "owner-in-flight"
    title: ClassVar[str] = "Is somebody at work on it already?"
    looks_at: ClassVar[str] = (
        "Rollouts of the workload that are under way; other runs on the same workload or node; other healers: taints "
        "of Cluster Autoscaler, Karpenter, Cluster API, Medik8s and clouds, annotations of kured and descheduler, "
        "draino's condition, cordons by others, MachineHealthChecks and NodeHealthChecks that cover the node; for "
        "steps that change a spec, Argo CD and Flux by their labels and annotations, and by the names of Argo CD's "
        "Applications, as they would put it back; for steps that scale, KEDA."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        row = row_of(step, facts)
        for other in (*_other_runs(step, facts), *(() if row is None else _others(step, row, facts))):
            if other.code not in facts.settings.owner_in_flight.ignored:
                return self._no(step, other, facts.now + _AGAIN)
        return None

    def _no(self, step: Step, other: AtWork, look_again_at: datetime) -> Decline:
        return Decline(
            guard=self.code,
            message=f"{step.target.key}: {other.sign}",
            numbers={"by": other.code},
            look_again_at=look_again_at,
        )


def _other_runs(step: Step, facts: Facts) -> Iterator[AtWork]:
    if tidies(step):
        return
    owner = owner_of(step, facts)
    at_work = [run for run in active_runs(facts) if owner in {run.owner, run.target}]
    for run in sorted(at_work, key=lambda run: (run.started_at, run.id)):
        yield AtWork("run", f"run {run.id} ({run.action}) is at work on {owner} already")


def _others(step: Step, row: Row, facts: Facts) -> Iterator[AtWork]:
    if isinstance(row, NodeRow):
        yield from _on_node(row, facts)
        return
    if isinstance(row, PodRow) and "pod-stuck-terminating" not in codes_of(facts) and (found := taking_pod(row)):
        yield found
    chain = list(with_owners(row, facts.snapshot))
    if step.action not in STEERING_ROLLOUTS and not tidies(step):
        patience = facts.settings.owner_in_flight.patience
        yield from (found for each in chain if (found := rolling_out(each, facts.snapshot, facts.now, patience)))
    kept = chain if step.action in CHANGING_SPEC or scales(step) else _made_by_people(step, row)
    yield from (found for each in kept if (found := kept_in_git(each, facts.other_healers)))
    if scales(step):
        yield from _scaled_by_keda(chain, facts.snapshot)


def _made_by_people(step: Step, row: Row) -> list[Row]:
    """What a controller made bears marks that were copied from its owner, and is not in Git."""
    return [row] if tidies(step) and row.owner is None else []


def _on_node(node: NodeRow, facts: Facts) -> Iterator[AtWork]:
    if found := taking_node(node):
        yield found
    if not facts.by_hand and (found := foreign_cordon(node)):  # who asks by hand may have cordoned it before
        yield found
    for other in facts.other_healers:
        if node.name in other.nodes:
            yield AtWork(other.code, f"{other.code} {other.name} looks after it")


def _scaled_by_keda(chain: list[Row], snapshot: ClusterSnapshot) -> Iterator[AtWork]:
    targets = {(row.kind, row.namespace, row.name) for row in chain}
    for hpa in snapshot.rows(HorizontalPodAutoscalerRow).values():
        if KEDA_LABEL in hpa.labels and (hpa.target_kind, hpa.namespace, hpa.target_name) in targets:
            yield AtWork("keda", f"KEDA's ScaledObject {hpa.labels[KEDA_LABEL]} would scale it again")


def rolling_out(row: Row, snapshot: ClusterSnapshot, now: datetime, patience: timedelta) -> AtWork | None:
    """A rollout that moves. One that is stuck ends: by a Deployment's deadline, else when no pod was made for long."""
    if not isinstance(row, DeploymentRow | StatefulSetRow | DaemonSetRow) or row.paused:
        return None
    progress = f"{row.updated_replicas} of {row.replicas} replicas are updated"
    under_way = AtWork("rollout", f"a rollout of {row.key} is under way: {progress}")
    if row.observed_generation < row.generation:
        return AtWork("rollout", f"{row.key} was changed a moment ago, and its controller has not looked yet")
    if isinstance(row, DeploymentRow):
        return under_way if _deployment_moves(row) else None
    if row.strategy == "OnDelete" or not _behind(row):
        return None
    made = (pod.created_at for pod in snapshot.pods_of(row.key) if pod.created_at is not None)
    newest = max(made, default=None)
    return under_way if newest is not None and now - newest < patience else None


def _deployment_moves(row: DeploymentRow) -> bool:
    """`NewReplicaSetAvailable` stays for as long as all replicas are of one revision, even when they fail later."""
    progressing = row.condition("Progressing")
    if progressing is None:
        return row.updated_replicas < row.replicas or row.current_replicas > row.updated_replicas
    return progressing.status == "True" and progressing.reason != "NewReplicaSetAvailable"


def _behind(row: WorkloadRow) -> bool:
    if isinstance(row, StatefulSetRow) and row.revision == row.current_revision:
        return False
    return row.updated_replicas < row.replicas - row.partition
