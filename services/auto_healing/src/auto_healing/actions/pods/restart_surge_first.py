"""Restart a pod, or a Deployment, so that another pod is Ready before one goes."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS, keep_evidence
from auto_healing.actions.nodes.parameters import LEASE_MINUTES, minutes, only_known
from auto_healing.actions.pods.extra_pod import ExtraPod, pods_of
from auto_healing.actions.pods.leaving import cannot_be_undone
from auto_healing.actions.pods.standing import SECONDS_TO_START, USUAL_GRACE_SECONDS
from auto_healing.actions.pods.surge import Surge, Way, decided, surge_of
from auto_healing.actions.rollouts.progress import complete
from auto_healing.actions.rollouts.restart_rollout import restart, template_mark
from auto_healing.actions.rollouts.templates import merge_patch, same, same_but_restarted
from auto_healing.actions.rollouts.workloads import mark_of, rolled_out
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.revisions import controller_of, revisions_of
from auto_healing.kube.rows import live_row, ref_of
from auto_healing.marks import OWNED_BY_RUN
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import DeploymentRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectRef

LEASE = 30


class RestartSurgeFirst:
    """For a single replica, or where a budget leaves no room: whatever happens, no fewer pods are Ready than before."""

    code: ClassVar[str] = "restart-surge-first"
    title: ClassVar[str] = "Restart a pod or Deployment with another pod Ready before one goes"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Pod", "Deployment"})
    expects: ClassVar[str] = "The pod was replaced, and at no moment were fewer Ready."
    undoable: ClassVar[str] = (
        "While it is unfinished: the extra pod goes, or the rollout is turned back to the pods that were left."
    )
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="deployments", verbs=("get", "patch")),
        Permission(group="", resource="pods", verbs=("get", "list", "patch")),
        Permission(group="", resource="pods/eviction", verbs=("create",)),
        Permission(group="policy", resource="poddisruptionbudgets", verbs=("list",)),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {
        LEASE_MINUTES: f"minutes after which an extra replica goes by itself, {LEASE} unless said otherwise, a week at "
        "most; it goes at once when its work is done"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        minutes(parameters, LEASE_MINUTES, LEASE)
        surge = surge_of(target, snapshot)
        if surge.refusal or surge.deployment is None:
            return Preview(refusal=surge.refusal)
        name, pod = surge.deployment.name, surge.pod
        pods = [pod] if pod else [each for each in snapshot.pods_of(surge.deployment.key) if not each.finished]
        changes = (f"{name} rolls its pods over; its strategy starts a new one before an old one ends",)
        if surge.way is Way.EXTRA_POD:
            more = surge.deployment.replicas + 1
            going = pod.name if pod else "the old pod"
            changes = (f"{name} gets {more} replicas for a while; when the new pod is Ready, {going} goes",)
        return Preview(
            displaced=tuple(each.key.ref(each.uid) for each in pods),
            changes=changes,
            expected_seconds=(USUAL_GRACE_SECONDS + SECONDS_TO_START) * max(1, len(pods)),
        )

    async def apply(self, doing: Doing) -> Outcome:
        pod, found = await _read(doing)
        if found is None:
            return Outcome(result=Result.ALREADY, message=f"{doing.step.target.name} is gone already")
        if template_mark(found) == doing.mark:
            return await _by_rollout(doing, found)
        if mark_of(found) == doing.mark:
            return await _by_extra_pod(doing, found)
        surge = _decided(doing, found, pod)
        if surge.refusal:
            return Outcome(result=Result.FAILED, message=surge.refusal)
        return await (_by_rollout if surge.way is Way.ROLLOUT else _by_extra_pod)(doing, found)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        _, found = await _read(doing)
        if found is None:
            return cannot_be_undone()
        name = found["metadata"]["name"]
        if mark_of(found) == doing.mark:
            await _extra_pod(doing, found, doing.step.target).take_back(found)
            return Outcome(result=Result.DONE, message=f"the extra pod of {name} was taken back")
        if not complete(live_row(DeploymentRow, found)) and await _turn_back(doing, ref_of(found)):
            return Outcome(result=Result.DONE, message=f"the rollout of {name} was turned back")
        return cannot_be_undone()


def _decided(doing: Doing, found: Manifest, pod: Manifest | None) -> Surge:
    """As the preview decides, on what was just read."""
    if pod is None:
        return decided(live_row(DeploymentRow, found), None, doing.snapshot)
    row = live_row(PodRow, pod)
    surge = surge_of(row, doing.snapshot)
    return surge if surge.refusal else decided(live_row(DeploymentRow, found), row, doing.snapshot)


async def _read(doing: Doing) -> tuple[Manifest | None, Manifest | None]:
    """The pod, where one is the target, and its Deployment."""
    target = doing.step.target
    found = await doing.cluster.read(target)
    if target.kind == "Deployment":
        return None, found
    if found is None or found["metadata"].get("deletionTimestamp"):
        return None, await _marked(doing)
    replica_set = await _owner(doing, found)
    return found, await _owner(doing, replica_set) if replica_set else None


async def _owner(doing: Doing, found: Manifest) -> Manifest | None:
    owner = controller_of(found)
    if owner.get("kind") not in {"ReplicaSet", "Deployment"}:
        return None
    namespace = found["metadata"]["namespace"]
    ref = ObjectRef(kind=owner["kind"], namespace=namespace, name=owner["name"], uid=owner["uid"])
    return await doing.cluster.read(ref)


async def _marked(doing: Doing) -> Manifest | None:
    """The Deployment that an earlier try has given one replica more, when its pod has gone already."""
    for row in doing.snapshot.rows(DeploymentRow).values():
        if row.annotations.get(OWNED_BY_RUN) == doing.mark:
            return await doing.cluster.read(row.key.ref(row.uid))
    return None


async def _by_extra_pod(doing: Doing, found: Manifest) -> Outcome:
    pod = doing.step.target
    if pod.kind != "Pod":
        pods = [each for each in await pods_of(doing, found) if not each["metadata"].get("deletionTimestamp")]
        if not pods:
            return Outcome(result=Result.FAILED, message=f"{pod.name} has no pod to replace")
        pod = ref_of(pods[0])
    return await _extra_pod(doing, found, pod).replace(found)


def _extra_pod(doing: Doing, found: Manifest, pod: ObjectRef) -> ExtraPod:
    return ExtraPod(doing, ref_of(found), pod, minutes(doing.step.parameters, LEASE_MINUTES, LEASE))


async def _by_rollout(doing: Doing, found: Manifest) -> Outcome:
    deployment = ref_of(found)
    if template_mark(found) != doing.mark:
        for pod in await pods_of(doing, found):
            await keep_evidence(doing, ref_of(pod), found=pod)
        await restart(doing, found)
    finished, far = await rolled_out(doing, deployment)
    if finished:
        return Outcome(result=Result.DONE, message=f"{deployment.name} was restarted, new pods first: {far}")
    turned_back = await _turn_back(doing, deployment)
    end = "the rollout was turned back" if turned_back else "the rollout could not be turned back"
    message = f"no new pod of {deployment.name} became Ready in time ({far}); the old ones were left, and {end}"
    return Outcome(result=Result.BLOCKED, message=message)


async def _turn_back(doing: Doing, deployment: ObjectRef) -> bool:
    """To the template before the restart, which the pods that were left still have."""
    found = await doing.cluster.read(deployment)
    if found is None or template_mark(found) != doing.mark:
        return False  # somebody has rolled out another template since
    template = found["spec"]["template"]
    for revision in reversed(await revisions_of(doing.cluster, found)):
        if same_but_restarted(revision.template, template) and not same(revision.template, template):
            patch = merge_patch(template, revision.template)
            version = found["metadata"]["resourceVersion"]
            await doing.cluster.patch(deployment, {"spec": {"template": patch}}, resource_version=version)
            return True
    return False
