"""What is to be done about faults: the rule, its rung, the target, the step, and every guard that stops it.

Pure: the same world gives the same plans. What one plan takes of a budget or of the nodes' room, the later ones of the
same call find taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.action import Action
from auto_healing.choosing import TARGET, Choice, choose, target_for
from auto_healing.drafting import (
    ACTION,
    Placing,
    WrongParameters,
    as_past,
    call_a_human,
    displacements,
    draft,
    level_of,
    remedy,
    without_rule,
)
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards import GUARDS, run
from auto_healing.guards.capacity import Capacity
from auto_healing.guards.census import Census, take_census
from auto_healing.guards.guard import Guard
from auto_healing.history import PastRun
from auto_healing.plan import BY_HAND, Decline, Mode, Parameters, Plan, Step
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Rung
from auto_healing.run import Run
from auto_healing.unanswered import unanswered
from auto_healing.world import World
from common.contracts import Finding, ObjectKey, ObjectRef
from common.policy.mistakes import nearest

__all__ = ["BY_HAND", "Decider", "Placing", "World", "decide", "next_rung", "plan_for"]


BACKLOG = "backlog"  # who declines what would make a decision take too long
MOST_SEARCHES = 200  # for places in one go: some 10 ms each where nothing fits, and no budget allows so many actions

FaultKey = tuple[FaultLevel, ObjectKey]


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
    reason: str = "asked for by hand",
) -> Plan:
    """A plan for one action on one object, as a person asks for it. The guards are the same as for a rule's.

    `findings` are those about the target; `reason` is what the step, its Events and the changes it makes will say. The
    step is there even when it is declined. Raises ValueError for an action that there is not, or that is not for
    objects of this kind, and WrongParameters.
    """
    return Decider(world, placements).by_hand(action, target, parameters, findings, reason)


def next_rung(policy: HealingPolicy, run: Run) -> int | None:
    """The rung to climb to after a run that did not help; None when its ladder ends, or is no longer in the policy."""
    rule = policy.rule(run.plan.rule)
    above = run.plan.rung + 1
    return above if rule is not None and above < len(rule.ladder) else None


class Decider:
    """Decides in one world. What it has allowed counts for whatever it is asked afterwards."""

    def __init__(
        self,
        world: World,
        placements: Placing,
        *,
        actions: Mapping[str, Action] = ACTIONS_BY_CODE,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self._world = world
        self._placements = placements
        self._actions = actions
        self._guards = guards
        self._before_placing = tuple(guard for guard in guards if guard.code != Capacity.code)
        self._planned: tuple[PastRun, ...] = ()
        self._searches = 0

    @cached_property
    def _census(self) -> Census:
        """Taken when a guard is asked: most looks are at what waits, or has no remedy."""
        lease_age = self._world.policy.guards.fresh_view.lease_age.total_seconds()
        return take_census(self._world.snapshot, self._world.now, lease_age_seconds=lease_age)

    def decide(self, faults: Sequence[Fault], rungs: Mapping[FaultKey, int]) -> list[Plan]:
        """A plan for each fault, in their order."""
        world = self._world
        plans: dict[int, Plan] = {}
        chosen: list[tuple[int, Choice]] = []
        for index, fault in enumerate(faults):
            choice = choose(fault, world.snapshot, world.policy, world.now)
            if isinstance(choice, Decline):
                plans[index] = without_rule(fault, choice)
            else:
                chosen.append((index, choice))
        for index, choice in sorted(chosen, key=self._urgency):
            plans[index] = self._climb(choice, rungs.get(choice.fault.key, 0))
        return [plans[index] for index in range(len(faults))]

    def _urgency(self, chosen: tuple[int, Choice]) -> tuple[bool, int, int, float, int]:
        """What acts comes before what is only observed, which must not use up its budgets. Then the most severe, then
        what was tried least, so that one hopeless case does not starve the others, then the oldest."""
        index, choice = chosen
        finding = choice.finding
        row = self._world.snapshot.find(choice.fault.subject)
        owner = self._world.snapshot.top_owner(row) if row else choice.fault.subject
        tried = len(self._world.history.of_owner(owner))
        return (choice.mode is Mode.OBSERVE, -finding.severity.rank, tried, finding.since.timestamp(), index)

    def _climb(self, choice: Choice, rung: int) -> Plan:
        """The plan of the rung; where its action cannot be applied, of the next one that can."""
        refusals: list[Decline] = []
        for number, each in enumerate(choice.rule.ladder[rung:], start=rung):
            if each.action == CALL_A_HUMAN:
                break
            found = self._draft(choice, each, refusals)
            if isinstance(found, Decline):
                refusals.append(found)
            else:
                plan = remedy(choice, number, *found)
                left = unanswered(plan, self._world)
                return self._judged(plan) if left is None else replace(plan, steps=(), declined=(left,))
        return call_a_human(choice, rung, refusals)

    def _draft(self, choice: Choice, rung: Rung, refusals: Sequence[Decline]) -> tuple[Step, float] | Decline:
        action = self._actions.get(rung.action)
        if action is None:
            return Decline(guard=ACTION, message=f"there is no action {rung.action} in this version")
        target = target_for(action, choice.fault, self._world.snapshot)
        if isinstance(target, Decline):
            return target
        try:
            made = draft(action, target, rung.parameters, reason=_reason(choice, refusals), world=self._world)
        except WrongParameters as error:
            return Decline(guard=ACTION, message=str(error))
        return made if isinstance(made, Decline) else (replace(made[0], timeout=rung.timeout), made[1])

    def _judged(self, plan: Plan) -> Plan:
        """With the guards' answers, the cheap ones first: in a storm the budgets stop nearly all, and what would be
        displaced stops some. Only what nothing else stops is placed."""
        (step,) = plan.steps
        bare = replace(plan, steps=(replace(step, displaces=()),))
        declined = self._ask(bare, self._before_placing)
        if not declined and step.displaces:
            declined = self._ask(plan, self._before_placing) or self._backlog()
        return replace(bare, declined=declined) if declined else self._placed(plan)

    def _backlog(self) -> tuple[Decline, ...]:
        """Counts the searches for places, and declines those that are too many."""
        self._searches += 1
        if self._searches <= MOST_SEARCHES:
            return ()
        message = f"{MOST_SEARCHES} plans before this one needed places for pods; it is looked at in a moment"
        return (Decline(guard=BACKLOG, message=message, look_again_at=self._world.now + timedelta(seconds=1)),)

    def _placed(self, plan: Plan, *, by_hand: bool = False) -> Plan:
        """With a place for each pod that it displaces, and the guards' answers to that. What is allowed, is taken."""
        (step,) = plan.steps
        placements = self._placements.copy() if step.displaces else self._placements
        placed = replace(step, displaces=displacements(step, placements, self._world))
        plan = replace(plan, steps=(placed,))
        plan = replace(plan, declined=self._ask(plan, self._guards, by_hand=by_hand))
        if plan.allowed:
            self._placements = placements
            self._planned += (as_past(plan, len(self._planned) + 1, self._world),)
        return plan

    def _ask(self, plan: Plan, guards: Sequence[Guard], *, by_hand: bool = False) -> tuple[Decline, ...]:
        facts = self._world.facts(plan, by_hand=by_hand, planned=self._planned, census=self._census)
        return run(plan.steps[0], facts, guards)

    def by_hand(
        self, code: str, target: ObjectRef, parameters: Parameters, findings: Sequence[Finding], reason: str
    ) -> Plan:
        """As `plan_for` says."""
        action = self._actions.get(code)
        if action is None:
            raise ValueError(f"there is no action {code}{nearest(code, self._actions)}")
        if target.kind not in action.kinds:
            raise ValueError(f"{code} is for a {' or '.join(sorted(action.kinds))}, not for a {target.kind}")
        fault = Fault(level=level_of(target.kind), subject=target.key, findings=tuple(findings))
        step = Step(action=code, target=target, harm=action.harm, reason=reason, parameters=parameters)
        plan = Plan(rule=BY_HAND, mode=Mode.AUTO, fault=fault, target=target, steps=(step,))
        row = self._world.snapshot.find(target.key)
        if row is None or target.uid not in {"", row.uid}:
            return replace(plan, declined=(Decline(guard=TARGET, message=f"{target.key} is gone, or not seen"),))
        made = draft(action, row, parameters, reason=reason, world=self._world)
        if isinstance(made, Decline):
            found = row.key.ref(row.uid)
            return replace(plan, target=found, steps=(replace(step, target=found),), declined=(made,))
        step, seconds = made
        plan = replace(plan, target=step.target, steps=(step,), expected_seconds=seconds)
        return self._placed(plan, by_hand=True)


def _reason(choice: Choice, refusals: Sequence[Decline]) -> str:
    sentences = [f"rule {choice.rule.name}: {choice.finding.message}", *(refusal.message for refusal in refusals)]
    return "; ".join([*sentences, *([choice.why_observed] if choice.why_observed else [])])
