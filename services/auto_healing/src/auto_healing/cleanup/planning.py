"""From what is due to plans. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import groupby

from auto_healing import guards, marks
from auto_healing.actions.cleanup.engine import NOT_IN_STEPS, Cleanup
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards.steps import counted
from auto_healing.plan import Decline, Harm, Mode, Plan, Step
from auto_healing.storage.tombstones import Tombstone
from auto_healing.world import World
from common.cluster.rows import NamespaceRow, PersistentVolumeRow, Row
from common.contracts import ObjectKey, ObjectRef
from common.contracts.objects import CLUSTER

BLAST_RADIUS = "blast-radius"
PER_SECOND = 50.0  # objects that are deleted at least, for a step's time
LEAST_TIME = timedelta(minutes=10)


def acts_on(world: World, stone: ObjectRef) -> bool:
    """Whether the place of the object has opted in, where the policy asks for that."""
    scope = world.policy.scope
    if not scope.opt_in:
        return True
    if not stone.namespace:
        return _says_on(world.snapshot.get(PersistentVolumeRow, stone.name))
    named = any(fnmatchcase(stone.namespace, pattern) for pattern in scope.namespaces)
    return named or _says_on(world.snapshot.get(NamespaceRow, stone.namespace))


def is_paused(world: World, namespace: str) -> bool:
    return any(
        pause.namespace in {"", namespace} and (pause.until is None or pause.until > world.now)
        for pause in world.pauses
    )


def _says_on(row: Row | None) -> bool:
    return row is not None and "on" in {row.labels.get(marks.HEAL), row.annotations.get(marks.HEAL)}


def plans_of(
    rule: Cleanup, due: Sequence[Tombstone], world: World, *, total: int, mode: Mode, by_hand: bool = False
) -> list[Plan]:
    """One plan of all that may go, and one of what guards refuse; each only when there is some.

    Beyond the cap nothing may go. A refusal of one namespace leaves the others alone.
    """
    settings = world.policy.cleanup.rule(rule.code)
    plan = _plan(rule, due, settings, world, mode=mode)
    most = settings.most_of(total)
    if len(due) > most:
        return [replace(plan, declined=(_too_many(rule, len(due), most, total),))]
    facts = world.facts(plan, by_hand=by_hand)
    declines = [guards.run(step, facts) for step in plan.steps]
    allowed = tuple(step for step, declined in zip(plan.steps, declines, strict=True) if not declined)
    refused = tuple(step for step, declined in zip(plan.steps, declines, strict=True) if declined)
    plans = [replace(plan, steps=allowed)] if allowed else []
    if refused:
        plans.append(replace(plan, steps=refused, declined=_distinct(declines)))
    return plans


def _plan(rule: Cleanup, due: Sequence[Tombstone], settings: RuleSettings, world: World, *, mode: Mode) -> Plan:
    evidence = f"{len(due)} objects of kind {rule.kind} were found unused often and long enough"
    return Plan(
        rule=rule.code,
        mode=mode,
        fault=Fault(level=FaultLevel.CLUSTER, subject=ObjectKey(CLUSTER, "", ""), findings=(), evidence=(evidence,)),
        target=ObjectRef(kind=CLUSTER, name=rule.code),
        steps=tuple(_steps(rule, due, settings, world)),
        expected_seconds=len(due) / PER_SECOND,
    )


def _steps(rule: Cleanup, due: Sequence[Tombstone], settings: RuleSettings, world: World) -> Iterable[Step]:
    """One for each namespace, which names no objects: they are read again when it is carried out."""
    for namespace, stones in groupby(sorted(due, key=lambda stone: stone.ref.key), lambda stone: stone.ref.namespace):
        inside = list(stones)
        if namespace:
            target = ObjectRef(kind=CLUSTER, namespace=namespace, name=rule.code)
            yield _step(rule, target, inside, settings, world)
        else:
            for stone in inside:
                yield _step(rule, stone.ref, [stone], settings, world)


def _step(rule: Cleanup, target: ObjectRef, stones: Sequence[Tombstone], settings: RuleSettings, world: World) -> Step:
    where = f"in namespace {target.namespace}" if target.namespace else f"named {target.name}"
    what = f"{counted(len(stones), rule.kind)} {where}"
    return Step(
        action=rule.code,
        target=target,
        harm=Harm.HARMFUL,
        reason=f"{what}: the first one {stones[0].reason}",
        parameters={
            "due_by": world.now.isoformat(),
            "planned": len(stones),
            **settings.model_dump(mode="json", exclude=set(NOT_IN_STEPS)),
        },
        changes=(f"{what} {'goes' if len(stones) == 1 else 'go'}",),
        timeout=max(LEAST_TIME, timedelta(seconds=len(stones) / PER_SECOND)),
    )


def _too_many(rule: Cleanup, due: int, most: int, total: int) -> Decline:
    return Decline(
        guard=BLAST_RADIUS,
        message=f"{due} of {total} objects of kind {rule.kind} would go where one run may delete {most}, so nothing is "
        "touched: look whether they are really unused, and raise most_objects or most_share if they are",
        numbers={"due": due, "most": most, "total": total},
    )


def _distinct(declines: Iterable[Sequence[Decline]]) -> tuple[Decline, ...]:
    return tuple({(each.guard, each.message): each for step in declines for each in step}.values())
