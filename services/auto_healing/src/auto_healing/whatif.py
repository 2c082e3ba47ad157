"""What would come of an action, of draining nodes, or of losing them. Pure: nothing is written, and nothing is kept."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from auto_healing.actions.nodes.departure import departure
from auto_healing.decide import plan_for
from auto_healing.placement import Placements
from auto_healing.plan import Decline, Displacement, Parameters, Plan
from auto_healing.world import World
from common.cluster.rows import NodeRow, PodRow, Taint
from common.contracts import ObjectRef

DRAIN = "drain"
UNREACHABLE = Taint(key="node.kubernetes.io/unreachable", effect="NoExecute")
NOTICED_SECONDS = (
    50.0  # until a silent node is tainted: the default of --node-monitor-grace-period since Kubernetes 1.32
)
STARTED_SECONDS = 30.0  # what a replacement takes to become ready; a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that happens. The pods that it takes away follow one another in `WhatIf.displaced`."""

    target: ObjectRef
    action: str  # empty: a loss, which nobody decides
    declined: tuple[Decline, ...] = ()  # what would stop it as things are now, in the order of the guards
    changes: tuple[str, ...] = ()
    pods: int = 0
    expected_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Parts in their order, and all that they take away."""

    nodes: int
    parts: tuple[Part, ...]
    displaced: tuple[Displacement, ...]
    notes: tuple[str, ...] = ()


def what_if_action(action: str, target: ObjectRef, parameters: Parameters, world: World) -> WhatIf:
    """Raises ValueError for an action that there is not, or not for objects of this kind or with these parameters."""
    plan = plan_for(action, target, parameters, world=world, placements=Placements(world.snapshot, world.now))
    displaced = tuple(each for step in plan.steps for each in step.displaces)
    return WhatIf(nodes=int(target.kind == "Node"), parts=(_part(plan, action, displaced),), displaced=displaced)


def what_if_drained(nodes: Sequence[NodeRow], parameters: Parameters, world: World) -> WhatIf:
    """All are cordoned first, as `kubectl drain` does; then each is drained when what the one before displaced runs.

    A part that is declined is simulated all the same: who asks wants to know whether it would work.
    """
    placements = Placements(world.snapshot, world.now)
    placements.displace((), without_nodes=frozenset(node.name for node in nodes))
    parts: list[Part] = []
    displaced: list[Displacement] = []
    for node in nodes:
        plan = plan_for(DRAIN, node.key.ref(node.uid), parameters, world=world, placements=placements)
        left = placements.displace(departure(world.snapshot.pods_on(node.name)).pods)
        placements.settle()
        parts.append(_part(plan, DRAIN, left))
        displaced += left
    return WhatIf(nodes=len(nodes), parts=tuple(parts), displaced=tuple(displaced))


def what_if_lost(lost: ObjectRef, nodes: Collection[NodeRow], world: World) -> WhatIf:
    """All at once: nothing is evicted, so no disruption budget is asked."""
    names = sorted(node.name for node in nodes)
    pods = [pod for name in names for pod in world.snapshot.pods_on(name)]
    placements = Placements(world.snapshot, world.now)
    displaced = placements.displace(pods, without_nodes=frozenset(names), evicted=False)
    moved = [pod for pod, each in zip(pods, displaced, strict=True) if each.to_node or each.fits_nowhere]
    seconds = NOTICED_SECONDS + max(map(_patience, moved)) + STARTED_SECONDS if moved else 0.0
    part = Part(target=lost, action="", pods=len(displaced), expected_seconds=seconds)
    return WhatIf(nodes=len(names), parts=(part,), displaced=displaced, notes=tuple(_notes(moved)))


def _part(plan: Plan, action: str, displaced: Collection[Displacement]) -> Part:
    return Part(
        target=plan.target,
        action=action,
        declined=plan.declined,
        changes=tuple(change for step in plan.steps for change in step.changes),
        pods=len(displaced),
        expected_seconds=plan.expected_seconds,
    )


def _patience(pod: PodRow) -> float:
    """Seconds that it stays bound to a node that is unreachable. One that stays for ever is not waited for."""
    stays = [each.seconds for each in pod.tolerations if each.tolerates(UNREACHABLE)]
    return 0.0 if None in stays else float(min((seconds for seconds in stays if seconds is not None), default=0))


def _notes(pods: Collection[PodRow]) -> list[str]:
    """What Kubernetes does not do by itself when a node is lost."""
    for_ever = sum(
        any(each.seconds is None and each.tolerates(UNREACHABLE) for each in pod.tolerations) for pod in pods
    )
    stateful = sum(pod.owner is not None and pod.owner.kind == "StatefulSet" for pod in pods)
    notes = []
    if for_ever:
        notes.append(f"{for_ever} pods tolerate an unreachable node for ever: they are made anew when they are deleted")
    if stateful:
        notes.append(
            f"{stateful} pods are of StatefulSets: they are made anew when their node is gone, or is marked as out of "
            "service; until then nobody can know that they have ended"
        )
    if mounted := sum(bool(pod.claims) for pod in pods):
        notes.append(
            f"{mounted} pods use volumes, which are detached by force after 6 minutes, unless their node is gone"
        )
    return notes
