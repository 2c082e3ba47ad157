"""Roll a workload back to its last revision that was healthy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS, keep_evidence
from auto_healing.actions.nodes.parameters import minutes, only_known
from auto_healing.actions.pods.standing import SECONDS_TO_START, USUAL_GRACE_SECONDS
from auto_healing.actions.rollouts.former import newest_pods_of, ready_of_former, replica_sets_of
from auto_healing.actions.rollouts.healthy import last_healthy, none_known
from auto_healing.actions.rollouts.stuck import free_stuck_pods
from auto_healing.actions.rollouts.templates import merge_patch, same, same_but_restarted
from auto_healing.actions.rollouts.workloads import (
    KINDS,
    live_workload,
    mark_of,
    put_back_by,
    refusal_of,
    rolled_out,
    workload_of,
)
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.revisions import Revision, revisions_of
from auto_healing.marks import OWNED_BY_RUN, ROLLED_BACK_FROM
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import DeploymentRow, PodRow, Row, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot

SERVED = "served_minutes"
SERVED_MINUTES = 60


class RollBack:
    """As `kubectl rollout undo`, but to a revision that is known to have worked, and never against who owns it."""

    code: ClassVar[str] = "roll-back"
    title: ClassVar[str] = "Roll a workload back to its last revision that was healthy"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = KINDS
    expects: ClassVar[str] = "All pods of the workload are of the former revision and Ready."
    undoable: ClassVar[str] = (
        "It is rolled forward to the revision it came from, unless somebody has rolled out another one since."
    )
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="deployments", verbs=("get", "patch")),
        Permission(group="apps", resource="statefulsets", verbs=("get", "patch")),
        Permission(group="apps", resource="daemonsets", verbs=("get", "patch")),
        Permission(group="", resource="pods", verbs=("get", "list", "delete")),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {
        SERVED: f"minutes that a former revision of which no pod runs any more must have been in service to count as "
        f"healthy, {SERVED_MINUTES} unless said otherwise, a week at most"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        served = minutes(parameters, SERVED, SERVED_MINUTES)
        workload = workload_of(target)
        if refusal := _refusal(workload):
            return Preview(refusal=refusal)
        if not isinstance(workload, DeploymentRow):
            return _preview_by_controller_revisions(workload, snapshot)
        revisions = replica_sets_of(workload, snapshot)
        healthy = last_healthy(revisions, served=served)
        if healthy is None:
            return Preview(refusal=none_known(workload.name, revisions, served))
        to = f"revision {healthy.revision.number} ({healthy.revision.name})"
        pods = newest_pods_of(workload, snapshot, revisions[-1].name)
        return _preview(workload, pods, f"{workload.name} goes back to {to}: {healthy.known_by}")

    async def apply(self, doing: Doing) -> Outcome:
        target = doing.step.target
        found = await doing.cluster.read(target)
        if found is None:
            return Outcome(result=Result.ALREADY, message=f"{target.name} is gone")
        revisions = await revisions_of(doing.cluster, found)
        if mark_of(found) == doing.mark:  # an earlier try came this far
            return await self._finish(doing, left=_left(doing, found), known_by="as found by an earlier try")
        if refusal := _refusal(live_workload(found)):
            return Outcome(result=Result.FAILED, message=refusal)
        served = minutes(doing.step.parameters, SERVED, SERVED_MINUTES)
        healthy = last_healthy(revisions, served=served, alike=alike)
        if healthy is None:
            return Outcome(result=Result.FAILED, message=none_known(target.name, revisions, served))
        await keep_evidence(doing, target, found=found)
        marks = {OWNED_BY_RUN: doing.mark, ROLLED_BACK_FROM: revisions[-1].name}
        await _put(doing, found, healthy.revision, marks)
        return await self._finish(doing, left=revisions[-1].name, known_by=healthy.known_by)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        name = doing.step.target.name
        found = await doing.cluster.read(doing.step.target)
        if found is None:
            return Outcome(result=Result.ALREADY, message=f"{name} is gone")
        left = str(outcome.inverse.get("left") or _left(doing, found))
        if not left:
            return Outcome(result=Result.ALREADY, message=f"{name} was not rolled back")
        revisions = {revision.name: revision for revision in await revisions_of(doing.cluster, found)}
        if left not in revisions:
            return Outcome(result=Result.FAILED, message=f"the revision that {name} came from, {left}, is gone")
        if same(found["spec"]["template"], revisions[left].template):
            return Outcome(result=Result.ALREADY, message=f"{name} is at {left} already")
        if mark_of(found) != doing.mark:
            message = f"somebody has changed {name} since it was rolled back; it was left as it is"
            return Outcome(result=Result.FAILED, message=message)
        await _put(doing, found, revisions[left], {OWNED_BY_RUN: None, ROLLED_BACK_FROM: None})
        await free_stuck_pods(doing)
        return Outcome(result=Result.DONE, message=f"{name} was rolled forward to {left} again")

    async def _finish(self, doing: Doing, *, left: str, known_by: str) -> Outcome:
        """Waits for the rollout; pods that would hold it up are freed first."""
        name = doing.step.target.name
        freed = await free_stuck_pods(doing)
        finished, far = await rolled_out(doing, doing.step.target)
        told = f"{name} was rolled back from {left} ({known_by}): {far}"
        return Outcome(
            result=Result.DONE if finished else Result.FAILED,
            message=told if finished else f"{told}; not complete in time",
            numbers={"freed_pods": freed},
            inverse={"left": left},
        )


def _left(doing: Doing, found: Manifest) -> str:
    """Name of the revision that this step went back from, as written on the workload; empty when it did not."""
    if mark_of(found) != doing.mark:
        return ""
    return str(found["metadata"]["annotations"].get(ROLLED_BACK_FROM, ""))


def alike(one: Revision, other: Revision) -> bool:
    return same_but_restarted(one.template, other.template)


def _refusal(workload: WorkloadRow) -> str:
    return refusal_of(workload) or put_back_by(workload)


def _preview(workload: WorkloadRow, pods: Sequence[PodRow], change: str) -> Preview:
    note: tuple[str, ...] = ()
    if workload.labels.get("app.kubernetes.io/managed-by") == "Helm":
        note = (f"Helm knows nothing of it: its next upgrade deploys what the chart of {workload.name} says",)
    return Preview(
        displaced=tuple(pod.key.ref(pod.uid) for pod in pods),
        changes=(change, *note),
        expected_seconds=(USUAL_GRACE_SECONDS + SECONDS_TO_START) * max(1, len(pods) // 2),
    )


def _preview_by_controller_revisions(workload: WorkloadRow, snapshot: ClusterSnapshot) -> Preview:
    """Of a StatefulSet or DaemonSet, whose former revisions are read when it is carried out."""
    known = ready_of_former(workload, snapshot) or "which one that is, its ControllerRevisions tell when it is done"
    pods = newest_pods_of(workload, snapshot)
    return _preview(workload, pods, f"{workload.name} goes back to its last healthy revision: {known}")


async def _put(doing: Doing, found: Manifest, revision: Revision, marks: Mapping[str, str | None]) -> None:
    """Only what was read is changed: whoever came between makes it a Conflict."""
    patch = merge_patch(found["spec"]["template"], revision.template)
    body = {"metadata": {"annotations": dict(marks)}, "spec": {"template": patch}}
    await doing.cluster.patch(doing.step.target, body, resource_version=found["metadata"]["resourceVersion"])
