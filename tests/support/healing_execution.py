"""Everything that carries out runs, on a real database: over a cluster in memory, or whatever a test hands in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.support.healing_cluster import MemoryStore
from tests.support.healing_database import claim_healing, healing_rows, healing_target
from tests.support.rows import a_node, a_pod, a_snapshot
from tests.support.waiting import eventually

from auto_healing.actions.action import Action, Doing, Outcome, Preview, Result
from auto_healing.execute import BeforeStep, Endings, Executor, Hands
from auto_healing.history import History
from auto_healing.past import Past
from auto_healing.plan import Decline, Harm, Step
from auto_healing.run import Run, RunState
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.ledger import Ledger, LedgerEntry
from auto_healing.storage.progress import Progress
from auto_healing.storage.runs import Runs
from auto_healing.watch_runs import RunWatch
from auto_healing.worker import Worker
from common.clock import Clock, SystemClock
from common.cluster.rows import PodRow
from common.cluster.store import Store
from common.contracts import Finding, ObjectKey, ObjectRef
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.database.work import WorkQueue
from common.web.auth import Identity, Scope

ALICE = Identity.of("alice", [Scope.APPROVE], ["sre"])


class MemoryCluster:
    """Objects by their uid, and what was done to them, in order."""

    def __init__(self, *refs: ObjectRef) -> None:
        self.there = {ref.uid: ref for ref in refs}
        self.watched: Store | None = None  # the view that hears of what is done
        self.done: list[str] = []
        self.events: list[str] = []

    async def read(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        found = self.there.get(ref.uid)
        return None if found is None else {"metadata": {"name": found.name, "uid": found.uid, "resourceVersion": "1"}}

    async def delete(self, ref: ObjectRef, **options: Any) -> bool:
        if self.there.pop(ref.uid, None) is None:
            return False
        self.done.append(f"delete {ref.name}")
        if self.watched is not None:
            self.watched.remove(PodRow, ref.key)
        return True

    async def event(self, ref: ObjectRef, *, reason: str, message: str, warning: bool = False) -> None:
        self.events.append(f"{reason} {ref.name}")


class Deleting:
    """Deletes its target, once the test lets it."""

    code = "delete-pod"
    title = "Delete a pod"
    harm = Harm.HARMFUL
    kinds = frozenset({"Pod", "Node"})
    expects = "It is gone."
    undoable = ""
    permissions = ()
    parameters: Mapping[str, str] = {}

    def __init__(self, code: str = "delete-pod") -> None:
        self.code = code  # type: ignore[misc]
        self.preview_refusal = ""
        self.calls = 0

    def preview(self, target: Any, snapshot: Any, parameters: Any, now: Any) -> Preview:
        return Preview(refusal=self.preview_refusal)

    async def apply(self, doing: Doing) -> Outcome:
        self.calls += 1
        await doing.store.save_evidence(doing.step.target, {"run": doing.mark})
        there = await doing.cluster.delete(doing.step.target)
        return Outcome(result=Result.DONE if there else Result.ALREADY, message="it is gone")

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return Outcome(result=Result.FAILED, message="it cannot be undone")


class Switching(Deleting):
    """Switches something on, which can be switched off again; `will` says what apply and undo come to."""

    undoable = "It is switched off."

    def __init__(self, code: str = "cordon") -> None:
        super().__init__(code)
        self.will: list[Outcome | Exception] = []
        self.undo_will: list[Outcome | Exception] = []
        self.log: list[str] = []

    async def apply(self, doing: Doing) -> Outcome:
        self.calls += 1
        self.log.append(f"on {doing.step.target.name}")
        return _next(self.will) or Outcome(result=Result.DONE, message="it is on", inverse={"was": "off"})

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        self.log.append(f"off {doing.step.target.name}")
        return _next(self.undo_will) or Outcome(result=Result.DONE, message="it is off")


def _next(will: list[Outcome | Exception]) -> Outcome | None:
    found = will.pop(0) if will else None
    if isinstance(found, Exception):
        raise found
    return found


@dataclass
class Counting:
    """Implements Witness."""

    steps: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def step_started(self, run: Run, step: Step) -> None:
        """Only its end counts."""

    def step_ended(self, run: Run, step: Step, outcome: Outcome, seconds: float) -> None:
        self.steps.append(f"{step.action} {outcome.result}")

    def run_ended(self, run: Run) -> None:
        self.ended.append(str(run.state))


@dataclass
class Execution:
    """All parts, joined, and the knobs of a test."""

    database: Database
    clock: Clock
    cluster: Any
    snapshot: Store
    actions: dict[str, Action]
    queue: WorkQueue
    store_of: Callable[[UUID, int], Any]
    epoch: int | None = None
    declines: list[Decline] | Exception = field(default_factory=list)  # what the guards say
    may_approve: bool = True
    lost: set[tuple[str, Scope]] = field(default_factory=set)  # who may what no more
    findings: Collection[Finding] = ()
    rechecked: int = 0
    failed: list[Run] = field(default_factory=list)
    counting: Counting = field(default_factory=Counting)

    def __post_init__(self) -> None:
        self.past = Past()
        self.jobs = Jobs(self.queue)
        self.runs = Runs(self.database, self.jobs, self.clock, self.past, lambda: self.snapshot)
        self.progress = Progress(self.database, self.jobs, self.past)
        self.ledger = Ledger(self.database)
        self.endings = Endings(
            progress=self.progress, score_of=self.score_of, on_failed=self.failed.append, witness=self.counting
        )
        self.hands = Hands(
            cluster=self.cluster,
            snapshot=lambda: self.snapshot,
            actions=self.actions,
            store_of=self.store_of,
            clock=self.clock,
        )
        self.before = BeforeStep(
            cluster=self.cluster,
            snapshot=lambda: self.snapshot,
            actions=self.actions,
            recheck=self.recheck,
            still_has=self.still_has,
            past=self.past,
            clock=self.clock,
        )
        self.executor = Executor(self.runs, self.before, self.hands, self.endings, self.leads)
        self.paused = False
        self.watch = RunWatch(
            self.runs,
            self.executor,
            self.endings,
            snapshot=lambda: self.snapshot,
            findings=lambda: self.findings,
            is_paused=lambda run: self.paused,
            clock=self.clock,
        )
        self.worker = Worker(self.jobs, self.runs, self.executor, self.watch, self.leads)

    def leads(self) -> int | None:
        return self.epoch

    def recheck(self, run: Run, step: Step, history: History) -> Sequence[Decline]:
        self.rechecked += 1
        if isinstance(self.declines, Exception):
            raise self.declines
        return tuple(self.declines)

    async def still_has(self, who: Identity, scope: Scope) -> bool:
        return self.may_approve and (who.name, scope) not in self.lost

    def score_of(self, key: ObjectKey) -> float | None:
        return 90.0

    async def lead(self) -> int:
        """Become the leader, as another process would."""
        self.epoch = await claim_healing(self.database)
        return self.epoch

    async def carry_out(self, run: Run) -> Run:
        """What the job of a run does; the run as it is then."""
        assert self.epoch is not None
        await self.executor.carry_out(run.id, self.epoch)
        return await self.found(run.id)

    async def found(self, run_id: UUID) -> Run:
        run = await self.runs.get(run_id)
        assert run is not None
        return run

    async def told(self, run_id: UUID) -> list[str]:
        """The ledger about a run, in short words."""
        return [_short(entry) for entry in await self.ledger.of_run(run_id)]

    async def jobs_waiting(self) -> int:
        rows = await healing_rows(self.database, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        return int(rows[0][0])

    async def becomes(self, run_id: UUID, *states: RunState) -> Run:
        async def is_there() -> bool:
            return (await self.found(run_id)).state in states

        await eventually(is_there)
        return await self.found(run_id)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """With a worker at work, as while this replica leads."""
        task = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _short(entry: LedgerEntry) -> str:
    return " ".join(filter(None, (entry.event, entry.outcome, entry.guard)))


@asynccontextmanager
async def an_execution(
    url: str,
    *,
    cluster: Any = None,
    snapshot: Store | None = None,
    actions: Sequence[Action] = (),
    clock: Clock | None = None,
    store_of: Callable[[UUID, int], Any] | None = None,
    database: Database | None = None,
    lead: bool = True,
) -> AsyncIterator[Execution]:
    """Leads already, unless told otherwise. Its snapshot holds what `a_plan` is about."""
    database = database or Database(healing_target(url), DatabaseSettings())
    queue = WorkQueue(healing_target(url), DatabaseSettings())
    await queue.open()
    memory = MemoryStore()
    snapshot = snapshot or a_snapshot(POD_ROW, NODE_ROW)
    if cluster is None:
        cluster = MemoryCluster(A_POD, A_NODE)
        cluster.watched = snapshot
    execution = Execution(
        database=database,
        clock=clock or SystemClock(),
        cluster=cluster,
        snapshot=snapshot,
        actions={action.code: action for action in actions or (Deleting(), Switching())},
        queue=queue,
        store_of=store_of or (lambda run_id, epoch: memory),
    )
    try:
        if lead:
            await execution.lead()
        yield execution
    finally:
        await queue.close()
        await database.close()


A_POD = ObjectRef(kind="Pod", namespace="shop", name="checkout-1", uid="uid-checkout-1")
A_NODE = ObjectRef(kind="Node", name="node-1", uid="uid-node-1")
POD_ROW = a_pod("checkout-1", uid="uid-checkout-1", ready=False)
NODE_ROW = a_node("node-1", uid="uid-node-1")


def a_step(action: str = "delete-pod", target: ObjectRef = A_POD, **changes: Any) -> Step:
    return Step(**({"action": action, "target": target, "harm": Harm.HARMFUL, "reason": "it crashes"} | changes))
