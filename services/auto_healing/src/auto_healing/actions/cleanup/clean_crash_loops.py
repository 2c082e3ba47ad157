"""Pods that crash again and again, and that nobody mends: they cost capacity, and drown other alarms.

Scaling the workload to zero is a leased change: it returns by itself, or by undo, unless somebody scaled it since.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from auto_healing import marks
from auto_healing.actions.action import Change, Doing, Doomed, Outcome, Permission, Result
from auto_healing.actions.cleanup.engine import Cleanup, Ready, Removed
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Unproven, candidate, unproven
from auto_healing.actions.cleanup.settings import CrashLoopSettings, Remedy
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.evidence import collect
from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, ObjectRef
from common.kube.errors import Conflict

BACK_OFF = "CrashLoopBackOff"
SCALABLE = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
REPLICAS = ("spec", "replicas")


class CleanCrashLoops(Cleanup):
    code: ClassVar[str] = "clean-crash-loops"
    title: ClassVar[str] = "End crash loops that nobody mends: scale their workload to zero, or delete the pod"
    kind: ClassVar[str] = "Pod"
    settings: ClassVar[type[CrashLoopSettings]] = CrashLoopSettings
    annotates: ClassVar[bool] = False
    owned: ClassVar[bool] = True
    made: ClassVar[bool] = True
    undoable: ClassVar[str] = "The workload gets its replicas back, unless somebody has scaled it since"

    expects: ClassVar[str] = "The pods that crashed are gone, and no pod that works went with them"
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="pods", verbs=("get", "list", "delete")),
        Permission(group="", resource="pods/log", verbs=("get",)),
        Permission(group="apps", resource="deployments", verbs=("get", "patch")),
        Permission(group="apps", resource="statefulsets", verbs=("get", "patch")),
        Permission(group="apps", resource="replicasets", verbs=("get", "patch")),
    )

    async def find(self, look: Look) -> Found:
        pods = look.snapshot.rows(PodRow).values()
        looping = [pod for pod in pods if look.covers(pod) and _loops(look, pod)]
        candidates: list[Candidate] = []
        doubtful: list[Unproven] = []
        for pod in looping:
            if doubt := _doubt(look, pod):
                doubtful.append(unproven(pod, doubt))
            else:
                candidates.append(candidate(pod, f"crashes again and again, {_restarts(pod)} times by now"))
        return Found(candidates=tuple(candidates), unproven=tuple(doubtful), total=len(pods))

    def changed(self, manifest: Manifest) -> str:
        statuses = (manifest.get("status") or {}).get("containerStatuses") or ()
        waiting = any(((each.get("state") or {}).get("waiting") or {}).get("reason") == BACK_OFF for each in statuses)
        crashed = any((each.get("state") or {}).get("terminated") for each in statuses)
        return "" if waiting or crashed else "does not crash any more"

    async def prepare(self, doing: Doing, manifest: Manifest, look: Look) -> Ready:
        bundle = await collect(doing.cluster, _ref_of(manifest), doing.snapshot)
        return Ready(manifest=manifest, evidence={key: value for key, value in bundle.items() if key != "manifest"})

    async def remove(self, doing: Doing, doomed: Doomed) -> Removed:
        settings: CrashLoopSettings = self.settings_of(doing.step.parameters)
        if settings.remedy is Remedy.DELETE:
            return await super().remove(doing, doomed)
        return await _scale_to_zero(doing, doomed, settings)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        changes = outcome.inverse.get("changes") or ()
        if not changes:
            return await super().undo(doing, outcome)
        left = [why for each in changes if (why := await _return(doing, each))]
        message = f"{len(changes) - len(left)} workloads have their replicas again" + "".join(
            f"; {why}" for why in left
        )
        return Outcome(result=Result.FAILED if left else Result.DONE, message=message)


async def _scale_to_zero(doing: Doing, doomed: Doomed, settings: CrashLoopSettings) -> Removed:
    """The top workload of the pod. Raises Conflict when it was changed at the last moment, or works again."""
    owner = _scalable(doing.snapshot, doomed.ref.key)
    live = await doing.cluster.read(owner) if owner else None
    if owner is None or live is None:
        return Removed(was_there=False)
    replicas = live["spec"].get("replicas", 1)
    if replicas == 0:  # by another pod of it
        return Removed(was_there=True)
    if any(pod.ready for pod in doing.snapshot.pods_of(owner.key)):
        raise Conflict(f"{owner.key} has pods that work")
    until = doing.clock.now() + settings.returns_after
    what = f"scaled to zero because its pods crash again and again ({doomed.reason})"
    change = Change(target=owner, what=what, path=REPLICAS, before=replicas, after=0, until=until)
    lease = await doing.store.lease(change)
    body = {"metadata": {"annotations": {marks.OWNED_BY_RUN: doing.mark}}, "spec": {"replicas": 0}}
    await doing.cluster.patch(owner, body, resource_version=live["metadata"]["resourceVersion"])
    await doing.cluster.event(owner, reason="ScaledToZero", message=f"{what}; back at {until:%Y-%m-%d %H:%M} UTC")
    kept = {"kind": owner.kind, "namespace": owner.namespace, "name": owner.name, "uid": owner.uid}
    return Removed(was_there=True, inverse={"target": kept, "replicas": replicas, "lease": str(lease)})


async def _return(doing: Doing, inverse: Mapping[str, Any]) -> str:
    """Give a workload its replicas back; why not, when somebody has scaled it since."""
    target = ObjectRef(**inverse["target"])
    live = await doing.cluster.read(target)
    if live is not None and live["spec"].get("replicas", 1) == 0:
        body = {"metadata": {"annotations": {marks.OWNED_BY_RUN: None}}, "spec": {"replicas": inverse["replicas"]}}
        await doing.cluster.patch(target, body, resource_version=live["metadata"]["resourceVersion"])
        live = None
    await doing.store.release(UUID(inverse["lease"]))
    return "" if live is None else f"{target.key} has been scaled by somebody else since, and is left"


def _scalable(snapshot: ClusterSnapshot, pod: ObjectKey) -> ObjectRef | None:
    """The highest owner of the pod that can be scaled and that is still there."""
    row = snapshot.find(pod)
    for key in reversed(snapshot.owners(row) if row is not None else ()):
        if key.kind in SCALABLE and (owner := snapshot.find(key)) is not None:
            return key.ref(owner.uid)
    return None


def _doubt(look: Look, pod: PodRow) -> str:
    """Why the pod's workload cannot be scaled to zero; deleting the pod needs nothing else."""
    if look.settings.remedy is Remedy.DELETE:
        return ""
    owner = _scalable(look.snapshot, pod.key)
    if owner is None:
        return "belongs to nothing that could be scaled to zero; remedy delete would delete it"
    if any(other.ready for other in look.snapshot.pods_of(owner.key)):
        return f"crashes, but other pods of {owner.key} work"
    return ""


def _loops(look: Look, pod: PodRow) -> bool:
    """Whether a container is in back-off or has just crashed, often enough, and the pod has not worked for as long."""
    crashing = any(
        each.restarts >= look.settings.restarts and (each.reason == BACK_OFF or each.state == "terminated")
        for each in pod.statuses
    )
    since = pod.ready_changed_at or pod.created_at
    return (
        crashing and not pod.ready and not pod.finished and look.older(look.settings.min_age, pod.created_at or since)
    )


def _restarts(pod: PodRow) -> int:
    return max((each.restarts for each in pod.statuses), default=0)


def _ref_of(manifest: Manifest) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectKey("Pod", metadata["namespace"], metadata["name"]).ref(metadata["uid"])
