"""The runs in the database: proposing, approving, taking over. Each change is in the ledger, in its transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.history import KEPT
from auto_healing.noticed import Noticed
from auto_healing.past import HOLDING, Past
from auto_healing.place import place_of
from auto_healing.plan import Plan
from auto_healing.run import Run, RunState
from auto_healing.storage import ledger
from auto_healing.storage.decisions import NotNow, after, approved, denied, is_due, undo_wanted
from auto_healing.storage.fence import fenced
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.ledger import Entry
from auto_healing.storage.models import leader
from auto_healing.storage.models import run as run_table
from auto_healing.storage.proposing import Answer, Proposal, answer_to, entry_of, holders_of, insert_runs, taken
from auto_healing.storage.repeats import Repeats
from auto_healing.storage.run_entries import Told, about_run, said
from auto_healing.storage.run_reading import UNFINISHED, RunReader
from auto_healing.storage.run_rows import decision_values, run_of
from auto_healing.unanswered import A_PERSON
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey
from common.database.connections import Database
from common.web.auth import Identity

APPROVAL = timedelta(hours=1)
_TOO_LATE = "nobody approved it in time"


class NoSuchRun(LookupError):
    """There is no run of this id."""


class Runs(RunReader):
    """What may be done to runs from outside. Carrying them out is the executor's, by `Progress`."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        clock: Clock,
        past: Past,
        snapshot: Callable[[], ClusterSnapshot],
        *,
        approval: Callable[[Plan], timedelta] = lambda _: APPROVAL,
    ) -> None:
        super().__init__(database)
        self.past = past
        self._jobs = jobs
        self._clock = clock
        self._snapshot = snapshot
        self._approval = approval
        self._repeats = Repeats()
        self._noticed = Noticed()  # by what others have done

    async def propose(self, proposals: Sequence[Proposal | Plan], *, epoch: int | None) -> list[Answer]:
        """Store what was decided, all of it or nothing: runs with their jobs, refusals, and an entry for each.

        The answers come in the order of the proposals. `epoch` is None for a person's wish, which any replica may
        store. Raises Deposed and DatabaseError.
        """
        at = self._clock.now()
        answers = [self._answer(each if isinstance(each, Proposal) else Proposal(plan=each), at) for each in proposals]
        if any(not answer.repeat for answer in answers):
            async with fenced(self._database, epoch) as connection:
                answers = await self._store(connection, answers, at, epoch)
        for answer in answers:
            self._remember(answer, at)
        return answers

    def _answer(self, proposal: Proposal, at: datetime) -> Answer:
        answer = answer_to(proposal, place_of(proposal.plan, self._snapshot()), at, self._approval(proposal.plan))
        if answer.run is not None and answer.run.state in HOLDING:
            holder = self.past.holder_of(proposal.plan.target.key)
            answer = answer if holder is None else taken(answer, holder.id, at)
        return self._marked(answer, at)

    def _marked(self, answer: Answer, at: datetime) -> Answer:
        """Tell repeats apart. A person is always answered, and what acts is always stored."""
        if answer.proposal.by_hand or not (answer.declined or answer.observed):
            return answer
        if not self._repeats.is_repeat(answer.plan, answer.declined, at):
            return answer
        return replace(answer, repeat=True, run=None)

    async def _store(
        self, connection: AsyncConnection, answers: Sequence[Answer], at: datetime, epoch: int | None
    ) -> list[Answer]:
        epoch = await epoch_of(connection) if epoch is None else epoch
        fresh = [answer for answer in answers if not answer.repeat]
        ids = await insert_runs(connection, fresh, epoch)
        lost = {answer.run.id: answer.plan.target.key for answer in fresh if answer.run and answer.run.id not in ids}
        if lost:
            answers = await self._refused(connection, answers, lost, at)
            await insert_runs(connection, [each for each in answers if each.run and each.run.id in lost], epoch)
        for answer in answers:
            if answer.run is not None and answer.run.state is RunState.APPROVED:
                await self._jobs.defer(connection, answer.run, epoch)
        await ledger.append(connection, [entry_of(answer, at) for answer in answers if not answer.repeat])
        return list(answers)

    async def _refused(
        self, connection: AsyncConnection, answers: Sequence[Answer], lost: Mapping[UUID, ObjectKey], at: datetime
    ) -> list[Answer]:
        """The answers, with refusals in place of those whose target is held by another run."""
        holders = await holders_of(connection, set(lost.values()))
        return [
            self._marked(taken(answer, holders.get(answer.plan.target.key), at), at)
            if answer.run is not None and answer.run.id in lost
            else answer
            for answer in answers
        ]

    def _remember(self, answer: Answer, at: datetime) -> None:
        if answer.repeat:
            return
        if answer.run is not None:
            self.past.put(answer.run)
        if answer.declined or answer.observed:
            self._repeats.told(answer.plan, answer.declined, at)
        else:
            self._repeats.forget(answer.plan)

    async def approve(self, run_id: UUID, by: Identity, *, person: str = "") -> Run:
        """A person's yes; the run begins at once. `person`: for whom `by` speaks, when not for itself.

        Raises NoSuchRun and NotNow.
        """
        async with fenced(self._database, None) as connection:
            before, at = await self._locked(connection, run_id)
            run = approved(before, by, at, person=person)
            if run is not before:
                await self._decide(connection, run, said(run, Told.APPROVED, at, by, person))
        self.past.put(run)
        return run

    async def deny(self, run_id: UUID, by: Identity, reason: str = "", *, person: str = "") -> Run:
        """A person's no, to a run that has not begun; `person` as above. Raises NoSuchRun and NotNow."""
        async with fenced(self._database, None) as connection:
            before, at = await self._locked(connection, run_id)
            run = denied(before, person or by.name, reason, at)
            no = {"guard": A_PERSON, "outcome": "declined", "message": run.reason}
            if run is not before:
                await self._decide(connection, run, said(run, Told.DECLINED, at, by, person, **no))
        self.past.put(run)
        return run

    async def ask_undo(self, run_id: UUID, by: str, reason: str) -> Run:
        """Have what was done taken back; a run that is under way is stopped first. Raises NoSuchRun and NotNow."""
        async with fenced(self._database, None) as connection:
            before, at = await self._locked(connection, run_id)
            run = undo_wanted(before, by, reason)
            target = run.plan.target.key
            holder = (await holders_of(connection, [target])).get(target, run.id)
            if holder != run.id:
                raise NotNow(f"run {holder} is at work on {target}; undo that one first")
            await self._decide(connection, run, about_run(run, Told.UNDO_ASKED, at, actor=by, message=reason))
        self.past.put(run)
        return run

    async def _decide(self, connection: AsyncConnection, run: Run, entry: Entry) -> None:
        """Store what somebody decided, with the job that it makes necessary."""
        epoch = await epoch_of(connection)
        await connection.execute(
            update(run_table).where(run_table.c.id == run.id).values(decision_values(run) | {"epoch": epoch})
        )
        if is_due(run):
            await self._jobs.defer(connection, run, epoch)
        await ledger.append(connection, [entry])

    async def _locked(self, connection: AsyncConnection, run_id: UUID) -> tuple[Run, datetime]:
        """The run, which nobody else changes before the transaction ends, and an instant after its last change."""
        row = (await connection.execute(select(run_table).where(run_table.c.id == run_id).with_for_update())).first()
        if row is None:
            raise NoSuchRun(f"there is no run {run_id}")
        run = run_of(row._asdict())
        return run, after(run, self._clock.now())

    async def expire(self, *, epoch: int) -> list[Run]:
        """End what nobody approved in time. Raises Deposed."""
        at = self._clock.now()
        ended = update(run_table).values(
            state=RunState.EXPIRED.value, updated_at=at, ended_at=at, reason=_TOO_LATE, epoch=epoch
        )
        late = (run_table.c.state == RunState.AWAITING_APPROVAL.value) & (run_table.c.approval_expires_at <= at)
        async with fenced(self._database, epoch) as connection:
            rows = await connection.execute(ended.where(late).returning(run_table))
            runs = [run_of(row._asdict()) for row in rows]
            if runs:
                await ledger.append(connection, [about_run(run, Told.EXPIRED, at, message=_TOO_LATE) for run in runs])
        for run in runs:
            self.past.put(run)
        return runs

    async def mark_recurred(self, run_id: UUID, message: str, *, epoch: int) -> bool:
        """Note that what the run healed came back; False when that was noted before. Raises Deposed."""
        at = self._clock.now()
        noted = update(run_table).where(run_table.c.id == run_id, run_table.c.recurred_at.is_(None))
        async with fenced(self._database, epoch) as connection:
            rows = await connection.execute(noted.values(recurred_at=at).returning(run_table))
            runs = [run_of(row._asdict()) for row in rows]
            if runs:
                await ledger.append(connection, [about_run(run, Told.RECURRED, at, message=message) for run in runs])
        for run in runs:
            self.past.put(run)
        return bool(runs)

    async def take_over(self, *, epoch: int) -> list[Run]:
        """At the beginning of leadership: load the past; defer a job for each run that is due, and return those."""
        at = self._clock.now()
        async with fenced(self._database, epoch) as connection:
            runs = await _lately(connection, at)
            due = [run for run in runs if is_due(run)]
            for run in due:
                await self._jobs.defer(connection, run, epoch)
            if due:
                entries = [about_run(run, Told.RESUMED, at, outcome=run.state.value) for run in due]
                await ledger.append(connection, entries)
        self.past.load(runs)
        self.past.prune(at)
        return due

    async def lately(self) -> Past:
        """What was done by whoever leads, for a replica that does not. Raises DatabaseError."""
        past, at = Past(self._noticed), self._clock.now()
        async with self._database.begin() as connection:
            past.load(await _lately(connection, at))
        past.prune(at)
        return past

    async def refresh(self) -> list[Run]:
        """The unfinished runs, also those that another replica's API has moved; the past is brought up to date."""
        there = await self.unfinished()
        known = {run.id: (run.updated_at, run.undo_by) for id_ in there if (run := self.past.get(id_)) is not None}
        gone = {run.id for run in self.past.unfinished()} - there.keys()
        read = await self.many([*gone, *(id_ for id_, mark in there.items() if known.get(id_) != mark)])
        for run in read:
            self.past.put(run)
        latest = {run.id: run for run in read}
        return [run for id_ in there if (run := latest.get(id_) or self.past.get(id_)) is not None]


async def _lately(connection: AsyncConnection, at: datetime) -> list[Run]:
    """Unfinished runs, and those that a guard may still count."""
    lately = (run_table.c.started_at > at - KEPT) | (run_table.c.ended_at > at - KEPT)
    rows = await connection.execute(select(run_table).where(UNFINISHED | lately))
    return [run_of(row._asdict()) for row in rows]


async def epoch_of(connection: AsyncConnection) -> int:
    """Whose jobs are worked on. It stays true until the transaction ends; whoever leads next takes over what is due."""
    return int((await connection.execute(select(leader.c.epoch).with_for_update(read=True))).scalar_one())
