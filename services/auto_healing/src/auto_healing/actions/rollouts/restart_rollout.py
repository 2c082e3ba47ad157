"""Restart all pods of a workload by a rolling update, as its own strategy says."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS, keep_evidence
from auto_healing.actions.nodes.parameters import only_known
from auto_healing.actions.pods.standing import SECONDS_TO_START, USUAL_GRACE_SECONDS
from auto_healing.actions.rollouts.progress import kept
from auto_healing.actions.rollouts.stuck import free_stuck_pods
from auto_healing.actions.rollouts.workloads import KINDS, live_workload, refusal_of, rolled_out, workload_of
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.rows import ref_of
from auto_healing.marks import OWNED_BY_RUN, RESTARTED_AT
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import Row
from common.cluster.snapshot import ClusterSnapshot


class RestartRollout:
    """As `kubectl rollout restart`: an annotation of the template changes, and the controller does the rest."""

    code: ClassVar[str] = "restart-rollout"
    title: ClassVar[str] = "Restart all pods of a workload, one after the other as its strategy says"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = KINDS
    expects: ClassVar[str] = "All pods of the workload are new and Ready."
    undoable: ClassVar[str] = ""
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="deployments", verbs=("get", "patch")),
        Permission(group="apps", resource="statefulsets", verbs=("get", "patch")),
        Permission(group="apps", resource="daemonsets", verbs=("get", "patch")),
        Permission(group="", resource="pods", verbs=("get", "list", "delete")),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {}

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        workload = workload_of(target)
        if refusal := refusal_of(workload):
            return Preview(refusal=refusal)
        pods = [pod for pod in snapshot.pods_of(workload.key) if not pod.finished and pod.deleted_at is None]
        stay = kept(workload)
        left = (f"its partition leaves {stay} pods as they are",) if stay else ()
        return Preview(
            displaced=tuple(pod.key.ref(pod.uid) for pod in pods),
            changes=(f"all {workload.replicas - stay} pods of {workload.name} are replaced by new ones", *left),
            expected_seconds=(USUAL_GRACE_SECONDS + SECONDS_TO_START) * max(1, len(pods) // 2),
        )

    async def apply(self, doing: Doing) -> Outcome:
        found = await doing.cluster.read(doing.step.target)
        if found is None:
            return Outcome(result=Result.ALREADY, message=f"{doing.step.target.name} is gone")
        if template_mark(found) != doing.mark:
            if refusal := refusal_of(live_workload(found)):
                return Outcome(result=Result.FAILED, message=refusal)
            await keep_evidence(doing, doing.step.target, found=found)
            await restart(doing, found)
        freed = await free_stuck_pods(doing)
        finished, far = await rolled_out(doing, doing.step.target)
        end = "was restarted" if finished else "restarts, but not in time"
        return Outcome(
            result=Result.DONE if finished else Result.FAILED,
            message=f"{doing.step.target.name} {end}: {far}",
            numbers={"freed_pods": freed},
        )

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        message = (
            "a restart has nothing to take back: the template said the same before, and undoing would restart again"
        )
        return Outcome(result=Result.FAILED, message=message)


def template_mark(found: Manifest) -> str:
    """The run and step that restarted the workload last."""
    annotations = found["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(OWNED_BY_RUN, ""))


async def restart(doing: Doing, found: Manifest) -> None:
    """Only what was read is changed: whoever came between makes it a Conflict."""
    marks = {RESTARTED_AT: doing.clock.now().isoformat(timespec="seconds"), OWNED_BY_RUN: doing.mark}
    await doing.cluster.patch(
        ref_of(found),
        {"spec": {"template": {"metadata": {"annotations": marks}}}},
        resource_version=found["metadata"]["resourceVersion"],
    )
