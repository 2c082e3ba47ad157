"""A process of the product over a simulated cluster: what it sees, its runs, and how it ends and begins again.

What the shell does is done here as simply as can be: stored runs are a dictionary that outlives a killed process.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.support.simulation.agenda import Agenda
from tests.support.simulation.cluster import SimulatedCluster
from tests.support.simulation.hands import Hands
from tests.support.simulation.invariants import Invariants

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.action import Outcome, Result
from auto_healing.drafting import displacements
from auto_healing.facts import Pause
from auto_healing.guards import GUARDS
from auto_healing.guards import run as ask_guards
from auto_healing.guards.guard import Guard
from auto_healing.healer import JUDGED
from auto_healing.ladders import Ladders
from auto_healing.leased import RunBrief
from auto_healing.looks import Looks
from auto_healing.past import Past
from auto_healing.placement import Placements
from auto_healing.plan import Decline
from auto_healing.policy import HealingPolicy
from auto_healing.run import MOVES, Run, RunState
from auto_healing.sight import SightKeeper
from auto_healing.verify import Ruling, judge, observe, seconds_to_heal
from auto_healing.world import World
from common.cluster.store import Store
from common.contracts import Finding
from health_monitor.engine.engine import Engine

STEP_SECONDS, VERIFY_SECONDS, SWEEP_SECONDS = 10.0, 15.0, 30.0
RESTART_SECONDS = 40.0  # until another replica leads
TELLING = frozenset({RunState.FAILED, RunState.UNDONE})


class Killed(Exception):
    """The process ended here, without another word."""


class Replica:
    """`kills` is how likely the process is killed at a step's boundary, 0 to 1."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        hands: Hands,
        monitor: Engine,
        policy: HealingPolicy,
        *,
        random: Random,
        invariants: Invariants,
        kills: float = 0.02,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self.cluster = cluster
        self.hands = hands
        self.monitor = monitor
        self.policy = policy
        self.random = random
        self.invariants = invariants
        self.kills = kills
        self.guards = guards
        self.runs: dict[UUID, Run] = {}  # stored: they survive a kill
        self.outcomes: dict[UUID, Outcome] = {}
        self.pauses: list[Pause] = []
        self.view: Store = cluster.store
        self.monitor_down = False
        self.blind_for: dict[UUID, timedelta] = {}
        self.dead_until: datetime | None = None
        self.starts = 0
        self._events = 0
        self._begin()

    @property
    def agenda(self) -> Agenda:
        return self.cluster.agenda

    @property
    def now(self) -> datetime:
        return self.agenda.now

    # --- the process

    def _begin(self) -> None:
        """As a replica that has just become the leader: all it knows is what was stored."""
        self.past = Past()
        self.past.load(self.runs.values())
        self.keeper = SightKeeper()
        self.keeper.synced_at = self.now
        self.heard_at: datetime | None = None
        self.storm_at: datetime | None = None
        self._know(())
        self.looks = Looks(self.now)
        self.ladders = Ladders()
        self.wake_at: datetime | None = self.now
        judged = sorted((run for run in self.runs.values() if run.state in JUDGED), key=lambda run: run.updated_at)
        self.ladders.load(judged[-200:], self.policy, self.now)
        for run in self.past.unfinished():
            self._carry_on(run.id)

    def kill(self) -> None:
        self.starts += 1
        start, self.dead_until = self.starts, self.now + timedelta(seconds=RESTART_SECONDS)

        def lead_again() -> None:
            if start == self.starts:
                self.dead_until = None
                self._begin()
                self.listen()

        self.agenda.after(RESTART_SECONDS, lead_again)

    def _may_be_killed(self) -> None:
        if self.random.random() < self.kills:
            raise Killed

    # --- what is seen

    def saw(self, changes: Sequence[Any], outages_ended: Sequence[str] = ()) -> None:
        if self.dead_until is None:
            self.keeper.saw(changes, outages_ended, self.now)

    def told(self, events: Sequence[Any]) -> None:
        """health_monitor has something to say."""
        if any(event.storm for event in events):
            self.storm_at = self.now
        if events and not self.monitor_down and self.dead_until is None:
            self._list()

    def listen(self) -> None:
        """As the catch-up does now and then: the whole list."""
        if not self.monitor_down and not self.cluster.down and self.dead_until is None:
            self.heard_at = self.now
            self._list()

    def _list(self) -> None:
        findings = tuple(each.finding for each in self.monitor.all_findings() if each.muted_until is None)
        if findings != self.findings:
            self._know(findings)
            self._wake()

    def _know(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        self._open = frozenset(finding.key for finding in findings)

    def _wake(self) -> None:
        self.wake_at = min(self.wake_at or self._later(1), self._later(1))

    @property
    def next_look(self) -> datetime:
        usual = self.looks.next_at(self.now, troubled=bool(self.findings))
        return max(min(usual, self.wake_at or usual), self.looks.looked_at + timedelta(seconds=1))

    def world(self) -> World:
        return World(
            now=self.now,
            snapshot=self.view,
            policy=self.policy,
            history=self.past,
            pauses=[each for each in self.pauses if each.until is None or each.until > self.now],
            sight=self.keeper.sight(self.now, heard_at=self.heard_at, storm_at=self.storm_at),
            open_findings=self._open,
        )

    def _later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    # --- runs

    def _store(self, run: Run) -> Run:
        before = self.runs.get(run.id)
        if before is not None and before.state is not run.state:
            assert run.state in MOVES[before.state], f"{before.state} -> {run.state}"
        self.invariants.recorded(run)
        self.runs[run.id] = run
        self.past.put(run)
        return run

    def _move(self, run: Run, state: RunState, reason: str = "", **fields: Any) -> Run:
        at = max(self.now, run.updated_at + timedelta(microseconds=1))
        if state.ended:
            fields["ended_at"] = at
        moved = self._store(replace(run, state=state, updated_at=at, reason=reason, **fields))
        if state.ended:
            self.invariants.ended(moved)
            if state is RunState.HEALED:
                self.ladders.healed(moved)
            if state in TELLING:
                self._climb(moved)
                self.looks.forget(run.plan.fault.key)
            self._wake()  # at what has come up beside it
        return moved

    def _climb(self, run: Run) -> None:
        self.ladders.climb(run, self.policy, self.now)

    def _carry_on(self, run_id: UUID, seconds: float | None = None) -> None:
        start = self.starts

        def go() -> None:
            if start != self.starts or self.dead_until is not None:
                return  # that process is gone; the next one finds the run
            try:
                self._advance(self.runs[run_id])
            except Killed:
                self.kill()

        self.agenda.after(self.random.uniform(0.2, 3) if seconds is None else seconds, go)

    def _advance(self, run: Run) -> None:
        if run.state is RunState.APPROVED:
            self._may_be_killed()
            run = self._start(run)
        if run.state is RunState.RUNNING:
            self._work(run)
        elif run.state is RunState.VERIFYING:
            self._verify(run)

    def _start(self, run: Run) -> Run:
        if declined := self._declines(run):
            return self._move(run, RunState.DECLINED, declined[0].message)
        run = self._move(run, RunState.RUNNING, started_at=self.now)
        self.invariants.begins(run, self.world())
        return run

    def _declines(self, run: Run) -> Sequence[Decline]:
        """Everything that is asked before a step."""
        (step,) = run.plan.steps
        soon = self._later(10)
        if self.cluster.down:
            return (Decline(guard="fresh-view", message="the target cannot be read", look_again_at=soon),)
        live = self.cluster.store.find(step.target.key)
        if live is None or live.uid != step.target.uid:
            return (Decline(guard="still-true", message="it is gone"),)
        seen = self.view.find(step.target.key)
        if seen is None or int(seen.resource_version) < int(live.resource_version):
            return (Decline(guard="fresh-view", message="the view of it lags behind", look_again_at=soon),)
        refusal = ACTIONS_BY_CODE[step.action].preview(seen, self.view, step.parameters, self.now).refusal
        if refusal:
            return (Decline(guard="precondition", message=refusal, look_again_at=soon),)
        world = replace(self.world(), history=self.past.without(run.id))
        step = replace(step, displaces=displacements(step, Placements(world.snapshot, self.now), world))
        return ask_guards(step, world.facts(run.plan), self.guards)

    def _work(self, run: Run) -> None:
        self._may_be_killed()
        if self.cluster.down:
            self._carry_on(run.id, STEP_SECONDS)
            return
        outcome = self.hands.apply(run)
        self._may_be_killed()
        if outcome is None:
            self._carry_on(run.id, STEP_SECONDS)
            return
        self.outcomes[run.id] = outcome
        if outcome.result in {Result.DONE, Result.ALREADY}:
            self._move(run, RunState.VERIFYING, verifying_at=self.now)
            self._carry_on(run.id, VERIFY_SECONDS)
        else:
            self._take_back(run, outcome.message)

    def _take_back(self, run: Run, reason: str) -> None:
        (step,) = run.plan.steps
        outcome = self.outcomes.get(run.id)
        left = outcome is None or outcome.result is Result.DONE or bool(outcome.inverse)
        undone = left and bool(ACTIONS_BY_CODE[step.action].undoable) and self.hands.undo(run, outcome)
        self._move(run, RunState.UNDONE if undone else RunState.FAILED, reason, undo_by="auto_healing")

    def _verify(self, run: Run) -> None:
        observation = observe(run, self.view, self.findings, self.now)
        if observation.blind:
            passed = timedelta(seconds=VERIFY_SECONDS)
            self.blind_for[run.id] = self.blind_for.get(run.id, timedelta(0)) + passed
        verdict = judge(run, observation, self.now, self.blind_for.get(run.id, timedelta(0)))
        if verdict.ruling is Ruling.HEALED:
            seconds = seconds_to_heal(run, observation, self.now)
            self._move(run, RunState.HEALED, verdict.reason, seconds_to_heal=seconds)
        elif verdict.ruling is Ruling.FAILED and not self.cluster.down:
            self._take_back(run, verdict.reason)
        else:
            self._carry_on(run.id, VERIFY_SECONDS)

    def sweep(self) -> None:
        if self.dead_until is None and not self.cluster.down:
            wanted = {change.run_id for change in self.hands.changes.values()} | self.hands.cordoned_by()
            briefs = {id: RunBrief(state=self.runs[id].state, by_hand=False) for id in wanted if id in self.runs}
            self.hands.sweep(self.view, briefs)
            self.past.prune(self.now)
