"""Whether another pod can be started before one goes, and how. Pure: the same before the step and during it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from auto_healing.actions.pods.standing import refusal_of
from auto_healing.actions.rollouts.progress import extra_pods, missing_pods, under_way
from auto_healing.actions.rollouts.workloads import put_back_by
from auto_healing.actions.rollouts.workloads import refusal_of as refusal_of_rollout
from auto_healing.kube.revisions import TEMPLATE_HASH
from common.cluster.rows import (
    DeploymentRow,
    HorizontalPodAutoscalerRow,
    PersistentVolumeClaimRow,
    PodRow,
    Row,
)
from common.cluster.snapshot import ClusterSnapshot

ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


class Way(StrEnum):
    ROLLOUT = "rollout"  # the Deployment's own rolling update, which starts a new pod before it ends an old one
    EXTRA_POD = "extra-pod"  # one replica more for a while


@dataclass(frozen=True, slots=True)
class Surge:
    """How it is done, or why not. `pod` is the one that goes; None: all of the Deployment's."""

    refusal: str = ""
    way: Way = Way.ROLLOUT
    deployment: DeploymentRow | None = None
    pod: PodRow | None = None


def surge_of(target: Row, snapshot: ClusterSnapshot) -> Surge:
    """Of a pod or a Deployment, as the snapshot has them. Raises ValueError for anything else."""
    if isinstance(target, DeploymentRow):
        return decided(target, None, snapshot)
    if not isinstance(target, PodRow):
        raise ValueError(f"this is for a Pod or a Deployment, not for {target.key}")  # noqa: TRY004 - a wrong request
    if refusal := refusal_of(target, snapshot):
        return Surge(refusal)
    owner = snapshot.find(snapshot.top_owner(target))
    if not isinstance(owner, DeploymentRow):
        return Surge(_not_a_deployment(target, snapshot))
    return decided(owner, target, snapshot)


def _not_a_deployment(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    owner = snapshot.top_owner(pod)
    if owner.kind == "StatefulSet":
        return (
            f"{pod.name} has a name and storage of its own in StatefulSet {owner.name}: no second one can run beside it"
        )
    return f"{pod.name} belongs to {owner.kind} {owner.name}, which cannot start another pod before this one goes"


def decided(deployment: DeploymentRow, pod: PodRow | None, snapshot: ClusterSnapshot) -> Surge:
    """A single replica is replaced by a rollout, where its strategy surges; one pod of several by an extra one."""
    refusal = _refusal(deployment, pod, snapshot)
    if refusal:
        return Surge(refusal)
    alone = deployment.replicas == 1
    if (pod is None or alone) and extra_pods(deployment) and not missing_pods(deployment):
        return Surge(way=Way.ROLLOUT, deployment=deployment)
    if pod is None and not alone:
        return Surge(
            f"{deployment.name} lets {missing_pods(deployment)} of {deployment.replicas} pods be missing while it "
            "rolls: restart-rollout does that; name one pod to have it replaced by an extra one"
        )
    return Surge(_extra_refusal(deployment, snapshot), Way.EXTRA_POD, deployment, pod)


def _refusal(deployment: DeploymentRow, pod: PodRow | None, snapshot: ClusterSnapshot) -> str:
    name = deployment.name
    if refusal := refusal_of_rollout(deployment):
        return refusal
    if deployment.strategy == "Recreate":
        return f"{name} has the strategy Recreate: its pods must not run side by side"
    if _rolling(deployment, snapshot):
        return f"a rollout of {name} is under way; there is no telling which pod it takes next"
    pods = [pod] if pod else list(snapshot.pods_of(deployment.key))
    claim = next((claim for each in pods for claim in _one_node_claims(each, snapshot)), "")
    if claim:
        return f"{name} mounts {claim}, which only one node may write: no second pod can run beside the first"
    return ""


def _rolling(deployment: DeploymentRow, snapshot: ClusterSnapshot) -> bool:
    """Pods of two templates. That some are not Ready is no rollout."""
    pods = [pod for pod in snapshot.pods_of(deployment.key) if not pod.finished and pod.deleted_at is None]
    return under_way(deployment) and len({pod.labels.get(TEMPLATE_HASH, "") for pod in pods}) > 1


def _one_node_claims(pod: PodRow, snapshot: ClusterSnapshot) -> Sequence[str]:
    """Claims of which it is not known that several nodes may mount them. A pod's very own each pod gets anew."""
    found = [(claim, snapshot.get(PersistentVolumeClaimRow, claim, pod.namespace)) for claim in pod.claims]
    return [claim for claim, row in found if row is None or (not _own(row) and _for_one_node(row))]


def _own(claim: PersistentVolumeClaimRow) -> bool:
    return claim.owner is not None and claim.owner.kind == "Pod"


def _for_one_node(claim: PersistentVolumeClaimRow) -> bool:
    return not claim.access_modes or bool(ONE_NODE & set(claim.access_modes))


def _extra_refusal(deployment: DeploymentRow, snapshot: ClusterSnapshot) -> str:
    for hpa in snapshot.rows(HorizontalPodAutoscalerRow).values():
        if (hpa.namespace, hpa.target_kind, hpa.target_name) == (
            deployment.namespace,
            "Deployment",
            deployment.name,
        ):
            return f"HorizontalPodAutoscaler {hpa.name} would take the extra pod of {deployment.name} away again"
    return put_back_by(deployment)
