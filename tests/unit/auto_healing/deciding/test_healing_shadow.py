"""Earned autonomy: which evidence leads to which advice."""

from dataclasses import replace

import pytest
from tests.support.clock import NOON
from tests.support.healing_faults import a_finding
from tests.support.healing_store import a_plan
from tests.support.rows import a_pod

from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Decline, Displacement, Mode, Plan
from auto_healing.policy.settings import Promotion
from auto_healing.shadow import AutonomyAdvice, Tally, autonomy, case_of, troubles
from common.contracts import ObjectKey

THRESHOLDS = Promotion(cases=10, false_need_ratio=0.2, misfit_ratio=0.1, success_ratio=0.8, failures=3)

ADVICE = {
    "a rule that is off stays off": (Mode.OFF, Tally(watched=99), AutonomyAdvice.STAY, Mode.OFF, "it is off"),
    "too few cases are known": (
        Mode.OBSERVE,
        Tally(watched=9, open=5),
        AutonomyAdvice.STAY,
        Mode.OBSERVE,
        "9 of the 10 cases that are needed are known",
    ),
    "it was needed and would have fitted": (
        Mode.OBSERVE,
        Tally(watched=10, went_away=2, misfits=1),
        AutonomyAdvice.PROMOTE,
        Mode.APPROVE,
        "2 of 10 cases went away by themselves, 1 would not have fitted",
    ),
    "too much went away by itself": (
        Mode.OBSERVE,
        Tally(watched=10, went_away=3),
        AutonomyAdvice.STAY,
        Mode.OBSERVE,
        "3 of 10 cases went away by themselves, 20% at most are allowed",
    ),
    "too much would not have fitted": (
        Mode.OBSERVE,
        Tally(watched=10, misfits=2),
        AutonomyAdvice.STAY,
        Mode.OBSERVE,
        "2 of 10 cases would have left a pod without a place, 10% at most are allowed",
    ),
    "too few runs were approved": (
        Mode.APPROVE,
        Tally(runs=9, healed=9),
        AutonomyAdvice.STAY,
        Mode.APPROVE,
        "9 of the 10 runs that are needed are known",
    ),
    "approved runs healed": (
        Mode.APPROVE,
        Tally(runs=10, healed=8),
        AutonomyAdvice.PROMOTE,
        Mode.AUTO,
        "8 of 10 runs healed for good",
    ),
    "approved runs healed too seldom": (
        Mode.APPROVE,
        Tally(runs=10, healed=7),
        AutonomyAdvice.STAY,
        Mode.APPROVE,
        "7 of 10 runs healed for good, 80% are needed",
    ),
    "the newest approved run failed": (
        Mode.APPROVE,
        Tally(runs=10, healed=9, failures_in_row=1),
        AutonomyAdvice.STAY,
        Mode.APPROVE,
        "9 of 10 runs healed for good, 80% are needed; the last one failed",
    ),
    "approved runs fail in a row": (
        Mode.APPROVE,
        Tally(runs=10, healed=7, failures_in_row=3),
        AutonomyAdvice.DEMOTE,
        Mode.OBSERVE,
        "the last 3 runs failed",
    ),
    "automatic runs heal": (
        Mode.AUTO,
        Tally(runs=4, healed=4),
        AutonomyAdvice.STAY,
        Mode.AUTO,
        "4 of 4 runs healed for good",
    ),
    "automatic runs fail in a row": (
        Mode.AUTO,
        Tally(runs=20, healed=17, failures_in_row=3),
        AutonomyAdvice.DEMOTE,
        Mode.APPROVE,
        "the last 3 runs failed",
    ),
    "automatic runs heal too seldom": (
        Mode.AUTO,
        Tally(runs=10, healed=7),
        AutonomyAdvice.DEMOTE,
        Mode.APPROVE,
        "7 of 10 runs healed for good, 80% are needed",
    ),
}


@pytest.mark.parametrize(("mode", "tally", "advice", "recommended", "reason"), ADVICE.values(), ids=ADVICE)
def test_advice(mode: Mode, tally: Tally, advice: AutonomyAdvice, recommended: Mode, reason: str) -> None:
    found = autonomy("crash-loop", mode, tally, THRESHOLDS)
    assert (found.advice, found.recommended) == (advice, recommended)
    assert reason in found.reasons[0]


@pytest.mark.parametrize("mode", Mode)
def test_a_rule_that_only_calls_a_human_has_nothing_to_show(mode: Mode) -> None:
    found = autonomy("memory-too-small", mode, Tally(), THRESHOLDS, acts=False)
    assert (found.advice, found.recommended) == (AutonomyAdvice.STAY, mode)
    assert "there is nothing to promote" in found.reasons[0]


def test_rates_without_cases_are_unknown() -> None:
    found = autonomy("crash-loop", Mode.OBSERVE, Tally(), THRESHOLDS)
    assert (found.false_need_ratio, found.misfit_ratio, found.success_ratio) == (None, None, None)


POD = a_pod().key.ref("uid")
OBSERVED = a_plan(mode=Mode.OBSERVE)


def displacing(*displaced: Displacement, declined: tuple[Decline, ...] = ()) -> Plan:
    return replace(OBSERVED, steps=(replace(OBSERVED.steps[0], displaces=displaced),), declined=declined)


NO = (Decline(guard="grace", message="not yet"),)
CASES = {
    "it would have fitted": (displacing(Displacement(pod=POD, to_node="n2")), (False, True)),
    "it would not have fitted": (
        displacing(Displacement(pod=POD, reason="0/3 nodes are available", fits_nowhere=True)),
        (False, False),
    ),
    "what is not placed again is no misfit": (
        displacing(Displacement(pod=POD, reason="it belongs to its node")),
        (False, True),
    ),
    "nothing is displaced": (displacing(), (False, True)),
    "a guard would have stopped it before it was placed": (displacing(declined=NO), (True, None)),
}


@pytest.mark.parametrize(("plan", "expected"), CASES.values(), ids=CASES)
def test_what_an_observed_plan_shows(plan: Plan, expected: tuple[bool, bool | None]) -> None:
    case = case_of(plan, NOON)
    assert case is not None
    assert (case.declined, case.fits) == expected
    assert (case.rule, case.code, case.object) == (plan.rule, "pod-crash-loop", plan.fault.subject)


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(a_plan(mode=Mode.AUTO), id="it acts"),
        pytest.param(replace(OBSERVED, steps=()), id="there is no remedy"),
    ],
)
def test_what_shows_nothing(plan: Plan) -> None:
    assert case_of(plan, NOON) is None


def test_trouble_that_is_only_attributed_anew_has_not_gone() -> None:
    pod, workload = a_pod("shop-1"), ObjectKey("Deployment", "shop", "shop")
    fault = Fault(level=FaultLevel.WORKLOAD, subject=workload, findings=(a_finding(pod),))
    assert troubles([fault]) == {("pod-crash-loop", workload), ("pod-crash-loop", pod.key)}
