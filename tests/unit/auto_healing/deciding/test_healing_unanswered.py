"""What nobody approves, or what a person denied, is not asked again and again."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_facts import Told, a_finding, a_looping_pod, a_past_run, a_settings, a_step, around
from tests.support.healing_store import a_plan, a_stored_run
from tests.support.rows import a_snapshot

from auto_healing.fault import Fault, FaultLevel
from auto_healing.history import PastRun
from auto_healing.past import past_of, unanswered_of
from auto_healing.plan import Mode, Plan
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.policy.parse import parse_policy
from auto_healing.run import RunState
from auto_healing.unanswered import A_PERSON, unanswered
from auto_healing.world import World

POD = a_looping_pod()
MINUTE = timedelta(minutes=1)
MOST = a_settings().attempts.most
BLOCK = a_settings().attempts.block


def a_proposal(mode: Mode = Mode.APPROVE, **fault: Any) -> Plan:
    fault = {"level": FaultLevel.POD, "subject": POD.key, "findings": (a_finding(POD),), "revision": "7"} | fault
    step = a_step(POD)
    return Plan(rule="crash-loops", mode=mode, fault=Fault(**fault), target=step.target, steps=(step,))


def asked(minutes_ago: float, **overrides: Any) -> PastRun:
    """A proposal like that, which expired so long ago."""
    at = NOON - minutes_ago * MINUTE
    own = {"state": RunState.EXPIRED, "started_at": at, "ended_at": at, "revision": "7", "uid": POD.uid}
    return a_past_run(POD, **(own | overrides))


def left(*runs: PastRun, plan: Plan | None = None, acted: tuple[PastRun, ...] = ()) -> Any:
    world = World(
        now=NOON,
        snapshot=a_snapshot(*around(POD)),
        policy=parse_policy("version: 1"),
        history=Told(acted, asked=runs),
    )
    return unanswered(plan or a_proposal(), world)


def in_a_row(**overrides: Any) -> list[PastRun]:
    """As many as are allowed; the last one expired ten minutes ago."""
    return [asked(10 + 60 * each, **overrides) for each in range(MOST)]


def test_after_so_many_in_a_row_a_human_is_called_and_it_is_proposed_again_when_the_block_ends() -> None:
    no = left(*in_a_row())
    assert no.guard == CALL_A_HUMAN
    assert no.look_again_at == NOON - 10 * MINUTE + BLOCK
    assert "was proposed 3 times in a row, and nobody approved it in time" in no.message
    assert no.numbers == {"proposed": MOST}


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(in_a_row()[1:], id="one fewer"),
        pytest.param([asked(60 * each) for each in range(1, MOST + 1)], id="the block has ended"),
        pytest.param(in_a_row(code="pod-image-pull"), id="about another finding"),
        pytest.param(in_a_row(revision="6"), id="about another revision"),
        pytest.param(in_a_row(uid="another"), id="about another pod of that name"),
        pytest.param(in_a_row(action="evict-pod"), id="of another action"),
        pytest.param(in_a_row(rule="others"), id="by another rule"),
        pytest.param([], id="never before"),
    ],
)
def test_when_it_is_proposed(runs: list[PastRun]) -> None:
    assert left(*runs) is None


def test_what_was_acted_on_since_begins_anew() -> None:
    assert left(*in_a_row(), acted=(a_past_run(POD, started_at=NOON - 5 * MINUTE),)) is None


def test_what_needs_no_approval_is_not_held_back_by_it() -> None:
    assert left(*in_a_row(), plan=a_proposal(Mode.AUTO)) is None


def test_a_no_holds_until_the_block_ends() -> None:
    no = left(asked(10, state=RunState.DECLINED))
    assert (no.guard, no.look_again_at) == (A_PERSON, NOON - 10 * MINUTE + BLOCK)
    assert left(asked(61, state=RunState.DECLINED)) is None


@pytest.mark.parametrize(
    ("state", "changes", "counts"),
    [
        pytest.param(RunState.EXPIRED, {}, True, id="nobody approved it in time"),
        pytest.param(RunState.DECLINED, {}, True, id="a person said no"),
        pytest.param(RunState.DECLINED, {"approved_by": "alice"}, False, id="approved, and a guard said no"),
        pytest.param(RunState.EXPIRED, {"approved_by": "alice"}, False, id="approved, and it could not begin in time"),
        pytest.param(RunState.DECLINED, {"plan": a_plan(mode=Mode.AUTO)}, False, id="it needed no approval"),
        pytest.param(RunState.AWAITING_APPROVAL, {}, False, id="it waits"),
        pytest.param(RunState.HEALED, {"approved_by": "alice", "started_at": NOON}, False, id="it was done"),
    ],
)
def test_which_runs_were_left_unanswered(state: RunState, changes: Any, counts: bool) -> None:
    run = a_stored_run(state, **({"plan": a_plan(mode=Mode.APPROVE)} | changes))
    assert (unanswered_of(run) is not None) is counts
    assert past_of(run) is None or not counts, "no other guard counts it"
