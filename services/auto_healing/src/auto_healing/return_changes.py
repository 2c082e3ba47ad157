"""The sweeper: takes leased changes back when they are over, and lifts cordons of ours that nobody else would."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from auto_healing.actions.nodes.cordons import PATH as CORDON
from auto_healing.actions.nodes.cordons import cordon_in, cordon_of, patch_uncordoning, until_text
from auto_healing.kube.cluster import Cluster
from auto_healing.leased import ChangeState, LeasedChange, RunBrief
from auto_healing.marks import CORDON_UNTIL, FENCED
from auto_healing.returning import Next, Verdict, judge, lift_orphan, orphans, over
from auto_healing.run import SERVICE
from auto_healing.storage.changes import Changes
from auto_healing.storage.ledger import Entry
from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey
from common.kube.errors import Conflict, KubeError

log = structlog.get_logger(__name__)

TRIES = 5  # of a write to an object that others write to at the same time
_STATES = {Next.RESTORE: ChangeState.RETURNED, Next.FORGET: ChangeState.RETURNED}
_STATES |= {Next.CONFLICT: ChangeState.CONFLICT, Next.GONE: ChangeState.GONE}


@dataclass(slots=True)
class Swept:
    """What one look did. What failed is tried again at the next."""

    returned: int = 0
    conflicts: int = 0
    gone: int = 0
    orphans: int = 0  # found, whether lifted or not
    lifted: int = 0
    failed: int = 0

    def count(self, state: ChangeState) -> None:
        self.returned += state is ChangeState.RETURNED
        self.conflicts += state is ChangeState.CONFLICT
        self.gone += state is ChangeState.GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look's instant and findings."""

    now: datetime
    epoch: int | None
    going_on: Collection[LeasedChange]  # changes that stay
    swept: Swept


