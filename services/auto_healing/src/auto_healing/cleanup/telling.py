"""Tells owners what may go: a mark and an event on the object, or for pods one event on their workload."""

from collections import defaultdict
from collections.abc import Sequence

from auto_healing import marks
from auto_healing.actions.cleanup.engine import Cleanup
from auto_healing.actions.cleanup.pace import Pace
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.kube.cluster import Cluster
from auto_healing.storage.tombstones import Tombstone
from auto_healing.world import World
from common.contracts import ObjectKey, ObjectRef
from common.kube.errors import Conflict, NotFound

REASON = "MarkedUnused"
MOST_TOLD = 500  # objects in one look; the others wait for the next


async def tell(
    rule: Cleanup, cluster: Cluster, stones: Sequence[Tombstone], world: World, settings: RuleSettings
) -> list[ObjectRef]:
    """Those whose owners were told. What is gone or changes right now is left for the next look."""
    ends = world.now + settings.grace
    keep = f"The annotation {marks.HEAL}=off keeps it"
    if rule.annotates:
        until = f"it may be deleted after {ends:%Y-%m-%d %H:%M} UTC. {keep}"
        told = await Pace().map(lambda stone: _mark(cluster, stone, world, until), stones[:MOST_TOLD])
        return [stone.ref for stone, done in zip(stones, told, strict=False) if done]
    piles: dict[ObjectRef, list[Tombstone]] = defaultdict(list)
    for stone in stones:
        piles[_owner(stone, world)].append(stone)
    for owner, pile in piles.items():
        message = f"{len(pile)} of its pods may be deleted after {ends:%Y-%m-%d %H:%M} UTC: the first one, "
        message += f"{pile[0].ref.name}, {pile[0].reason}. {keep}"
        await cluster.event(owner, reason=REASON, message=message)
    return [stone.ref for stone in stones]


async def untell(rule: Cleanup, cluster: Cluster, stones: Sequence[Tombstone]) -> None:
    """Take the marks off what is not unused any more."""
    if rule.annotates:
        await Pace().map(lambda stone: _unmark(cluster, stone), stones)


async def _mark(cluster: Cluster, stone: Tombstone, world: World, until: str) -> bool:
    since = world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        await cluster.patch(stone.ref, {"metadata": {"annotations": {marks.UNUSED_SINCE: since}}})
    except (NotFound, Conflict):
        return False
    await cluster.event(stone.ref, reason=REASON, message=f"It {stone.reason}: {until}")
    return True


async def _unmark(cluster: Cluster, stone: Tombstone) -> None:
    try:
        await cluster.patch(stone.ref, {"metadata": {"annotations": {marks.UNUSED_SINCE: None}}})
    except (NotFound, Conflict):
        return


def _owner(stone: Tombstone, world: World) -> ObjectRef:
    """The highest workload that is known, or the pod itself."""
    row = world.snapshot.find(stone.ref.key)
    owners: Sequence[ObjectKey] = world.snapshot.owners(row) if row is not None else ()
    for key in reversed(owners):
        if (owner := world.snapshot.find(key)) is not None:
            return key.ref(owner.uid)
    return stone.ref
