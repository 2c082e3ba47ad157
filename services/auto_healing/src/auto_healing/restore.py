"""Restores a removed object from its manifest, once, at a person's word: told to the ledger first, and then done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auto_healing import marks
from auto_healing.actions.action import Permission
from auto_healing.kube.cluster import Cluster, NotActing
from auto_healing.kube.cluster import Manifest as Object
from auto_healing.kube.paths import RESOURCES_BY_KIND
from auto_healing.kube.restorable import NotRestorable, restorable
from auto_healing.storage.ledger import Entry, append
from auto_healing.storage.manifests import Manifest, mark_restored, ref_of
from common.contracts import ObjectRef
from common.database.connections import Database
from common.kube.errors import Conflict, Forbidden, Invalid, KubeError, NotFound

# What RBAC must allow for it: to create what cleanup removes, and to give a claim its volume back.
PERMISSIONS = (
    Permission(group="", resource="configmaps", verbs=("get", "create")),
    Permission(group="", resource="persistentvolumeclaims", verbs=("get", "create")),
    Permission(group="", resource="persistentvolumes", verbs=("get", "create", "patch")),
    Permission(group="", resource="pods", verbs=("get", "create")),
    Permission(group="", resource="services", verbs=("get", "create")),
    Permission(group="apps", resource="replicasets", verbs=("get", "create")),
    Permission(group="autoscaling", resource="horizontalpodautoscalers", verbs=("get", "create")),
    Permission(group="batch", resource="jobs", verbs=("get", "create")),
    Permission(group="policy", resource="poddisruptionbudgets", verbs=("get", "create")),
)
_NEVER = (Conflict, Forbidden, Invalid, NotFound)  # asking again would not help


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The new life of the object, and what is different from the one before."""

    object: ObjectRef
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """Who wants what back, and when."""

    manifest: Manifest
    by: str
    at: datetime

    def entry(self, event: str, message: str, *, outcome: str = "", data: Mapping[str, Any] | None = None) -> Entry:
        summary = self.manifest.summary
        return Entry(
            event=event,
            at=self.at,
            object=summary.object.key,
            run_id=summary.run_id,
            action="restore",
            outcome=outcome,
            actor=self.by,
            message=message,
            data={"manifest": summary.id, **(data or {})},
        )


async def restore(manifest: Manifest, cluster: Cluster, database: Database, *, by: str, at: datetime) -> Restored:
    """Raises NotRestorable when it cannot be, NotActing and KubeErrors when it could not now. All of it is recorded."""
    wish = _Wish(manifest=manifest, by=by, at=at)
    try:
        body, notes = await _prepared(manifest, cluster)
        await _tell(database, wish.entry("restore-started", f"{by} restores {manifest.summary.object.key}"))
        await _free_volume(body, manifest, cluster)
        created = await _created(body, manifest, cluster)
    except NotRestorable as error:
        await _tell(database, wish.entry("restore-refused", str(error), outcome="refused"))
        raise
    except (KubeError, NotActing) as error:
        await _tell(database, wish.entry("restore-failed", str(error), outcome="failed"))
        if isinstance(error, _NEVER):
            raise NotRestorable(str(error)) from error
        raise
    restored = Restored(object=ref_of({**created, "kind": body["kind"]}), notes=tuple(notes))
    message = "; ".join((f"{by} restored {restored.object.key}", *notes))
    done = wish.entry("restored", message, outcome="done", data={"uid": restored.object.uid, "notes": notes})
    async with database.begin() as connection:
        await mark_restored(connection, manifest.summary.id, by=by, at=at)
        await append(connection, [done])
    await cluster.event(restored.object, reason="Restored", message=message)
    return restored


async def _prepared(manifest: Manifest, cluster: Cluster) -> tuple[dict[str, Any], list[str]]:
    """The object to create. Looks first whether it is needed and possible, so that a refusal writes nothing."""
    summary = manifest.summary
    if summary.restored_at is not None:
        when = summary.restored_at.isoformat(timespec="seconds")
        raise NotRestorable(f"{summary.object.key} was restored by {summary.restored_by} at {when} already")
    body, notes = restorable(manifest.content, summary.id, alive=await _alive(manifest.content, cluster))
    there = await cluster.read(summary.object.key.ref())
    if there is not None and not _is_ours(there, manifest):
        raise _taken(manifest)
    if there is None and (name := _volume_of(body)):
        await _free(name, manifest, cluster)
    return body, notes


def _volume_of(body: Object) -> str:
    """The volume that a claim is to be bound to again; empty when it asks for none, or is none."""
    return str(body["spec"].get("volumeName", "")) if body["kind"] == "PersistentVolumeClaim" else ""


async def _free(name: str, manifest: Manifest, cluster: Cluster) -> Object:
    """The volume, which nobody else has by now. Raises NotRestorable."""
    volume = await cluster.read(ObjectRef(kind="PersistentVolume", name=name))
    if volume is None or volume["metadata"].get("deletionTimestamp"):
        raise NotRestorable(f"its PersistentVolume {name} is gone and no snapshot of it was made: it would be empty")
    claim, former = volume["spec"].get("claimRef") or {}, manifest.summary.object
    if claim and (claim.get("namespace"), claim.get("name")) != (former.namespace, former.name):
        owner = f"{claim.get('namespace')}/{claim.get('name')}"
        raise NotRestorable(f"its PersistentVolume {name} belongs to PersistentVolumeClaim {owner} now")
    return volume


async def _free_volume(body: Object, manifest: Manifest, cluster: Cluster) -> None:
    """A volume remembers the uid of its claim, and waits for that life of it for ever."""
    name = _volume_of(body)
    if not name:
        return
    volume = await _free(name, manifest, cluster)
    if (volume["spec"].get("claimRef") or {}).get("uid") == manifest.summary.object.uid:
        ref = ref_of({**volume, "kind": "PersistentVolume"})
        await cluster.patch(ref, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})


async def _alive(content: Object, cluster: Cluster) -> set[str]:
    """Uids of the owners that still exist. Of a kind that is not known here nobody can tell, so it counts as gone."""
    metadata = content["metadata"]
    owners = [
        ObjectRef(kind=owner["kind"], namespace=metadata.get("namespace", ""), name=owner["name"], uid=owner["uid"])
        for owner in metadata.get("ownerReferences") or ()
        if owner["kind"] in RESOURCES_BY_KIND
    ]
    return {owner.uid for owner in owners if await cluster.read(owner) is not None}


async def _created(body: dict[str, Any], manifest: Manifest, cluster: Cluster) -> Object:
    """Create it. What an earlier try created, whose end was not recorded, is as good."""
    try:
        return await cluster.create(body)
    except Conflict:
        there = await cluster.read(manifest.summary.object.key.ref())
        if there is None:
            raise
        if not _is_ours(there, manifest):
            raise _taken(manifest) from None
        return there


def _is_ours(there: Object, manifest: Manifest) -> bool:
    annotations = there["metadata"].get("annotations") or {}
    return bool(annotations.get(marks.RESTORED_FROM) == str(manifest.summary.id))


def _taken(manifest: Manifest) -> NotRestorable:
    return NotRestorable(f"there is a {manifest.summary.object.key} already; nothing was changed")


async def _tell(database: Database, entry: Entry) -> None:
    async with database.begin() as connection:
        await append(connection, [entry])
