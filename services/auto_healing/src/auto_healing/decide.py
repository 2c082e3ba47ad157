"""What is to be done about faults: the rule, its rung, the target, the step, and every guard that stops it.

Pure: the same world gives the same plans. What one plan takes of a budget or of the nodes' room, the later ones of the
same call find taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from auto_healing import guards
from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.action import Action
from auto_healing.attribute import WORKLOAD_KINDS
from auto_healing.choosing import TARGET, Choice, choose, target_for
from auto_healing.facts import Facts
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards.census import Census, take_census
from auto_healing.history import PastRun
from auto_healing.place import place_of
from auto_healing.plan import Decline, Displacement, Mode, Parameters, Plan, Step
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Rung
from auto_healing.run import Run, RunState
from auto_healing.world import World
from common.cluster.rows import PodRow, Row
from common.contracts import Finding, ObjectKey, ObjectRef
from common.policy.mistakes import nearest

BY_HAND = "by-hand"
AWAY_FROM_ITS_NODE = frozenset({"move-pod"})  # where the replacement of the pod is not to come back to

FaultKey = tuple[FaultLevel, ObjectKey]
RunGuards = Callable[[Step, Facts], tuple[Decline, ...]]

__all__ = ["BY_HAND", "Decider", "Placing", "World", "decide", "next_rung", "plan_for"]


class Placing(Protocol):
    """Finds places for displaced pods, and remembers what it has given away."""

    def displace(
        self, pods: Sequence[PodRow], *, without_nodes: frozenset[str] = frozenset(), now: datetime
    ) -> tuple[Displacement, ...]: ...

    def copy(self) -> Self: ...


def decide(faults: Sequence[Fault], world: World, *, rungs: Mapping[FaultKey, int], placements: Placing) -> list[Plan]:
    """A plan for each fault, in their order. One without steps says why nothing is to be done.

    `rungs` tells how far up its ladder a fault is, by its key; 0 where it is not in there.
    """
    return Decider(world, placements).decide(faults, rungs)


def plan_for(
    action: str,
    target: ObjectRef,
    parameters: Parameters,
    *,
    world: World,
    placements: Placing,
    findings: Sequence[Finding] = (),
) -> Plan:
    """A plan for one action on one object, as a person asks for it. The guards are the same as for a rule's.

    `findings` are those about the target. Raises ValueError for an action that there is not, or that is not for
    objects of this kind.
    """
    return Decider(world, placements).by_hand(action, target, parameters, findings)


def next_rung(policy: HealingPolicy, run: Run) -> int | None:
    """The rung to climb to after a run that did not help; None when its ladder ends, or is no longer in the policy."""
    rule = policy.rule(run.plan.rule)
    above = run.plan.rung + 1
    return above if rule is not None and above < len(rule.ladder) else None


class Decider:
    """Decides in one world. What it has allowed counts for what it is asked afterwards."""

    def __init__(
        self,
        world: World,
        placements: Placing,
        *,
        actions: Mapping[str, Action] = ACTIONS_BY_CODE,
        run_guards: RunGuards | None = None,
    ) -> None:
        self._world = world
        self._placements = placements
        self._actions = actions
        self._run_guards = run_guards or guards.run
        self._planned: list[PastRun] = []
        self._census = _census_of(world)

    def decide(self, faults: Sequence[Fault], rungs: Mapping[FaultKey, int]) -> list[Plan]:
        world = self._world
        choices = [choose(fault, world.snapshot, world.policy, world.now) for fault in faults]
        plans: dict[int, Plan] = {}
        for index in sorted(range(len(faults)), key=lambda index: self._urgency(choices[index], index)):
            fault, choice = faults[index], choices[index]
            if isinstance(choice, Decline):
                plans[index] = _without_rule(fault, choice)
            else:
                plans[index] = self._climb(choice, rungs.get(fault.key, 0))
        return [plans[index] for index in range(len(faults))]

    def _urgency(self, choice: Choice | Decline, index: int) -> tuple[bool, int, int, float, int]:
        """What acts before what is observed, which must not use up its budgets; then the most severe, then what was
        tried least, so that one hopeless case does not starve the others; then the oldest."""
        if isinstance(choice, Decline):
            return (True, 0, 0, 0.0, index)
        tried = len(self._world.history.of_target(choice.fault.subject))
        finding = choice.finding
        return (choice.mode is Mode.OBSERVE, -finding.severity.rank, tried, finding.since.timestamp(), index)

    def _climb(self, choice: Choice, rung: int) -> Plan:
        """The plan of the rung; where its action cannot be applied, of the next one that can."""
        refusals: list[Decline] = []
        for number, each in enumerate(choice.rule.ladder[rung:], start=rung):
            if each.action == CALL_A_HUMAN:
                break
            found = self._remedy(choice, each, refusals)
            if isinstance(found, Decline):
                refusals.append(found)
                continue
            step, seconds = found
            return self._judged(_planned(choice, number, step, seconds))
        return _human(choice, rung, refusals)

    def _remedy(self, choice: Choice, rung: Rung, refusals: Sequence[Decline]) -> tuple[Step, float] | Decline:
        action = self._actions.get(rung.action)
        if action is None:
            return Decline(guard="action", message=f"there is no action {rung.action} in this version")
        target = target_for(action, choice.fault, self._world.snapshot)
        if isinstance(target, Decline):
            return target
        made = self._step(action, target, rung.parameters, _reason(choice, refusals))
        if isinstance(made, Decline):
            return made
        step, seconds = made
        return replace(step, timeout=rung.timeout), seconds

    def _step(self, action: Action, target: Row, parameters: Parameters, reason: str) -> tuple[Step, float] | Decline:
        """The step, not placed yet, and how many seconds it may take."""
        try:
            preview = action.preview(target, self._world.snapshot, parameters, self._world.now)
        except ValueError as error:
            return Decline(guard="action", message=f"{action.code}: {error}")
        if preview.refusal:
            return Decline(guard="action", message=f"{action.code} cannot be done: {preview.refusal}")
        step = Step(
            action=action.code,
            target=target.key.ref(target.uid),
            harm=action.harm,
            reason=reason,
            parameters=parameters,
            displaces=tuple(Displacement(pod=pod) for pod in preview.displaced),
            changes=preview.changes,
        )
        return step, preview.expected_seconds

    def _judged(self, plan: Plan) -> Plan:
        """With the guards' answers. Only what nothing else stops is placed: in a storm the budgets stop nearly all."""
        (step,) = plan.steps
        bare = replace(plan, steps=(replace(step, displaces=()),))
        declined = self._guarded(bare)
        return replace(bare, declined=declined) if declined else self._placed(plan)

    def _placed(self, plan: Plan, *, by_hand: bool = False) -> Plan:
        """With a place for each pod that it displaces, and the guards' answers to that. What is allowed, is taken."""
        (step,) = plan.steps
        placements = self._placements.copy() if step.displaces else self._placements
        placed = replace(step, displaces=_displaced(step, placements, self._world))
        plan = replace(plan, steps=(placed,))
        plan = replace(plan, declined=self._guarded(plan, by_hand=by_hand))
        if plan.allowed:
            self._placements = placements
            self._planned.append(self._as_past(plan))
        return plan

    def _guarded(self, plan: Plan, *, by_hand: bool = False) -> tuple[Decline, ...]:
        facts = self._world.facts(plan, by_hand=by_hand, planned=tuple(self._planned), census=self._census)
        return self._run_guards(plan.steps[0], facts)

    def _as_past(self, plan: Plan) -> PastRun:
        """An allowed plan, as the guards of the next ones count it."""
        (step,) = plan.steps
        place = place_of(plan, self._world.snapshot)
        return PastRun(
            id=UUID(int=len(self._planned) + 1),
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
            started_at=self._world.now,
            displaced=len(step.displaces),
        )

    def by_hand(self, code: str, target: ObjectRef, parameters: Parameters, findings: Sequence[Finding]) -> Plan:
        """As `plan_for` says."""
        action = self._actions.get(code)
        if action is None:
            raise ValueError(f"there is no action {code}{nearest(code, self._actions)}")
        if target.kind not in action.kinds:
            raise ValueError(f"{code} is for a {' or '.join(sorted(action.kinds))}, not for a {target.kind}")
        fault = Fault(level=_level_of(target.kind), subject=target.key, findings=tuple(findings))
        plan = Plan(rule=BY_HAND, mode=Mode.AUTO, fault=fault, target=target)
        row = self._world.snapshot.find(target.key)
        if row is None or target.uid not in {"", row.uid}:
            return replace(plan, declined=(Decline(guard=TARGET, message=f"{target.key} is gone, or not seen"),))
        made = self._step(action, row, parameters, "asked for by hand")
        if isinstance(made, Decline):
            return replace(plan, declined=(made,))
        step, seconds = made
        plan = replace(plan, target=row.key.ref(row.uid), steps=(step,), expected_seconds=seconds)
        return self._placed(plan, by_hand=True)


