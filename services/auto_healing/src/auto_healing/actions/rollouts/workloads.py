"""What actions on rollouts share: the workload as it is now, whether it may be touched, and waiting for it."""

from typing import Any

from auto_healing.actions.action import Doing
from auto_healing.actions.rollouts.progress import complete, told
from auto_healing.actions.waiting import until
from auto_healing.guards.others import kept_in_git
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.rows import live_row
from auto_healing.marks import OWNED_BY_RUN
from common.cluster.rows import DaemonSetRow, DeploymentRow, Row, StatefulSetRow, WorkloadRow
from common.contracts import ObjectRef

ROWS: dict[str, type[WorkloadRow]] = {
    "Deployment": DeploymentRow,
    "StatefulSet": StatefulSetRow,
    "DaemonSet": DaemonSetRow,
}
KINDS = frozenset(ROWS)


def workload_of(target: Row) -> WorkloadRow:
    """Raises ValueError for anything that rolls nothing out."""
    if not isinstance(target, DeploymentRow | StatefulSetRow | DaemonSetRow):
        raise ValueError(f"this is for a {', '.join(sorted(KINDS))}, not for {target.key}")  # noqa: TRY004 - a wrong request
    return target


def live_workload(found: Manifest) -> WorkloadRow:
    return live_row(ROWS[found["kind"]], found)


def refusal_of(workload: WorkloadRow) -> str:
    """Why a new template would not be rolled out by itself; empty when it would."""
    name = f"{workload.kind} {workload.name}"
    if workload.deleted_at is not None:
        return f"{name} is being deleted"
    if workload.paused:
        return f"{name} is paused: nothing is rolled out until somebody resumes it"
    if workload.strategy == "OnDelete":
        return f"{name} has the strategy OnDelete: its pods change only when somebody deletes them"
    if not workload.replicas:
        return f"{name} has no pods to replace"
    if workload.observed_generation < workload.generation:  # then its newest revision is not among those it has
        return f"{name} was changed just now, and its controller has not looked at it yet"
    return ""


def put_back_by(workload: WorkloadRow) -> str:
    """Who would undo a change of the spec; empty when nobody is known to."""
    if git := kept_in_git(workload):
        return f"{workload.kind} {workload.name} cannot be changed here: {git.sign}"
    if owner := workload.owner:
        return (
            f"{workload.kind} {workload.name} belongs to {owner.kind} {owner.name}, whose controller would put it "
            "back: change it there"
        )
    return ""


def mark_of(found: Manifest) -> str:
    """The run and step that changed the workload last; empty when none did."""
    annotations: dict[str, Any] = found["metadata"].get("annotations") or {}
    return str(annotations.get(OWNED_BY_RUN, ""))


async def rolled_out(doing: Doing, workload: ObjectRef) -> tuple[bool, str]:
    """Whether its rollout completed before the deadline, and how far it is, for people."""
    far = "it is gone"

    async def done() -> bool:
        nonlocal far
        found = await doing.cluster.read(workload)
        if found is None:
            return False
        row = live_workload(found)
        far = told(row)
        return complete(row)

    return await until(doing, done), far
