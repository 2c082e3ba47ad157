"""Move a pod off a bad node, and keep new ones away from there for a while.

The node gets a soft taint (PreferNoSchedule): the scheduler puts pods there only when they fit nowhere else. An
anti-affinity in the workload's template would keep this workload alone away, at the price of a new revision, a rollout
of all its pods and a difference from Git that GitOps tools take back. The taint touches nothing that runs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS, keep_evidence
from auto_healing.actions.nodes import taints
from auto_healing.actions.nodes.departure import Stays, stays_because
from auto_healing.actions.nodes.evictions import evict_patiently
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import minutes, only_known
from auto_healing.actions.nodes.progress import ref_of
from auto_healing.actions.nodes.vigil import OutOfTime
from auto_healing.kube.cluster import EvictionBlocked
from auto_healing.kube.rows import live_row
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import NodeRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot

AVOID_MINUTES, AVOID = "avoid_minutes", 240
SECONDS = 35.0  # the default grace of a pod, and what its end takes

_CANNOT = {
    Stays.DAEMON_SET: "it belongs to a DaemonSet, which would make it anew on the same node",
    Stays.MIRROR: "it is static, and belongs to its node",
    Stays.FINISHED: "it has finished",
}


class MovePod:
    """Evicts by the Eviction API, as its disruption budget allows, once the node is tainted."""

    code: ClassVar[str] = "move-pod"
    title: ClassVar[str] = "Move a pod off a bad node and keep pods away from there for a while"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Pod"})
    expects: ClassVar[str] = "The pod's replacement runs on another node and becomes ready."
    undoable: ClassVar[str] = "The taint is taken off the node; the pod stays where it is."
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="nodes", verbs=("get", "patch")),
        Permission(group="", resource="pods/eviction", verbs=("create",)),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {
        AVOID_MINUTES: f"minutes for which the node is avoided, {AVOID} unless said otherwise, a week at most"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        until = now + minutes(parameters, AVOID_MINUTES, AVOID)
        pod = of_kind(PodRow, target)
        if refusal := _refusal(pod, snapshot):
            return Preview(refusal=refusal)
        changes = (
            f"{pod.node} is avoided by the scheduler until {until:%Y-%m-%d %H:%M} UTC, where pods fit elsewhere",
            f"{pod.namespace}/{pod.name} is evicted from {pod.node}",
        )
        return Preview(displaced=(ref_of(pod),), changes=changes, expected_seconds=SECONDS)

    async def apply(self, doing: Doing) -> Outcome:
        target = doing.step.target
        manifest = await doing.cluster.read(target)
        pod = live_row(PodRow, manifest) if manifest is not None else None
        if pod is None or pod.deleted_at is not None or pod.finished:
            return Outcome(result=Result.ALREADY, message=f"{target.key} is gone, or going")
        node = doing.snapshot.node(pod.node)
        if node is None:
            return Outcome(result=Result.FAILED, message=f"{target.key} is on node {pod.node!r}, which is not known")
        await keep_evidence(doing, target)
        lease = minutes(doing.step.parameters, AVOID_MINUTES, AVOID)
        what = f"avoided by the scheduler, since {target.key} did badly there"
        tainted = await taints.put_on(doing, node.key.ref(node.uid), taints.AVOID, what=what, lease=lease)
        return await _evicted(doing, pod, tainted.inverse)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return await taints.take_off(doing, taints.AVOID, outcome.inverse)


async def _evicted(doing: Doing, pod: PodRow, inverse: Mapping[str, Any]) -> Outcome:
    target, held_by = doing.step.target, [""]

    async def in_time() -> None:
        if doing.left.total_seconds() <= 0:
            raise OutOfTime

    def blocked_by(pdbs: Any) -> None:
        held_by[0] = ", ".join(pdbs)

    try:
        await evict_patiently(
            lambda: doing.cluster.evict(target),
            before_each=in_time,
            on_blocked=blocked_by,
            left=lambda: doing.left,
        )
    except OutOfTime:
        message = f"{target.key} could not be evicted in time: PDB {held_by[0]} allows no disruption"
        return Outcome(result=Result.BLOCKED, message=message, numbers={"blocking_pdbs": held_by[0]}, inverse=inverse)
    except EvictionBlocked:
        message = f"{target.key} can never be evicted, since several PDBs select it: {held_by[0]}"
        return Outcome(result=Result.BLOCKED, message=message, numbers={"blocking_pdbs": held_by[0]}, inverse=inverse)
    message = f"{target.key} was evicted from {pod.node}, which is avoided for a while"
    return Outcome(result=Result.DONE, message=message, numbers={"evicted": 1}, inverse=inverse)


def _refusal(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    name = f"{pod.namespace}/{pod.name}"
    if not pod.node:
        return f"{name} runs on no node"
    if pod.deleted_at is not None:
        return f"{name} is being deleted already"
    if (why := _CANNOT.get(stays_because(pod) or Stays.SKIPPED)) is not None:
        return f"{name} cannot be moved: {why}"
    if pod.owner is None:
        return f"{name} cannot be moved: no controller would make it anew"
    if not any(_open(node) for node in snapshot.rows(NodeRow).values() if node.name != pod.node):
        return f"{name} cannot be moved: no other node is ready and takes pods"
    return ""


def _open(node: NodeRow) -> bool:
    return node.ready and not node.unschedulable
