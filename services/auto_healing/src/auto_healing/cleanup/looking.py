"""One look for a rule: what it finds, with every object that would be marked read live. Writes nothing."""

from dataclasses import replace

from auto_healing.actions.cleanup.engine import Cleanup
from auto_healing.actions.cleanup.keeping import changed_at
from auto_healing.actions.cleanup.pace import Pace
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Scope, Unproven
from auto_healing.kube.cluster import Cluster
from auto_healing.storage.tombstones import Tombstone
from auto_healing.world import World
from common.cluster.snapshot import SourceState
from common.kube.errors import Unavailable

MOST_READ = 1000  # candidates that are read live in one look; the others wait for the next


async def look_for(rule: Cleanup, world: World, cluster: Cluster, known: dict[str, Tombstone]) -> Found:
    """`known` are the rule's tombstones by uid. Raises KubeErrors, also when the view is not to be trusted."""
    for kind in ("Namespace", "Pod", rule.kind):
        source = world.snapshot.sources.get(kind)
        if source is not None and source.state is not SourceState.SYNCED:
            raise Unavailable(f"the view of {kind} objects is {source.state}: {source.reason}", sent=False)
    settings = world.policy.cleanup.rule(rule.code)
    look = Look(
        now=world.now,
        snapshot=world.snapshot,
        cluster=cluster,
        settings=settings,
        scope=Scope.of(world.policy.cleanup, settings),
    )
    found = await rule.find(look)
    if not rule.annotates:
        return found
    first = sorted(found.candidates, key=lambda each: each.ref.key)[:MOST_READ]
    judged = await Pace().map(lambda each: _judged(rule, cluster, each, known), first)
    return replace(
        found,
        candidates=tuple(each for each in judged if isinstance(each, Candidate)),
        unproven=(*found.unproven, *(each for each in judged if isinstance(each, Unproven))),
    )


async def _judged(
    rule: Cleanup, cluster: Cluster, found: Candidate, known: dict[str, Tombstone]
) -> Candidate | Unproven | None:
    """None for what is gone, or was changed since it was marked and so begins anew."""
    manifest = await cluster.read(found.ref)
    if manifest is None:
        return None
    if kept := rule.kept(manifest):
        return Unproven(object=found.ref.key, reason=kept)
    touched_at, stone = changed_at(manifest), known.get(found.ref.uid)
    if stone is not None and stone.told and touched_at is not None and touched_at > stone.first_seen_at:
        return None
    return found
