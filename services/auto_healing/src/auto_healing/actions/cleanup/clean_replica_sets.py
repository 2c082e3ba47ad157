"""ReplicaSets that a Deployment has left behind. Those that it owns are its revisions, which it limits itself."""

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Unproven, candidate, kept_newer, unproven
from auto_healing.actions.cleanup.settings import ReplicaSetSettings
from auto_healing.kube.cluster import Manifest
from common.cluster.rows import DeploymentRow, ReplicaSetRow

HASH = "pod-template-hash"  # a label that Deployments give to theirs


class CleanReplicaSets(Cleanup):
    code: ClassVar[str] = "clean-replica-sets"
    title: ClassVar[str] = "Delete ReplicaSets without pods that belong to no Deployment any more"
    kind: ClassVar[str] = "ReplicaSet"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("ReplicaSet")
    settings: ClassVar[type[ReplicaSetSettings]] = ReplicaSetSettings
    owned: ClassVar[bool] = True
    made: ClassVar[bool] = True

    async def find(self, look: Look) -> Found:
        sets = [each for each in look.snapshot.rows(ReplicaSetRow).values() if look.covers(each)]
        idle = [each for each in sets if _is_idle(look, each)]
        orphans = [candidate(each, f"belonged to Deployment {each.owner.name}, which is gone") for each in idle
                   if each.owner is not None and _owner_is_gone(look, each)]  # fmt: skip
        left, doubtful = _beyond_limit(look, [each for each in idle if each.owner is None])
        return Found(candidates=(*orphans, *left), unproven=tuple(doubtful), total=len(sets))

    def changed(self, manifest: Manifest) -> str:
        replicas = (manifest.get("spec") or {}).get("replicas"), (manifest.get("status") or {}).get("replicas")
        return "" if replicas == (0, 0) else "has replicas"


def _is_idle(look: Look, each: ReplicaSetRow) -> bool:
    empty = each.replicas == 0 and each.current_replicas == 0 and not look.snapshot.pods_of(each.key)
    return empty and look.older(look.settings.min_age, each.created_at)


def _owner_is_gone(look: Look, each: ReplicaSetRow) -> bool:
    owner = each.owner
    if owner is None or owner.kind != "Deployment" or not look.knows(DeploymentRow):
        return False
    return not look.lives(DeploymentRow, each, owner)


def _beyond_limit(look: Look, unowned: list[ReplicaSetRow]) -> tuple[list[Candidate], list[Unproven]]:
    """The oldest of each family; what somebody has made by hand and parked at zero is his."""
    families: dict[tuple[str, tuple[tuple[str, str], ...]], list[ReplicaSetRow]] = defaultdict(list)
    doubtful: list[Unproven] = []
    for each in unowned:
        if HASH not in each.labels:
            doubtful.append(unproven(each, "was made by hand and may be scaled to zero for a while"))
        elif not _to_be_adopted(look, each):
            labels = sorted((key, value) for key, value in each.labels.items() if key != HASH)
            families[each.namespace, tuple(labels)].append(each)
    return [each for family in families.values() for each in _oldest(family, look.settings.keep)], doubtful


def _to_be_adopted(look: Look, each: ReplicaSetRow) -> bool:
    """By a Deployment that selects it: its controller will, and then it is a revision."""
    deployments = look.snapshot.rows(DeploymentRow).values()
    return not look.knows(DeploymentRow) or any(
        deployment.namespace == each.namespace and deployment.selector.matches(each.labels)
        for deployment in deployments
    )


def _oldest(family: list[ReplicaSetRow], keep: int) -> Iterator[Candidate]:
    family.sort(key=lambda each: (each.created_at.timestamp() if each.created_at else 0.0, each.name), reverse=True)
    for each in family[keep:]:
        yield candidate(each, f"has no owner and no pods{kept_newer(keep, 'like it')}")
