"""What all cleanup actions share: many objects are deleted in one step, each looked at again just before.

A step names a rule and a namespace. When it is carried out, what is marked and due is read anew, judged anew, stored in
batches and then deleted, guarded by uid and version. After a crash the same again goes on with what is left.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from auto_healing.actions.action import Doing, Doomed, Marked, Outcome, Permission, Preview, Result, Spared
from auto_healing.actions.cleanup.keeping import changed_at, kept_because
from auto_healing.actions.cleanup.pace import Pace
from auto_healing.actions.cleanup.reading import Read, in_batches
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.paths import resource_of
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, ObjectRef
from common.contracts.objects import CLUSTER
from common.kube.errors import Conflict

SECONDS_PER_OBJECT = 0.01
WARNINGS = 20  # events about an object that are kept as evidence
NOT_IN_STEPS = frozenset({"mode", "schedule", "time_zone", "namespaces", "scans", "grace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An object that is prepared to be deleted: what to keep of it, or why it is left after all."""

    manifest: Manifest
    evidence: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What became of one object. `inverse` is what an undo needs, where there is one."""

    was_there: bool
    inverse: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Tally:
    """How many of the objects went which way."""

    deleted: int = 0
    gone: int = 0
    spared: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    inverses: list[Mapping[str, Any]] = field(default_factory=list)

    def remove(self, removed: Removed) -> None:
        self.deleted += removed.was_there
        self.gone += not removed.was_there
        if removed.inverse is not None:
            self.inverses.append(removed.inverse)

    def spare(self, spared: Sequence[Spared]) -> None:
        self.spared += len(spared)
        for each in spared:
            self.reasons[each.reason] = self.reasons.get(each.reason, 0) + 1


@dataclass(slots=True, kw_only=True)
class _Work:
    """One step being carried out. `found` is what the rule finds now."""

    doing: Doing
    look: Look
    found: Collection[ObjectRef]
    tally: _Tally = field(default_factory=_Tally)
    pace: Pace = field(default_factory=Pace)


class Cleanup:
    """Base of the rules, which say what to find. `kind` is of the objects, `annotates` whether they get a mark.

    `owned` tells that having an owner is no reason against deleting, `made` that controllers make them and give them
    labels which say nothing of themselves.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[str]
    settings: ClassVar[type[RuleSettings]]
    annotates: ClassVar[bool] = True
    owned: ClassVar[bool] = False
    made: ClassVar[bool] = False
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({CLUSTER, "PersistentVolume"})
    expects: ClassVar[str] = "What was due is gone, and nobody misses it; each object can be restored from its manifest"
    permissions: ClassVar[tuple[Permission, ...]]
    undoable: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, str]] = {
        "due_by": "instant in RFC 3339; what was marked and due by then may go",
        "planned": "number of objects that may go at most; when more are due, nothing is touched",
    }

    async def find(self, look: Look) -> Found:
        """What nobody uses, with the age and scope that the settings ask for. Raises KubeErrors."""
        raise NotImplementedError

    def changed(self, manifest: Manifest) -> str:
        """Why the live object is not what was looked for any more; empty when it is."""
        return ""

    def kept(self, manifest: Manifest) -> str:
        """Why the live object is left, whatever was found; the end of a sentence."""
        return kept_because(manifest, owned=self.owned, made=self.made) or self.changed(manifest)

    async def prepare(self, doing: Doing, manifest: Manifest, look: Look) -> Ready:
        """Whatever has to be done or read before the object may go."""
        return Ready(manifest=manifest)

    async def remove(self, doing: Doing, doomed: Doomed) -> Removed:
        """Raises Conflict when it was changed since it was read."""
        version = doomed.manifest["metadata"].get("resourceVersion", "")
        return Removed(was_there=await doing.cluster.delete(doomed.ref, resource_version=version))

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        if "due_by" not in parameters:
            return Preview(refusal=f"it is run by its schedule, or by POST /api/v1/cleanup/{self.code}/run")
        planned = int(parameters.get("planned", 0))
        self.settings_of(parameters)
        changes = (f"up to {planned} of kind {self.kind} are deleted",)
        return Preview(changes=changes, expected_seconds=planned * SECONDS_PER_OBJECT)

    def settings_of(self, parameters: Parameters) -> Any:
        """Raises ValueError for wrong ones."""
        return self.settings.model_validate(
            {key: value for key, value in parameters.items() if key in self.settings.model_fields}
        )

    async def apply(self, doing: Doing) -> Outcome:
        parameters = doing.step.parameters
        due = await self._due(doing)
        planned = int(parameters["planned"])
        if len(due) > planned:
            message = f"{len(due)} objects are due where {planned} were planned, so nothing was touched"
            return Outcome(result=Result.FAILED, message=message, numbers={"due": len(due), "planned": planned})
        look = Look(
            now=doing.clock.now(),
            snapshot=doing.snapshot,
            cluster=doing.cluster,
            settings=self.settings_of(parameters),
        )
        found = {each.ref for each in (await self.find(look)).candidates} if due else set()
        work = _Work(doing=doing, look=look, found=found)
        async for batch in in_batches(doing.cluster, due, work.pace):
            if doing.clock.now() >= doing.deadline:
                return _outcome(work.tally, Result.FAILED, f"time was up before all {len(due)} had their turn: ")
            await self._batch(work, batch)
        return _outcome(work.tally, Result.DONE if work.tally.deleted else Result.ALREADY)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        message = f"what run {doing.run_id} deleted is restored one by one, from its manifests"
        return Outcome(result=Result.FAILED, message=message)

    async def _due(self, doing: Doing) -> Sequence[Marked]:
        target = doing.step.target
        due_by = datetime.fromisoformat(str(doing.step.parameters["due_by"]))
        due = await doing.store.marked(self.code, target.namespace, due_by)
        return due if target.kind == CLUSTER else [each for each in due if each.ref.key == target.key]

    async def _batch(self, work: "_Work", batch: Sequence[Read]) -> None:
        """Judge them, store what is kept of them, and only then delete them."""
        store, tally = work.doing.store, work.tally
        judged = await work.pace.map(lambda read: self._judge(work, *read), batch)
        doomed = [each for each in judged if isinstance(each, Doomed)]
        spared = [each for each in judged if isinstance(each, Spared)]
        tally.gone += len(batch) - len(doomed) - len(spared)
        if doomed or spared:
            await store.save_batch(doomed, spared)
        results = await work.pace.map(lambda each: self._remove(work.doing, each), doomed)
        for result in results:
            if isinstance(result, Removed):
                tally.remove(result)
        if late := [result for result in results if isinstance(result, Spared)]:
            await store.save_batch((), late)
        tally.spare([*spared, *late])

    async def _judge(self, work: "_Work", marked: Marked, manifest: Manifest | None) -> Doomed | Spared | None:
        """None when it is gone."""
        doing = work.doing
        if manifest is None:
            return None
        touched_at = changed_at(manifest)
        if marked.ref not in work.found:
            return Spared(ref=marked.ref, reason="is used again, or cannot be proven unused any more")
        if touched_at is not None and touched_at > marked.since:
            return Spared(ref=marked.ref, reason="was changed since it was marked")
        if kept := self.kept(manifest):
            return Spared(ref=marked.ref, reason=kept)
        ready = await self.prepare(doing, manifest, work.look)
        if ready.refusal:
            return Spared(ref=marked.ref, reason=ready.refusal)
        evidence = {"reason": marked.reason, **_seen(marked.ref.key, doing.snapshot), **ready.evidence}
        return Doomed(ref=marked.ref, reason=marked.reason, manifest=ready.manifest, evidence=evidence)

    async def _remove(self, doing: Doing, doomed: Doomed) -> Removed | Spared:
        try:
            return await self.remove(doing, doomed)
        except Conflict:
            return Spared(ref=doomed.ref, reason="was changed at the last moment")


