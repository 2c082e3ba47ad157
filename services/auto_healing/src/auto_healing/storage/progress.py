"""How far a run is: each move and each step is stored with its entry in the ledger, by the leader alone.

A commit whose answer was lost may be made again: the instant of a change tells that it is there already.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Update, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.actions.action import Outcome, Result
from auto_healing.past import Past
from auto_healing.plan import Decline
from auto_healing.run import SERVICE, Run, RunState, StepState
from auto_healing.storage import ledger
from auto_healing.storage.decisions import may_follow, undo_wanted
from auto_healing.storage.fence import fenced
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.ledger import Entry
from auto_healing.storage.models import run as run_table
from auto_healing.storage.models import step as step_table
from auto_healing.storage.run_entries import Told, about_run, numbers_of, refusal
from auto_healing.storage.run_rows import StoredStep, progress_values, step_values
from common.database.connections import Database

_ENDINGS = {
    RunState.HEALED: Told.HEALED,
    RunState.FAILED: Told.FAILED,
    RunState.UNDONE: Told.UNDONE,
    RunState.DECLINED: Told.DECLINED,
    RunState.EXPIRED: Told.EXPIRED,
}
SUCCESS = frozenset({Result.DONE, Result.ALREADY})


class MoveRefused(Exception):
    """The run is in another state than was thought: somebody else has moved it."""

    def __init__(self, run_id: UUID, was: str, to: str) -> None:
        super().__init__(f"run {run_id} is {was}, so it cannot become {to}")


class Progress:
    """The moves of runs that are carried out. Each returns the run, or step, as it is then.

    All raise Deposed when another replica leads, MoveRefused, and DatabaseError.
    """

    def __init__(self, database: Database, jobs: Jobs, past: Past) -> None:
        self._database = database
        self._jobs = jobs
        self._past = past

    async def start_step(self, run: Run, step: StoredStep, at: datetime, *, epoch: int) -> tuple[Run, StoredStep]:
        """Before the first write of the step, and again when it is taken up after a crash, with the time that is left.

        A step given as pending begins anew.
        """
        started = replace(
            step,
            state=StepState.STARTED,
            tries=step.tries + 1,
            started_at=step.started_at if step.state is StepState.STARTED else at,
        )
        planned = run.plan.steps[step.number]
        entry = about_run(
            run,
            Told.STEP_STARTED,
            at,
            step=planned,
            message=planned.reason,
            data={"step": step.number, "try": started.tries, "parameters": dict(planned.parameters)},
        )
        moved = replace(run, state=RunState.RUNNING, updated_at=at, started_at=run.started_at or at)
        return await self._store(run, moved, epoch, [entry], started), started

    async def end_step(
        self, run: Run, step: StoredStep, outcome: Outcome, at: datetime, *, epoch: int
    ) -> tuple[Run, StoredStep]:
        """What came of it. After the last step the run is watched."""
        succeeded = outcome.result in SUCCESS
        ended = replace(step, state=StepState.DONE if succeeded else StepState.FAILED, ended_at=at, outcome=outcome)
        entries = [self._outcome(run, ended, Told.STEP_ENDED, outcome, at)]
        moved = replace(run, updated_at=at)
        if succeeded and step.number == len(run.plan.steps) - 1:
            moved = replace(moved, state=RunState.VERIFYING, verifying_at=at, reason=outcome.message)
            seconds = run.plan.verify_window.total_seconds()
            message = f"for up to {seconds:g} s it is watched whether that helped"
            entries.append(about_run(run, Told.VERIFYING, at, message=message, data={"window_seconds": seconds}))
        return await self._store(run, moved, epoch, entries, ended), ended

    async def start_undo(self, run: Run, step: StoredStep, at: datetime, *, epoch: int) -> Run:
        """Before the first write that takes a step back."""
        planned = run.plan.steps[step.number]
        entry = about_run(run, Told.UNDO_STARTED, at, step=planned, message=run.undo_reason, data={"step": step.number})
        return await self._store(run, replace(run, updated_at=at), epoch, [entry])

    async def end_undo(
        self, run: Run, step: StoredStep, outcome: Outcome, at: datetime, *, epoch: int
    ) -> tuple[Run, StoredStep]:
        """The step keeps the outcome of having been done, by which it can be undone again."""
        undone = outcome.result in SUCCESS
        ended = replace(step, state=StepState.UNDONE if undone else StepState.UNDO_FAILED, ended_at=at)
        entry = self._outcome(run, ended, Told.UNDO_ENDED, outcome, at)
        return await self._store(run, replace(run, updated_at=at), epoch, [entry], ended), ended

    async def refuse_step(
        self, run: Run, step: StoredStep, declined: Sequence[Decline], at: datetime, *, epoch: int
    ) -> Run:
        """A guard stops a run that has begun, before its next step."""
        entry = about_run(
            run,
            Told.DECLINED,
            at,
            step=run.plan.steps[step.number],
            outcome="declined",
            guard=declined[0].guard,
            message=declined[0].message,
            data={"step": step.number} | refusal(declined),
        )
        return await self._store(run, replace(run, updated_at=at), epoch, [entry])

    async def decline(self, run: Run, declined: Sequence[Decline], at: datetime, *, epoch: int) -> Run:
        """A guard stops a run of which nothing has been done."""
        first = declined[0]
        ended = replace(run, state=RunState.DECLINED, updated_at=at, ended_at=at, reason=first.message)
        entry = about_run(
            run,
            Told.DECLINED,
            at,
            outcome="declined",
            guard=first.guard,
            message=first.message,
            data=refusal(declined),
        )
        return await self._store(run, ended, epoch, [entry])

    async def end(self, run: Run, ended: Run, *, epoch: int, reason: str) -> Run:
        """The last word about it; `ended` has its last state and figures."""
        seconds = ended.seconds_to_heal
        entry = about_run(
            run,
            _ENDINGS[ended.state],
            ended.updated_at,
            outcome=ended.state.value,
            message=reason,
            data={
                "score_before": run.score_before,
                "score_after": ended.score_after,
                "seconds_to_heal": None if seconds is None else round(seconds, 3),
                "undo_by": run.undo_by,
            },
        )
        return await self._store(run, replace(ended, reason=reason), epoch, [entry])

    async def keep_as_is(self, run: Run, at: datetime, *, epoch: int, reason: str) -> Run:
        """An undo of an ended run came to nothing: it stays what it was, and may be asked for again."""
        entry = about_run(run, Told.FAILED, at, outcome="undo-failed", message=reason)
        kept = replace(run, updated_at=at, reason=reason, undo_by="", undo_reason="")
        return await self._store(run, kept, epoch, [entry], forget_undo=True)

    async def want_undo(self, run: Run, reason: str, at: datetime, *, epoch: int, defer: bool) -> Run:
        """The service itself wants it undone. `defer` unless that is done within the present job."""
        wanted = undo_wanted(run, SERVICE, reason)
        entry = about_run(run, Told.UNDO_ASKED, at, message=reason)
        async with fenced(self._database, epoch) as connection:
            asked = update(run_table).where(run_table.c.id == run.id, run_table.c.undo_by == "")
            values = {"undo_by": wanted.undo_by, "undo_reason": reason, "epoch": epoch}
            if (await connection.execute(asked.values(values))).rowcount:
                if defer:
                    await self._jobs.defer(connection, wanted, epoch)
                await ledger.append(connection, [entry])
        self._past.put(wanted)
        return wanted

    @staticmethod
    def _outcome(run: Run, step: StoredStep, event: Told, outcome: Outcome, at: datetime) -> Entry:
        planned = run.plan.steps[step.number]
        return about_run(
            run,
            event,
            at,
            step=planned,
            outcome=outcome.result.value,
            message=outcome.message,
            data={"step": step.number, "try": step.tries} | dict(numbers_of(outcome)),
        )

    async def _store(
        self,
        before: Run,
        then: Run,
        epoch: int,
        entries: Sequence[Entry],
        step: StoredStep | None = None,
        *,
        forget_undo: bool = False,
    ) -> Run:
        async with fenced(self._database, epoch) as connection:
            is_stored, wish = await self._found(connection, before, then)
            if not is_stored:
                values = progress_values(then) | {"epoch": epoch}
                if forget_undo:
                    values |= {"undo_by": "", "undo_reason": ""}
                await connection.execute(update(run_table).where(run_table.c.id == then.id).values(values))
                if step is not None:
                    await connection.execute(_of(then, step).values(step_values(step)))
                await ledger.append(connection, entries)
        stored = then if forget_undo else replace(then, undo_by=wish[0], undo_reason=wish[1])
        self._past.put(stored)
        return stored

    @staticmethod
    async def _found(connection: AsyncConnection, before: Run, then: Run) -> tuple[bool, tuple[str, str]]:
        """Whether this very change is there already, and who wants the run undone by now, and why.

        Raises MoveRefused when the run is elsewhere than was thought.
        """
        wanted = (run_table.c.state, run_table.c.updated_at, run_table.c.undo_by, run_table.c.undo_reason)
        found = select(*wanted).where(run_table.c.id == then.id).with_for_update()
        state, updated_at, undo_by, undo_reason = (await connection.execute(found)).one()
        if updated_at == then.updated_at:
            return True, (undo_by, undo_reason)
        if state != before.state.value or not may_follow(before.state, then.state):
            raise MoveRefused(then.id, state, then.state)
        return False, (undo_by, undo_reason)


def _of(run: Run, step: StoredStep) -> Update:
    return update(step_table).where(step_table.c.run_id == run.id, step_table.c.number == step.number)
