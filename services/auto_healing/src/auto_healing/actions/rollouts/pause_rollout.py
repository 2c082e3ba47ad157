"""Pause a bad rollout, so that it takes no more pods, until somebody has looked."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from auto_healing.actions.action import Change, Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import LEASE_MINUTES, minutes, only_known
from auto_healing.actions.rollouts.progress import told, under_way
from auto_healing.actions.rollouts.workloads import live_workload, mark_of, put_back_by
from auto_healing.kube.cluster import Manifest
from auto_healing.marks import OWNED_BY_RUN
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import DeploymentRow, Row, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot

LEASE = 240
PATH = ("spec", "paused")


class PauseRollout:
    """A leased change: it is resumed when the lease runs out, unless somebody has resumed it before."""

    code: ClassVar[str] = "pause-rollout"
    title: ClassVar[str] = "Pause a Deployment's rollout that goes badly"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Deployment"})
    expects: ClassVar[str] = "The rollout replaces no more pods."
    undoable: ClassVar[str] = "The rollout is resumed, unless somebody has resumed or paused it meanwhile."
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="deployments", verbs=("get", "patch")),
    )
    parameters: ClassVar[Mapping[str, str]] = {
        LEASE_MINUTES: f"minutes until it is resumed by itself, {LEASE} unless said otherwise, a week at most"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        until = now + minutes(parameters, LEASE_MINUTES, LEASE)
        deployment = of_kind(DeploymentRow, target)
        if refusal := _refusal(deployment):
            return Preview(refusal=refusal)
        change = f"{deployment.name} stays as it is, {told(deployment)}, until {until:%Y-%m-%d %H:%M} UTC"
        return Preview(changes=(change,), expected_seconds=1)

    async def apply(self, doing: Doing) -> Outcome:
        target = doing.step.target
        found = await doing.cluster.read(target)
        if found is None:
            return Outcome(result=Result.ALREADY, message=f"{target.name} is gone")
        ours = mark_of(found) == doing.mark
        if not ours and (refusal := _refusal(live_workload(found))):
            return Outcome(result=Result.FAILED, message=refusal)
        until = doing.clock.now() + minutes(doing.step.parameters, LEASE_MINUTES, LEASE)
        before = None if ours else found["spec"].get("paused")
        change = Change(
            target=target, what=f"paused: {doing.step.reason}", path=PATH, before=before, after=True, until=until
        )
        lease = await doing.store.lease(change)
        if not ours:
            await _set(doing, found, paused=True, mark=doing.mark)
        message = f"the rollout of {target.name} is paused until {until:%Y-%m-%d %H:%M} UTC"
        return Outcome(result=Result.DONE, message=message, inverse={"change": str(lease)})

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        name = doing.step.target.name
        found = await doing.cluster.read(doing.step.target)
        result, message = Result.DONE, f"the rollout of {name} was resumed"
        if found is None:
            result, message = Result.ALREADY, f"{name} is gone"
        elif not found["spec"].get("paused"):
            result, message = Result.ALREADY, f"the rollout of {name} was resumed by somebody already"
        elif mark_of(found) != doing.mark:
            return Outcome(result=Result.FAILED, message=f"somebody else has paused {name} since; it was left as it is")
        else:
            await _set(doing, found, paused=None, mark=None)
        if change := outcome.inverse.get("change"):
            await doing.store.release(UUID(str(change)))
        return Outcome(result=result, message=message)


def _refusal(workload: WorkloadRow) -> str:
    if workload.deleted_at is not None:
        return f"{workload.name} is being deleted"
    if workload.paused:
        return f"{workload.name} is paused already, by somebody else"
    if not under_way(workload):
        return f"no rollout of {workload.name} is under way: {told(workload)}"
    return put_back_by(workload)


async def _set(doing: Doing, found: Manifest, *, paused: bool | None, mark: str | None) -> None:
    body = {"metadata": {"annotations": {OWNED_BY_RUN: mark}}, "spec": {"paused": paused}}
    await doing.cluster.patch(doing.step.target, body, resource_version=found["metadata"]["resourceVersion"])
