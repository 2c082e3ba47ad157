"""What the ledger says of runs: one word for each thing that can happen to them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from auto_healing.actions.action import Outcome
from auto_healing.fault import Fault
from auto_healing.plan import Decline, Plan, Step
from auto_healing.run import SERVICE, Run
from auto_healing.storage.ledger import Entry
from common.contracts import ObjectKey
from common.web.auth import Identity

POLICY = "policy"  # who asks when nobody does
_MOST_OBJECTS = 51  # a storm has thousands; as many are told of
VOUCHED_BY = "vouched_by"  # in the data of an entry: the service that passed on what its actor decided


class Told(StrEnum):
    """`event` of the entries about runs."""

    PROPOSED = "proposed"  # `outcome`: the state it is stored in
    DECLINED = "declined"  # by a guard or a person
    APPROVED = "approved"
    EXPIRED = "expired"
    STEP_STARTED = "step-started"  # stored before the first write of the step
    STEP_ENDED = "step-ended"  # `outcome`: done, already, blocked or failed
    VERIFYING = "verifying"
    RESUMED = "resumed"  # by a new leader
    HEALED = "healed"
    FAILED = "failed"
    UNDO_ASKED = "undo-asked"
    UNDO_STARTED = "undo-started"
    UNDO_ENDED = "undo-ended"
    UNDONE = "undone"
    RECURRED = "recurred"  # the same finding on the same owner, within a day of being healed


def about_run(run: Run, event: Told, at: datetime, *, step: Step | None = None, **fields: Any) -> Entry:
    """An entry about a run, or about the object of one of its steps; `fields` are the entry's others."""
    findings = run.plan.fault.findings
    first = run.plan.steps[0].action if run.plan.steps else ""
    values = {
        "actor": SERVICE,
        "object": (run.plan.target if step is None else step.target).key,
        "action": first if step is None else step.action,
        "code": findings[0].code if findings else "",
    }
    return Entry(event=event, at=at, run_id=run.id, **(values | fields))


def said(run: Run, event: Told, at: datetime, by: Identity, person: str, **fields: Any) -> Entry:
    """Somebody's word about a run; `person`: in whose name `by` passed it on."""
    via = {VOUCHED_BY: by.name} if person else {}
    return about_run(run, event, at, actor=person or by.name, data=via, **fields)


def proposed(run: Run, at: datetime) -> Entry:
    """Why, what and how far: enough to tell it years later without the run's row."""
    plan = run.plan
    return about_run(
        run,
        Told.PROPOSED,
        at,
        actor=run.requested_by,
        outcome=run.state.value,
        message=run.reason or (plan.steps[0].reason if plan.steps else ""),
        data=_decided(plan)
        | {
            "steps": [{"action": step.action, "target": str(step.target.key)} for step in plan.steps],
            "displaces": sum(len(step.displaces) for step in plan.steps),
        },
    )


def refused(
    plan: Plan, declined: Sequence[Decline], at: datetime, *, run: Run | None = None, actor: str = POLICY
) -> Entry:
    """A refusal: the first guard that stopped it, its numbers, when it is looked at again, and all other guards."""
    first, findings = declined[0], plan.fault.findings
    return Entry(
        event=Told.DECLINED,
        at=at,
        object=plan.target.key,
        run_id=None if run is None else run.id,
        code=findings[0].code if findings else "",
        action=plan.steps[0].action if plan.steps else "",
        outcome="declined",
        actor=actor,
        guard=first.guard,
        message=first.message,
        data=_decided(plan) | refusal(declined),
    )


def refusal(declined: Sequence[Decline]) -> dict[str, Any]:
    """The guards' numbers, as data of an entry."""
    first = declined[0]
    return {
        "numbers": dict(first.numbers),
        "look_again_at": None if first.look_again_at is None else first.look_again_at.isoformat(),
        "guards": [{"guard": each.guard, "message": each.message, "numbers": dict(each.numbers)} for each in declined],
    }


def numbers_of(outcome: Outcome) -> Mapping[str, Any]:
    return {"numbers": dict(outcome.numbers)} | ({"inverse": dict(outcome.inverse)} if outcome.inverse else {})


def _about(fault: Fault) -> list[ObjectKey]:
    """The subject first, and each once: by these it is found what a refusal was about."""
    return list(dict.fromkeys([fault.subject, *(each.object.key for each in fault.findings)]))[:_MOST_OBJECTS]


def _decided(plan: Plan) -> dict[str, Any]:
    fault = plan.fault
    return {
        "rule": plan.rule,
        "mode": plan.mode.value,
        "rung": plan.rung,
        "fault": {
            "level": fault.level.value,
            "subject": str(fault.subject),
            "objects": [list(key) for key in _about(fault)],
            "confidence": fault.confidence,
            "evidence": list(fault.evidence),
        },
    }
