"""Drafts of plans: what an action would do to a target, where what it displaces would go, and plans that do nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from auto_healing.actions.action import Action
from auto_healing.choosing import Choice
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards.steps import EVICTING
from auto_healing.history import PastRun
from auto_healing.place import place_of
from auto_healing.plan import Decline, Displacement, Mode, Parameters, Plan, Step, timeout_of
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.recommendations import advice_on
from auto_healing.run import RunState
from auto_healing.symptoms import WORKLOAD_KINDS
from auto_healing.world import World
from common.cluster.rows import PodRow, Row
from common.contracts import ObjectRef

ACTION = "action"  # who declines when an action's preconditions do not hold
AWAY_FROM_ITS_NODE = frozenset({"move-pod"})  # where the replacement of the pod is not to come back to


class WrongParameters(ValueError):
    """The action takes no such parameters, or not with such values; says what is right."""


class Placing(Protocol):
    """Finds places for displaced pods, and remembers what it has given away."""

    def displace(
        self,
        pods: Sequence[PodRow],
        *,
        without_nodes: frozenset[str] = frozenset(),
        now: datetime | None = None,
        evicted: bool = True,
    ) -> tuple[Displacement, ...]: ...

    def copy(self) -> Self: ...


def draft(
    action: Action, target: Row, parameters: Parameters, *, reason: str, world: World
) -> tuple[Step, float] | Decline:
    """The step, whose displacements have no destinations yet, and how many seconds it may take.

    Raises WrongParameters.
    """
    try:
        preview = action.preview(target, world.snapshot, parameters, world.now)
    except ValueError as error:
        raise WrongParameters(f"{action.code}: {error}") from error
    if preview.refusal:
        return Decline(guard=ACTION, message=f"{action.code} cannot be done: {preview.refusal}")
    step = Step(
        action=action.code,
        target=target.key.ref(target.uid),
        harm=action.harm,
        reason=reason,
        parameters=parameters,
        displaces=tuple(Displacement(pod=pod) for pod in preview.displaced),
        changes=preview.changes,
        timeout=timeout_of(action.code),
    )
    return step, preview.expected_seconds


def displacements(step: Step, placements: Placing, world: World) -> tuple[Displacement, ...]:
    """Where the pods that a drafted step displaces would go."""
    rows = (world.snapshot.find(each.pod.key) for each in step.displaces)
    pods = [row for row in rows if isinstance(row, PodRow)]
    if not pods:
        return ()
    without: set[str] = set()
    if step.target.kind == "Node":
        without = {step.target.name}
    elif step.action in AWAY_FROM_ITS_NODE:
        without = {pod.node for pod in pods}
    return placements.displace(pods, without_nodes=frozenset(without), now=world.now, evicted=step.action in EVICTING)


def remedy(choice: Choice, rung: int, step: Step, seconds: float) -> Plan:
    return Plan(
        rule=choice.rule.name,
        mode=choice.mode,
        fault=choice.fault,
        target=step.target,
        rung=rung,
        steps=(step,),
        expected_seconds=seconds,
        verify_window=choice.rule.ladder[rung].verify,
    )


def call_a_human(choice: Choice, rung: int, refusals: Sequence[Decline]) -> Plan:
    """The ladder ends here: why, what would end it where that is known, and that somebody has to look."""
    tried = f"; {rung} of its remedies did not help" if rung else ""
    refused = "; no other remedy of it applies" if refusals else ""
    advice = f"; {advised}" if (advised := advice_on(choice.finding)) else ""
    message = f"rule {choice.rule.name} calls a human: {choice.finding.message}{advice}{tried}{refused}"
    return Plan(
        rule=choice.rule.name,
        mode=choice.mode,
        fault=choice.fault,
        target=subject_of(choice.fault),
        rung=rung,
        declined=(Decline(guard=CALL_A_HUMAN, message=message, numbers={"rung": rung}), *refusals),
    )


def without_rule(fault: Fault, reason: Decline) -> Plan:
    return Plan(rule="", mode=Mode.OFF, fault=fault, target=subject_of(fault), declined=(reason,))


def subject_of(fault: Fault) -> ObjectRef:
    """With its uid where a finding tells it."""
    known = (finding.object for finding in fault.findings if finding.object.key == fault.subject)
    return next(known, fault.subject.ref())


def level_of(kind: str) -> FaultLevel:
    """Of what a person wants done to an object of the kind."""
    if kind in WORKLOAD_KINDS:
        return FaultLevel.WORKLOAD
    return {"Pod": FaultLevel.POD, "Node": FaultLevel.NODE}.get(kind, FaultLevel.CLUSTER)


def as_past(plan: Plan, number: int, world: World) -> PastRun:
    """A plan that was allowed just now, as the guards of the next ones count it. `number` tells it from others."""
    (step,) = plan.steps
    place = place_of(plan, world.snapshot)
    return PastRun(
        id=UUID(int=number),
        rule=plan.rule,
        action=step.action,
        harm=step.harm,
        target=plan.target.key,
        owner=place.owner,
        revision=plan.fault.revision,
        node=place.node,
        zone=place.zone,
        pool=place.pool,
        namespace=plan.target.namespace,
        code=plan.fault.findings[0].code if plan.fault.findings else "",
        state=RunState.APPROVED,
        started_at=world.now,
        displaced=len(step.displaces),
    )
