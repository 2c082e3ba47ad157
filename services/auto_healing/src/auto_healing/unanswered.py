"""What people were asked and left unanswered, or said no to, is not asked again and again. Pure."""

from auto_healing.guards.steps import counted
from auto_healing.history import PastRun
from auto_healing.plan import Decline, Mode, Plan
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.run import RunState
from auto_healing.world import World

A_PERSON = "approval"  # who declines that is no guard


def unanswered(plan: Plan, world: World) -> Decline | None:
    """Why the plan's approval is not asked for now: a no holds for as long as the guard `attempts` blocks, and after
    as many proposals in a row as it allows attempts, people are called instead. None when it may be proposed.

    Another finding, action, revision or object of that name is another question.
    """
    settings = world.policy.guards.attempts
    if plan.mode is not Mode.APPROVE or not (asked := _in_a_row(plan, world)):
        return None
    last = asked[-1]
    until = (last.ended_at or last.started_at) + settings.block
    if world.now >= until:
        return None
    what = f"{last.action} of {last.target}"
    if last.state is RunState.DECLINED:
        message = f"a person said no to {what}: it is proposed again at {until:%H:%M} UTC, or when something changes"
        return Decline(guard=A_PERSON, message=message, look_again_at=until)
    if len(asked) < settings.most:
        return None
    message = (
        f"rule {plan.rule} calls a human: {what} was proposed {counted(len(asked), 'time')} in a row, and nobody "
        f"approved it in time; it is proposed again at {until:%H:%M} UTC, or when something changes"
    )
    return Decline(guard=CALL_A_HUMAN, message=message, numbers={"proposed": len(asked)}, look_again_at=until)


def _in_a_row(plan: Plan, world: World) -> list[PastRun]:
    """The same proposals, oldest first, since the target was last acted on."""
    step, findings, key = plan.steps[0], plan.fault.findings, plan.target.key
    same = (plan.rule, step.action, plan.target.uid, plan.fault.revision, findings[0].code if findings else "")
    acted_at = max((run.started_at for run in world.history.of_target(key)), default=None)
    asked = (
        run
        for run in world.history.unanswered(key)
        if (run.rule, run.action, run.uid, run.revision, run.code) == same
        and (acted_at is None or run.started_at > acted_at)
    )
    return sorted(asked, key=lambda run: run.started_at)
