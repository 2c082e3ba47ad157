"""Delete a pod and let its controller make another one."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import only_known
from auto_healing.actions.pods.leaving import cannot_be_undone, prepared
from auto_healing.actions.pods.standing import SECONDS_TO_START, USUAL_GRACE_SECONDS, refusal_of, without_headroom
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import PodRow, Row
from common.cluster.snapshot import ClusterSnapshot


class DeletePod:
    """For pods that do not work. One that does, and whose budget has no room, is for the Eviction API."""

    code: ClassVar[str] = "delete-pod"
    title: ClassVar[str] = "Delete a pod that does not work, and let its controller make another one"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Pod"})
    expects: ClassVar[str] = "Another pod of the same owner becomes Ready."
    undoable: ClassVar[str] = ""
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="pods", verbs=("get", "delete")),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {}

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        pod = of_kind(PodRow, target)
        if refusal := refusal_of(pod, snapshot) or _works(pod, snapshot):
            return Preview(refusal=refusal)
        owner = f"{pod.owner.kind} {pod.owner.name}" if pod.owner else "its controller"
        return Preview(
            displaced=(pod.key.ref(pod.uid),),
            changes=(f"{pod.name} is told to end, with its own grace", f"{owner} makes another pod"),
            expected_seconds=USUAL_GRACE_SECONDS + SECONDS_TO_START,
        )

    async def apply(self, doing: Doing) -> Outcome:
        leaving = await prepared(doing)
        if isinstance(leaving, Outcome):
            return leaving
        if refusal := _works(leaving.pod, doing.snapshot):
            return Outcome(result=Result.FAILED, message=refusal)
        there = await doing.cluster.delete(doing.step.target, grace_seconds=leaving.grace_seconds)
        name = leaving.pod.name
        return Outcome(
            result=Result.DONE if there else Result.ALREADY,
            message=f"{name} was deleted; its controller makes another one" if there else f"{name} is gone already",
            numbers={"evidence": str(leaving.evidence)},
        )

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return cannot_be_undone()


def _works(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    """Deleting goes past the budgets, so a ready pod that one of them needs is not deleted."""
    if pdbs := without_headroom(pod, snapshot):
        return f"{pod.name} is Ready, and PodDisruptionBudget {', '.join(pdbs)} has no room: evict-pod waits for some"
    return ""