def permissions_on(kind: str) -> tuple[Permission, ...]:
    """To find, mark and delete objects of a kind."""
    resource = resource_of(kind)
    return (Permission(group=resource.group, resource=resource.plural, verbs=("get", "list", "patch", "delete")),)


# Whatever exists may refer to something; a kind that may not be listed proves nothing to be unused.
LIST_EVERYTHING = Permission(group="*", resource="*", verbs=("list",))


def _seen(key: ObjectKey, snapshot: ClusterSnapshot) -> dict[str, Any]:
    """Of the cluster around it; its own status is in the manifest."""
    row = snapshot.find(key)
    warnings = list(islice(snapshot.warnings_about(key), WARNINGS))
    return {
        "owners": [str(owner) for owner in snapshot.owners(row)] if row is not None else [],
        "warnings": [
            {"reason": each.reason, "message": each.message, "count": each.count, "last_at": each.last_at}
            for each in warnings
        ],
    }


def _outcome(tally: _Tally, result: Result, prefix: str = "") -> Outcome:
    parts = [f"{tally.deleted} deleted"]
    parts += [f"{tally.gone} were gone already"] if tally.gone else []
    parts += [f"{count} left because it {reason}" for reason, count in sorted(tally.reasons.items())]
    return Outcome(
        result=result,
        message=prefix + ", ".join(parts),
        numbers={"deleted": tally.deleted, "gone": tally.gone, "left": tally.spared},
        inverse={"changes": tally.inverses} if tally.inverses else {},
    )
