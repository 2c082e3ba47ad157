"""Changes that are made for a while: leased before, and taken back as the product's own code says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace as changed
from tests.support.simulation.cluster import SimulatedCluster
from tests.support.simulation.controllers import Controllers
from tests.support.simulation.invariants import Invariants

from auto_healing.actions.action import Change
from auto_healing.actions.nodes.cordons import (
    Cordon,
    cordon_in,
    cordon_of,
    patch_uncordoning,
)
from auto_healing.leased import ChangeState, LeasedChange, RunBrief
from auto_healing.marks import CORDONED_BY
from auto_healing.returning import Next, judge, lift_orphan, orphans, over
from auto_healing.run import Run
from common.cluster.rows import DeploymentRow, NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectRef

CORDONED_FOR, AVOIDED_FOR, PAUSED_FOR = timedelta(hours=4), timedelta(hours=4), timedelta(hours=4)
SERVED = timedelta(hours=1)
PARALLEL = 10


@dataclass
class Leases:
    """`people` are names of nodes that a person cordoned."""

    cluster: SimulatedCluster
    controllers: Controllers
    invariants: Invariants
    people: set[str]

    def __post_init__(self) -> None:
        self.changes: dict[UUID, LeasedChange] = {}

    @property
    def now(self) -> datetime:
        return self.cluster.agenda.now

    def _lease(
        self, run: Run, target: ObjectRef, what: str, path: tuple[str, ...], *, after: Any, lasts: timedelta
    ) -> UUID:
        if held := self._held_by(run):
            return held.id
        change = Change(target=target, what=what, path=path, before=None, after=after, until=self.now + lasts)
        made = LeasedChange(
            id=UUID(int=self.cluster.random.getrandbits(128)),
            run_id=run.id,
            change=change,
            made_at=self.now,
            state=ChangeState.HELD,
        )
        self.changes[made.id] = made
        return made.id

    def _held_by(self, run: Run) -> LeasedChange | None:
        return next((each for each in self.changes.values() if each.run_id == run.id), None)

    def _release(self, run: Run) -> None:
        if held := self._held_by(run):
            del self.changes[held.id]

    def _closed(self) -> list[NodeRow]:
        return [node for node in self.cluster.store.rows(NodeRow).values() if node.unschedulable]

    def cordoned_by(self) -> set[UUID]:
        """Runs whose cordons are there."""
        runs = (cordon_in(node).run_id for node in self._closed())
        return {run_id for run_id in runs if run_id is not None}

    def sweep(self, snapshot: ClusterSnapshot, runs: Mapping[UUID, RunBrief]) -> None:
        """Takes back what is over, and lifts cordons that nobody will lift."""
        held = list(self.changes.values())
        ended = [(each, why) for each in held if (why := over(each, snapshot, runs, self.now))]
        gone = {each.id for each, _ in ended}
        for each, why in ended:
            self._settle(each, why, [other for other in held if other.id not in gone])
        nodes = [node for node in self._closed() if cordon_in(node).ours]
        for node in orphans(nodes, list(self.changes.values()), runs):
            mine: Cordon = cordon_of(self.manifest(node))
            if mine.mark == cordon_in(node).mark and lift_orphan(node, snapshot, self.now):
                self.patch(node, patch_uncordoning())

    def _settle(self, held: LeasedChange, why: str, others: Sequence[LeasedChange]) -> None:
        row: Any = self.cluster.store.find(held.key)
        live = self.manifest(row) if row is not None and row.uid == held.change.target.uid else None
        verdict = judge(held, live, others, why)
        if verdict.patch is not None and verdict.next is not Next.CONFLICT:
            self.patch(row, verdict.patch)
        del self.changes[held.id]

    def manifest(self, row: NodeRow | DeploymentRow) -> dict[str, Any]:
        """As far as the pure code of leased changes reads it."""
        meta: dict[str, Any] = {"name": row.name, "annotations": dict(row.annotations)}
        if isinstance(row, DeploymentRow):
            return {"metadata": meta, "spec": {"paused": row.paused or None}}
        ours = {"f:metadata": {"f:annotations": {f"f:{CORDONED_BY}": {}}}} if row.name not in self.people else {}
        if row.unschedulable:
            fields = {"f:spec": {"f:unschedulable": {}}, **ours}
            meta["managedFields"] = [{"manager": "auto-healing" if ours else "kubectl", "fieldsV1": fields}]
        taints = [{"key": taint.key, "effect": taint.effect, "value": taint.value} for taint in row.taints]
        spec = {"unschedulable": row.unschedulable or None, "taints": taints}
        return {"metadata": meta, "spec": spec}

    def patch(self, row: NodeRow | DeploymentRow, patch: Mapping[str, Any]) -> None:
        """A merge patch of what `manifest` shows."""
        fields: dict[str, Any] = {}
        notes = dict(row.annotations) | (patch.get("metadata") or {}).get("annotations", {})
        fields["annotations"] = {key: value for key, value in notes.items() if value is not None}
        spec = patch.get("spec") or {}
        if "unschedulable" in spec:
            fields["unschedulable"] = bool(spec["unschedulable"])
            if not fields["unschedulable"]:
                self.invariants.lifts(row, self.people)
        if "paused" in spec:
            fields["paused"] = bool(spec["paused"])
            self.cluster.touched[row.key] = None
        if "taints" in spec:
            known = {(taint.key, taint.effect): taint for taint in getattr(row, "taints", ())}
            fields["taints"] = tuple(known[each["key"], each["effect"]] for each in spec["taints"])
        self.cluster.put(changed(row), **fields)
