"""Storing what was decided: approved and observed runs, and refusals, many in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.plan import Decline, Mode, Plan
from auto_healing.run import Place, Run, RunState
from auto_healing.storage.ledger import Entry
from auto_healing.storage.models import run as run_table
from auto_healing.storage.models import step as step_table
from auto_healing.storage.run_entries import POLICY, proposed, refused
from auto_healing.storage.run_rows import first_steps, run_values
from common.contracts import ObjectKey

ONE_RUN = "one-run-per-target"
_HOLDS = text("state IN ('awaiting-approval', 'approved', 'running', 'verifying')")
_STATES = {
    Mode.AUTO: RunState.APPROVED,
    Mode.APPROVE: RunState.AWAITING_APPROVAL,
    Mode.OBSERVE: RunState.OBSERVED,
    Mode.OFF: RunState.DECLINED,
}
_OFF = Decline(guard="policy", message="the mode of its rule is off")
_EMPTY = Decline(guard="policy", message="there is nothing to do")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A plan to be stored. `previous` is the run whose failure led to it, the score is the target's before."""

    plan: Plan
    requested_by: str = POLICY  # or a person's name
    reason: str = ""  # a person's
    previous: UUID | None = None
    score_before: float | None = None

    @property
    def by_hand(self) -> bool:
        return self.requested_by != POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a proposal. A refusal has no run, unless a person asked; a `repeat` was not stored again."""

    proposal: Proposal
    run: Run | None = None
    declined: tuple[Decline, ...] = ()
    repeat: bool = False

    @property
    def plan(self) -> Plan:
        return self.proposal.plan

    @property
    def observed(self) -> bool:
        return self.run is not None and self.run.state is RunState.OBSERVED


def answer_to(proposal: Proposal, place: Place, at: datetime, approval: timedelta) -> Answer:
    """Pure: the run it becomes, or why none. A person's refused wish is a run too, so that it can be shown."""
    plan = proposal.plan
    declined = plan.declined or (() if plan.steps else (_EMPTY,)) or ((_OFF,) if plan.mode is Mode.OFF else ())
    if declined and not proposal.by_hand:
        return Answer(proposal=proposal, declined=declined)
    state = RunState.DECLINED if declined else _STATES[plan.mode]
    run = Run(
        id=uuid4(),
        plan=plan,
        state=state,
        created_at=at,
        updated_at=at,
        requested_by=proposal.requested_by,
        reason=declined[0].message if declined else proposal.reason,
        approval_expires_at=at + approval if state is RunState.AWAITING_APPROVAL else None,
        ended_at=at if state.ended else None,
        previous=proposal.previous,
        score_before=proposal.score_before,
        place=place,
    )
    return Answer(proposal=proposal, run=run, declined=declined)


def taken(answer: Answer, holder: UUID | None, at: datetime) -> Answer:
    """Pure: the refusal of a run whose target another run holds. A person's stays a run that was declined."""
    named = "another run" if holder is None else f"run {holder}"
    decline = Decline(
        guard=ONE_RUN,
        message=f"{named} is at work on {answer.plan.target.key}",
        numbers={} if holder is None else {"run": str(holder)},
    )
    run = answer.run
    if run is None or not answer.proposal.by_hand:
        return replace(answer, run=None, declined=(decline,))
    ended = replace(run, state=RunState.DECLINED, reason=decline.message, ended_at=at, approval_expires_at=None)
    return replace(answer, run=ended, declined=(decline,))


async def insert_runs(connection: AsyncConnection, answers: Sequence[Answer], epoch: int) -> set[UUID]:
    """Insert their runs and steps; the ids of those whose target nobody holds, which alone were inserted."""
    runs = [answer.run for answer in answers if answer.run is not None]
    if not runs:
        return set()
    inserting = insert_or_not(run_table).on_conflict_do_nothing(
        index_elements=["kind", "namespace", "name"], index_where=_HOLDS
    )
    inserted = await connection.execute(inserting.returning(run_table.c.id), [run_values(run, epoch) for run in runs])
    ids = set(inserted.scalars())
    steps = [values for run in runs if run.id in ids for values in first_steps(run)]
    if steps:
        await connection.execute(insert(step_table), steps)
    return ids


async def holders_of(connection: AsyncConnection, targets: Collection[ObjectKey]) -> dict[ObjectKey, UUID]:
    """The runs that hold targets."""
    table = run_table.c
    found = await connection.execute(
        select(table.kind, table.namespace, table.name, table.id).where(
            _HOLDS, tuple_(table.kind, table.namespace, table.name).in_([tuple(key) for key in targets])
        )
    )
    return {ObjectKey(kind, namespace, name): run_id for kind, namespace, name, run_id in found}


def entry_of(answer: Answer, at: datetime) -> Entry:
    """Pure: what the ledger says of it."""
    if answer.declined:
        actor = answer.proposal.requested_by
        return refused(answer.plan, answer.declined, at, run=answer.run, actor=actor)
    assert answer.run is not None  # noqa: S101
    return proposed(answer.run, at)