class Sweeper:
    """For the leader alone. It only restores; each write is in the ledger before it is made, and after."""

    def __init__(self, changes: Changes, cluster: Cluster) -> None:
        self._changes = changes
        self._cluster = cluster
        self._reported: set[tuple[str, str]] = set()  # uid of the node, mark of the orphan

    async def sweep(self, snapshot: ClusterSnapshot, *, epoch: int | None, now: datetime) -> Swept:
        """One look at everything. Raises DatabaseError, Deposed and NotActing; KubeErrors are logged and counted."""
        held = await self._changes.held()
        cordoned = [node for node in snapshot.rows(NodeRow).values() if cordon_in(node).ours]
        runs = await self._runs(held, cordoned)
        ended = [(each, why) for each in held if (why := over(each, snapshot, runs, now))]
        ids = {each.id for each, _ in ended}
        going_on = [each for each in held if each.id not in ids]
        look = _Look(now=now, epoch=epoch, going_on=going_on, swept=Swept())
        for each, why in ended:
            await self._tried(self._settle(each, why, look), each.key, look)
        for node in orphans(cordoned, held, runs):
            await self._tried(self._orphan(node, snapshot, look), node.key, look)
        for node in snapshot.rows(NodeRow).values():
            if node.ready and FENCED in node.annotations:
                await self._tried(self._withdraw_fencing(node, look), node.key, look)
        for each in going_on:
            await self._tried(self._renew_mark(each, snapshot), each.key, look)
        return look.swept

    async def _runs(self, held: Collection[LeasedChange], cordoned: Collection[NodeRow]) -> Mapping[UUID, RunBrief]:
        ids = {each.run_id for each in held} | {cordon_in(node).run_id for node in cordoned}
        return await self._changes.runs(ids - {None}) if ids else {}

    async def _tried(self, work: Awaitable[None], key: ObjectKey, look: _Look) -> None:
        try:
            await work
        except KubeError as error:
            look.swept.failed += 1
            log.warning("a change could not be taken back; it is tried again", object=str(key), reason=str(error))

    async def _settle(self, due: LeasedChange, why: str, look: _Look) -> None:
        verdict = await self._carried_out(due, why, look)
        if verdict is None:
            look.swept.failed += 1  # others write to it all the time
            return
        state = _STATES[verdict.next]
        if not await self._changes.end(due.id, state, verdict.reason, epoch=look.epoch, now=look.now):
            return  # its run took it back meanwhile
        look.swept.count(state)
        log.info("a leased change has ended", object=str(due.key), state=state.value, reason=verdict.reason)
        if verdict.next in (Next.RESTORE, Next.CONFLICT):
            conflict = verdict.next is Next.CONFLICT
            reason = "ChangeNotReturned" if conflict else "ChangeReturned"
            await self._cluster.event(due.change.target, reason=reason, message=verdict.reason, warning=conflict)

    async def _carried_out(self, due: LeasedChange, why: str, look: _Look) -> Verdict | None:
        """None when somebody else was quicker each time."""
        noted = False
        for _ in range(TRIES):
            live = await self._cluster.read(due.change.target)
            verdict = judge(due, live, look.going_on, why)
            if live is None or verdict.patch is None:
                return verdict
            if verdict.next is Next.RESTORE and not noted:
                await self._changes.returning(due, verdict.reason, epoch=look.epoch, now=look.now)
                noted = True
            try:
                version = live["metadata"]["resourceVersion"]
                await self._cluster.patch(due.change.target, verdict.patch, resource_version=version)
            except Conflict:
                continue
            return verdict
        return None

    async def _orphan(self, node: NodeRow, snapshot: ClusterSnapshot, look: _Look) -> None:
        cordon, why = cordon_in(node), lift_orphan(node, snapshot, look.now)
        known, ref = (node.uid, cordon.mark), node.key.ref(node.uid)
        if known in self._reported and not why:
            look.swept.orphans += 1
            return
        live = await self._cluster.read(ref)
        if live is None or cordon_of(live).mark != cordon.mark:
            return  # somebody took it over, which the marks alone do not tell
        look.swept.orphans += 1
        if known not in self._reported:
            told = f"cordoned by run {cordon.mark or 'unknown'}, which will not lift it: {cordon.reason}"
            await self._note(node, "cordon-orphaned", told, look)
            self._reported.add(known)
        if not why:
            return
        await self._note(node, "cordon-lifting", why, look)
        await self._cluster.patch(ref, patch_uncordoning(), resource_version=live["metadata"]["resourceVersion"])
        await self._note(node, "cordon-lifted", why, look)
        look.swept.lifted += 1
        await self._cluster.event(ref, reason="CordonLifted", message=f"orphaned cordon lifted: {why}")

    async def _note(self, node: NodeRow, event: str, message: str, look: _Look) -> None:
        cordon = cordon_in(node)
        entry = Entry(
            event=event,
            at=look.now,
            object=node.key,
            run_id=cordon.run_id,
            actor=SERVICE,
            message=message,
            data={"mark": cordon.mark, "until": cordon.until, "causes": sorted(cordon.causes)},
        )
        await self._changes.note(entry, epoch=look.epoch)

    async def _withdraw_fencing(self, node: NodeRow, look: _Look) -> None:
        """An operator's word that a node is off ends when it is back: it must not hold at its next failure."""
        message = f"{node.name} is back; nobody says any more that it is off ({node.annotations[FENCED]})"
        await self._note(node, "fencing-withdrawn", message, look)
        await self._cluster.patch(node.key.ref(node.uid), {"metadata": {"annotations": {FENCED: None}}})

    async def _renew_mark(self, held: LeasedChange, snapshot: ClusterSnapshot) -> None:
        """What the node says of its cordon's end follows an extension."""
        node = snapshot.node(held.key.name) if held.change.path == CORDON else None
        if node is None or node.uid != held.change.target.uid:
            return
        cordon, until = cordon_in(node), until_text(held.change.until)
        if cordon.run_id == held.run_id and cordon.until != until:
            await self._cluster.patch(held.change.target, {"metadata": {"annotations": {CORDON_UNTIL: until}}})
