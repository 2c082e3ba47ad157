"""How the objects fare that a run was to help. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from auto_healing.guards.steps import tidies
from auto_healing.reach import is_made_since
from auto_healing.run import Run
from common.cluster.rows import DaemonSetRow, DeploymentRow, NodeRow, PodRow, Row, StatefulSetRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, ObjectRef

_MOVING = frozenset({"drain", "reschedule-from-node"})
_ABANDONING = "reschedule-from-node"
_PAUSING = "pause-rollout"
_CLOSING = frozenset({"cordon", "drain"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Whether they are well, since when as far as is known, and one sentence about it for people."""

    healthy: bool
    reason: str
    healthy_since: datetime | None = None


def effect_of(run: Run, snapshot: ClusterSnapshot) -> Effect:
    """By what was done and the kind of the target. Of kinds that are nothing but there, the findings alone tell."""
    target = run.plan.target
    row = snapshot.find(target.key)
    actions = {step.action for step in run.plan.steps}
    if moved := [each.pod for step in run.plan.steps if step.action in _MOVING for each in step.displaces]:
        return _moved(moved, run, snapshot)
    if target.kind == "Node":
        return _node(row, target, closed=bool(actions & _CLOSING))
    if target.kind == "Pod":
        return _pod(row, run, snapshot)
    if isinstance(row, WorkloadRow):
        if _PAUSING in actions and row.paused:
            return Effect(healthy=True, reason=f"the rollout of {row.key} is paused")
        return _workload(row, snapshot)
    tidied = run.plan.steps and all(map(tidies, run.plan.steps))
    # Its last step says how many objects are gone.
    return Effect(healthy=True, reason=run.reason if tidied else f"{target.key} has no finding any more")


def _node(row: Row | None, target: ObjectRef, *, closed: bool) -> Effect:
    if not isinstance(row, NodeRow):
        return Effect(healthy=True, reason=f"{target.key} has left the cluster")
    if closed and row.unschedulable:
        return Effect(healthy=True, reason=f"{row.key} takes no new pods")
    ready = row.condition("Ready")
    if ready is not None and ready.status == "True":
        return Effect(healthy=True, reason=f"{row.key} is ready", healthy_since=ready.changed_at)
    return Effect(healthy=False, reason=f"{row.key} is not ready")


def _pod(row: Row | None, run: Run, snapshot: ClusterSnapshot) -> Effect:
    """The pod itself while it lives, else what has taken its place."""
    target, owner = run.plan.target, run.place.owner
    same = isinstance(row, PodRow) and (not target.uid or row.uid == target.uid)
    if isinstance(row, PodRow) and same:
        if row.deleted_at is not None:
            return Effect(healthy=False, reason=f"{row.key} is still there")
        if not row.finished:
            return _pods([row])
    if owner == target.key:
        return Effect(healthy=True, reason=f"{target.key} is gone, and belonged to nobody")
    made = [pod for pod in snapshot.pods_of(owner) if is_made_since(pod, run)]
    return _pods(made) if made else _complete(owner, snapshot, of=f"nothing takes the place of {target.key}")


def _moved(gone: Collection[ObjectRef], run: Run, snapshot: ClusterSnapshot) -> Effect:
    """Whether as many pods have been made of each workload as were taken from it, and are ready, or it is complete."""
    abandoned = any(step.action == _ABANDONING for step in run.plan.steps)
    if (left := next((ref for ref in gone if _still_there(ref, snapshot, abandoned)), None)) is not None:
        return Effect(healthy=False, reason=f"{left.key} is still there")
    made: list[PodRow] = []
    for (namespace, prefix), count in Counter((ref.namespace, _family(ref.name)) for ref in gone).items():
        found = [pod for pod in snapshot.pods_in(namespace) if _family(pod.name) == prefix and is_made_since(pod, run)]
        if len(found) < count:
            effect = _complete(_owner_named(namespace, prefix, snapshot), snapshot, of="nothing else is to be made")
            if not effect.healthy:
                return effect
        made += found
    return _pods(made) if made else Effect(healthy=True, reason=f"{len(gone)} pods have left, and none is missing")


def _family(name: str) -> str:
    """What the pods of a ReplicaSet, StatefulSet or Job have in common in their names."""
    return name.rpartition("-")[0] or name


def _owner_named(namespace: str, name: str, snapshot: ClusterSnapshot) -> ObjectKey:
    """The top workload of the pods of that family; the name itself when there is none any more."""
    for kind in ("ReplicaSet", "StatefulSet"):
        if (row := snapshot.find(ObjectKey(kind, namespace, name))) is not None:
            return snapshot.top_owner(row)
    return ObjectKey("ReplicaSet", namespace, name)


def _complete(owner: ObjectKey, snapshot: ClusterSnapshot, *, of: str) -> Effect:
    """A workload that has all it wants; one that is gone, or of a kind that makes nothing again, wants nothing."""
    row = snapshot.find(owner)
    return _workload(row, snapshot) if isinstance(row, WorkloadRow) else Effect(healthy=True, reason=of)


def _still_there(ref: ObjectRef, snapshot: ClusterSnapshot, abandoned: bool) -> bool:
    """On a node that is abandoned nobody ends a deleted pod: it stays until the node is back, or gone."""
    row = snapshot.find(ref.key)
    if not isinstance(row, PodRow) or row.uid != ref.uid or row.finished:
        return False
    return row.deleted_at is None or not abandoned


def _pods(pods: Collection[PodRow]) -> Effect:
    for pod in pods:
        if not pod.ready:
            return Effect(healthy=False, reason=f"{pod.key} is not ready")
    first = next(iter(pods))
    what = f"{first.key} is ready" if len(pods) == 1 else f"{len(pods)} pods are ready"
    return Effect(healthy=True, reason=what, healthy_since=_latest(pod.ready_changed_at for pod in pods))


def _workload(row: WorkloadRow, snapshot: ClusterSnapshot) -> Effect:
    if row.observed_generation < row.generation or row.updated_replicas < _to_update(row):
        return Effect(healthy=False, reason=f"the rollout of {row.key} is under way")
    if row.ready_replicas < row.replicas:
        return Effect(healthy=False, reason=f"{row.key} has {row.ready_replicas} of {row.replicas} pods ready")
    since = _latest(pod.ready_changed_at for pod in snapshot.pods_of(row.key) if pod.ready)
    return Effect(healthy=True, reason=f"all {row.replicas} pods of {row.key} are ready", healthy_since=since)


def _to_update(row: WorkloadRow) -> int:
    """How many pods should be of the newest revision."""
    if row.paused or row.strategy == "OnDelete":
        return 0
    if isinstance(row, StatefulSetRow):
        return max(0, row.replicas - row.partition)
    return row.replicas if isinstance(row, DeploymentRow | DaemonSetRow) else 0


def _latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in instants if at is not None), default=None)
