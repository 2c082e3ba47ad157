"""Reschedule the pods of a failed node: what its kubelet cannot end any more is made anew elsewhere."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS
from auto_healing.actions.nodes import taints
from auto_healing.actions.nodes.departure import stays_because
from auto_healing.actions.nodes.evidence import keep_node_evidence
from auto_healing.actions.nodes.fencing import live_proof, proof_of_fencing
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import LEASE_MINUTES, minutes, only_known
from auto_healing.actions.nodes.progress import named, ref_of
from auto_healing.actions.nodes.sickness import unreachable
from auto_healing.kube.rows import live_row
from auto_healing.marks import FENCED
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import NodeRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts.health import Scalar

LEASE = 24 * 60
POLL_SECONDS = 1.0
LOOK_EVERY = 10  # pods, between two looks at the node


class RescheduleFromNode:
    """Deletes with the pods' own grace. Deployments make new ones at once, as a pod that is going no longer counts.

    Pods of StatefulSets and pods with volumes wait until the old one is surely gone. For them the node gets the
    out-of-service taint, at which Kubernetes itself removes what is going and detaches its volumes: only on proof that
    the node is off, or when a person approved the run. The taint is taken off as soon as the node is back.
    """

    code: ClassVar[str] = "reschedule-from-node"
    title: ClassVar[str] = "Let the pods of a node that has failed be made anew elsewhere"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Node"})
    expects: ClassVar[str] = "The workloads of the node run elsewhere, and are ready."
    undoable: ClassVar[str] = "The out-of-service taint is taken off the node; the new pods stay."
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="nodes", verbs=("get", "patch")),
        Permission(group="", resource="pods", verbs=("delete",)),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {
        LEASE_MINUTES: "minutes after which the out-of-service taint is taken off even if the node is not back, "
        f"{LEASE} unless said otherwise"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        minutes(parameters, LEASE_MINUTES, LEASE)
        node = of_kind(NodeRow, target)
        if not unreachable(node):
            return Preview(refusal=_not_silent(node.name, node))
        pods = _to_go(snapshot.pods_on(node.name))
        kept = [pod for pod in pods if needs_fencing(pod)]
        proof = proof_of_fencing(node)
        if not kept and not proof and all(pod.deleted_at is not None for pod in pods):
            left = f"{node.name} is silent, and has no pod that was not told to go already: a person must look"
            return Preview(refusal=left)
        changes = [f"{len(pods)} pods of {node.name} are deleted, and made anew elsewhere"]
        if kept and proof:
            changes.append(f"{node.name} gets the out-of-service taint, since {proof}: volumes are detached by force")
        elif kept:
            changes.append(f"only when a person approves, as nothing proves that {node.name} is off: {named(kept)}")
        return Preview(displaced=tuple(map(ref_of, pods)), changes=tuple(changes), expected_seconds=60.0)

    async def apply(self, doing: Doing) -> Outcome:
        target = doing.step.target
        manifest = await doing.cluster.read(target)
        node = live_row(NodeRow, manifest) if manifest is not None else None
        if manifest is None or node is None or not unreachable(node):
            return Outcome(result=Result.ALREADY, message=_not_silent(target.name, node))
        pods = _to_go(await _pods(doing))
        apart = [pod for pod in pods if needs_fencing(pod)]
        proof = live_proof(manifest, node) or ("a person approved it" if doing.approved else "")
        if pods:
            await keep_node_evidence(doing)
        inverse: Mapping[str, Any] = {}
        if proof and (apart or taints.ours_on(node, taints.OUT_OF_SERVICE)):
            inverse = await _taint(doing, proof)
        deleted = await _delete(doing, [pod for pod in pods if proof or not needs_fencing(pod)])
        left = await _waited_for(doing, apart) if proof else apart
        return _outcome(target.name, deleted=deleted, left=left, proof=proof, inverse=inverse)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return await taints.take_off(doing, taints.OUT_OF_SERVICE, outcome.inverse)


def needs_fencing(pod: PodRow) -> bool:
    """Whether two of it at once would do harm: it has an identity, or a volume that one node at a time may write."""
    return bool(pod.claims) or (pod.owner is not None and pod.owner.kind == "StatefulSet")


def _to_go(pods: Iterable[PodRow]) -> list[PodRow]:
    """Those that a controller makes anew elsewhere; a pod without one stays, to come back with its node."""
    return [pod for pod in pods if stays_because(pod) is None and pod.owner is not None]


def _not_silent(name: str, node: NodeRow | None) -> str:
    if node is None:
        return f"{name} is gone, and its pods go with it"
    return f"the kubelet of {name} is heard of, so that it ends its pods itself; drain the node instead"


async def _pods(doing: Doing) -> list[PodRow]:
    found = await doing.cluster.list("Pod", fields=f"spec.nodeName={doing.step.target.name}")
    return [live_row(PodRow, manifest) for manifest in found]


async def _taint(doing: Doing, proof: str) -> Mapping[str, Any]:
    lease = minutes(doing.step.parameters, LEASE_MINUTES, LEASE)
    what = f"out of service, since {proof}"
    tainted = await taints.put_on(
        doing, doing.step.target, taints.OUT_OF_SERVICE, what=what, lease=lease, only_if=unreachable
    )
    return tainted.inverse


async def _silent(doing: Doing) -> bool:
    manifest = await doing.cluster.read(doing.step.target)
    return manifest is not None and unreachable(live_row(NodeRow, manifest))


async def _delete(doing: Doing, pods: Sequence[PodRow]) -> int:
    """With their own grace. Ends early when the node is heard of again."""
    deleted = 0
    for number, pod in enumerate(pods):
        if number % LOOK_EVERY == 0 and not await _silent(doing):
            break
        if pod.deleted_at is None:
            deleted += await doing.cluster.delete(ref_of(pod))
    return deleted


async def _waited_for(doing: Doing, pods: Sequence[PodRow]) -> list[PodRow]:
    """Those that are still there at the deadline; Kubernetes removes them when it next collects its garbage."""
    uids = {pod.uid for pod in pods}
    while True:
        left = [pod for pod in await _pods(doing) if pod.uid in uids]
        if not left or doing.left.total_seconds() <= 0:
            return left
        await asyncio.sleep(POLL_SECONDS)


def _outcome(name: str, *, deleted: int, left: Sequence[PodRow], proof: str, inverse: Mapping[str, Any]) -> Outcome:
    numbers: Mapping[str, Scalar] = {"deleted": deleted, "left": len(left)}
    if not left:
        message = f"{deleted} pods of {name} were deleted and are made anew elsewhere"
        return Outcome(result=Result.DONE, message=message, numbers=numbers, inverse=inverse)
    why = (
        "were not removed in time"
        if proof
        else f"wait, as nothing proves that {name} is off: annotate it with {FENCED}, or approve the run"
    )
    message = f"{deleted} pods of {name} were deleted; {named(left)} {why}"
    return Outcome(result=Result.BLOCKED, message=message, numbers=numbers, inverse=inverse)
