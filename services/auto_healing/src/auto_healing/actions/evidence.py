"""Evidence is a precondition of destruction: what is kept of an object before it is deleted."""

from uuid import UUID

from auto_healing.actions.action import Doing, Permission
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.evidence import collect
from common.contracts import ObjectRef

EVIDENCE_PERMISSIONS: tuple[Permission, ...] = (
    Permission(group="", resource="pods", verbs=("get", "list")),
    Permission(group="", resource="pods/log", verbs=("get",)),
    Permission(group="", resource="events", verbs=("list",)),
    Permission(group="apps", resource="deployments", verbs=("get",)),
    Permission(group="apps", resource="replicasets", verbs=("get", "list")),
    Permission(group="apps", resource="statefulsets", verbs=("get",)),
    Permission(group="apps", resource="daemonsets", verbs=("get",)),
    Permission(group="apps", resource="controllerrevisions", verbs=("list",)),
    Permission(group="batch", resource="jobs", verbs=("get",)),
    Permission(group="batch", resource="cronjobs", verbs=("get",)),
)


async def keep_evidence(doing: Doing, ref: ObjectRef, *, found: Manifest | None = None) -> UUID:
    """Collected and stored when it returns; the id of the bundle. Raises what reading or storing raises.

    `found` is the object where it was read a moment ago.
    """
    return await doing.store.save_evidence(ref, await collect(doing.cluster, ref, doing.snapshot, found=found))