def _census_of(world: World) -> Census:
    age = world.policy.guards.fresh_view.lease_age.total_seconds()
    return take_census(world.snapshot, world.now, lease_age_seconds=age)


def _displaced(step: Step, placements: Placing, world: World) -> tuple[Displacement, ...]:
    rows = [row for each in step.displaces if (row := world.snapshot.find(each.pod.key)) is not None]
    pods = [row for row in rows if isinstance(row, PodRow)]
    if not pods:
        return ()
    without: set[str] = set()
    if step.target.kind == "Node":
        without = {step.target.name}
    elif step.action in AWAY_FROM_ITS_NODE:
        without = {pod.node for pod in pods}
    return placements.displace(pods, without_nodes=frozenset(without), now=world.now)


def _reason(choice: Choice, refusals: Sequence[Decline]) -> str:
    sentences = [f"rule {choice.rule.name}: {choice.finding.message}"]
    sentences += [refusal.message for refusal in refusals]
    sentences += [choice.why_observed] if choice.why_observed else []
    return "; ".join(sentences)


def _planned(choice: Choice, number: int, step: Step, seconds: float) -> Plan:
    return Plan(
        rule=choice.rule.name,
        mode=choice.mode,
        fault=choice.fault,
        target=step.target,
        rung=number,
        steps=(step,),
        expected_seconds=seconds,
        verify_window=choice.rule.ladder[number].verify,
    )


