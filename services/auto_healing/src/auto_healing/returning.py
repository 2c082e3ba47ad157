"""Whether a leased change is to be taken back now, and how. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from auto_healing.actions.nodes.cordons import PATH as CORDON
from auto_healing.actions.nodes.cordons import cordon_in, cordon_of, marked, patch_uncordoning, patch_unmarking
from auto_healing.actions.nodes.sickness import WELL_FOR, renews, well_since
from auto_healing.actions.nodes.taints import OUT_OF_SERVICE
from auto_healing.actions.nodes.taints import path_of as path_of_taint
from auto_healing.fields import holds, patch_setting, value_at
from auto_healing.kube.cluster import Manifest
from auto_healing.leased import LeasedChange, RunBrief
from auto_healing.marks import CORDONED_BY
from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot


class Next(StrEnum):
    """What is to be done about a change that is over."""

    RESTORE = "restore"
    FORGET = "forget"  # it is back already, or another change of the same field goes on
    CONFLICT = "conflict"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`patch` is what is to be written, None when nothing is."""

    next: Next
    reason: str
    patch: Manifest | None = None


def over(held: LeasedChange, snapshot: ClusterSnapshot, runs: Mapping[UUID, RunBrief], now: datetime) -> str:
    """Why it is to be taken back now; empty while it is to stay."""
    if held.change.until <= now:
        return "its time is over"
    node = snapshot.node(held.key.name) if held.key.kind == "Node" else None
    if node is None or node.uid != held.change.target.uid:
        return ""
    if held.change.path == path_of_taint(OUT_OF_SERVICE):
        return f"{node.name} is back" if node.ready else ""
    if held.change.path == CORDON:
        return _cordon_over(node, runs.get(held.run_id), snapshot, now)
    return ""


def _cordon_over(node: NodeRow, run: RunBrief | None, snapshot: ClusterSnapshot, now: datetime) -> str:
    if run is not None and not run.state.ended:
        return ""
    if not node.unschedulable:
        # Marks that are still there were left by a person, and keep us away from the node until the cordon's end.
        return "" if CORDONED_BY in node.annotations else f"{node.name} was uncordoned"
    return "" if run is not None and run.by_hand else cause_gone(node, snapshot, now)


def cause_gone(node: NodeRow, snapshot: ClusterSnapshot, now: datetime) -> str:
    """Says so when what was bad at the cordon has been good for long enough; empty when not, or nobody can tell."""
    if not renews(snapshot.lease(node.name), now):
        return ""
    causes = cordon_in(node).causes
    since = well_since(node, causes) if causes else None
    if since is None or now - since < WELL_FOR:
        return ""
    minutes = int((now - since).total_seconds() // 60)
    return f"its cause is gone: {', '.join(sorted(causes))} of {node.name} has been good for {minutes} minutes"


def judge(due: LeasedChange, live: Manifest | None, others: Collection[LeasedChange], why: str) -> Verdict:
    """`live` is the object as it is now; `others` are the changes that go on; `why` is why it is over."""
    change = due.change
    if live is None:
        return Verdict(Next.GONE, f"{due.key} is gone")
    if other := next((each for each in others if each.field == due.field), None):
        return Verdict(Next.FORGET, f"another change goes on until {other.change.until:%Y-%m-%d %H:%M} UTC")
    found, where = value_at(live, change.path), ".".join(change.path)
    cordon = change.path == CORDON and due.key.kind == "Node"
    if holds(found, change.after):
        if cordon and (foreign := cordon_of(live).foreign):
            return Verdict(Next.CONFLICT, f"it was cordoned anew by {foreign}; it is left so")
        patch = patch_uncordoning() if cordon else patch_setting(live, change.path, change.before)
        return Verdict(Next.RESTORE, f"{why} ({change.what})", patch)
    if holds(found, change.before):
        # Marks that an uncordon by hand left behind have served their time.
        return Verdict(
            Next.FORGET, "it was taken back by somebody else", patch_unmarking() if cordon and marked(live) else None
        )
    return Verdict(Next.CONFLICT, f"{where} was edited since: it is {found!r} and not {change.after!r}; it is left so")


def orphans(nodes: Collection[NodeRow], held: Collection[LeasedChange], runs: Mapping[UUID, RunBrief]) -> list[NodeRow]:
    """Nodes with a cordon of ours that nobody will lift: no change is held for it and no run is at work."""
    leased = {each.key.name for each in held if each.change.path == CORDON}
    return [node for node in nodes if _orphaned(node, runs) and node.name not in leased]


def _orphaned(node: NodeRow, runs: Mapping[UUID, RunBrief]) -> bool:
    cordon = cordon_in(node)
    if not cordon.ours:
        return False
    run = runs.get(cordon.run_id) if cordon.run_id is not None else None
    return run is None or run.state.ended


def lift_orphan(node: NodeRow, snapshot: ClusterSnapshot, now: datetime) -> str:
    """Why the orphaned cordon of the node is to be lifted; empty while it is only to be reported."""
    until = cordon_in(node).ends_at  # None: somebody took it off, who may have had a reason
    return "its time is over" if until is not None and until <= now else cause_gone(node, snapshot, now)
