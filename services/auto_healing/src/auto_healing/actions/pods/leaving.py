"""What deleting and evicting share: the pod is read again, judged again, and its evidence is kept."""

from dataclasses import dataclass
from uuid import UUID

from auto_healing.actions.action import Doing, Outcome, Result
from auto_healing.actions.evidence import keep_evidence
from auto_healing.actions.pods.standing import gentle_grace, refusal_of
from auto_healing.kube.rows import live_row
from common.cluster.rows import PodRow


@dataclass(frozen=True, slots=True)
class Leaving:
    """A pod that may go now: its evidence is stored."""

    pod: PodRow
    grace_seconds: int | None
    evidence: UUID


async def prepared(doing: Doing) -> Leaving | Outcome:
    """The target ready to go, or how the step ends instead. A pod that an earlier try took away is done."""
    target = doing.step.target
    found = await doing.cluster.read(target)
    if found is None:
        return Outcome(result=Result.ALREADY, message=f"{target.name} is gone already")
    if found["metadata"].get("deletionTimestamp"):
        return Outcome(result=Result.ALREADY, message=f"{target.name} is being deleted already")
    pod = live_row(PodRow, found)
    if refusal := refusal_of(pod, doing.snapshot):
        return Outcome(result=Result.FAILED, message=refusal)
    return Leaving(pod, gentle_grace(found), await keep_evidence(doing, target, found=found))


NO_UNDO = "a pod that was taken away cannot be brought back; its controller has made another one"


def cannot_be_undone() -> Outcome:
    return Outcome(result=Result.FAILED, message=NO_UNDO)