def _human(choice: Choice, rung: int, refusals: Sequence[Decline]) -> Plan:
    """The ladder has ended: why, and that somebody has to look."""
    tried = f"{rung} of its remedies did not help" if rung else "no remedy of it applies" if refusals else ""
    message = f"rule {choice.rule.name} calls a human{f': {tried}' if tried else ''}; {choice.finding.message}"
    return Plan(
        rule=choice.rule.name,
        mode=choice.mode,
        fault=choice.fault,
        target=_subject_of(choice.fault),
        rung=rung,
        declined=(Decline(guard=CALL_A_HUMAN, message=message, numbers={"rung": rung}), *refusals),
    )


def _without_rule(fault: Fault, reason: Decline) -> Plan:
    return Plan(rule="", mode=Mode.OFF, fault=fault, target=_subject_of(fault), declined=(reason,))


def _subject_of(fault: Fault) -> ObjectRef:
    known = (finding.object for finding in fault.findings if finding.object.key == fault.subject)
    return next(known, fault.subject.ref())


def _level_of(kind: str) -> FaultLevel:
    if kind in WORKLOAD_KINDS:
        return FaultLevel.WORKLOAD
    return {"Pod": FaultLevel.POD, "Node": FaultLevel.NODE}.get(kind, FaultLevel.CLUSTER)
