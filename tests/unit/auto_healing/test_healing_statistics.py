"""What is counted, and what is recommended."""

from typing import Any
from uuid import UUID

import pytest
from tests.support.clock import NOON
from tests.support.healing_faults import a_finding
from tests.support.rows import a_pod

from auto_healing.plan import Mode
from auto_healing.recommendations import Advice, Recommendation, advice_on, raised, recommend
from auto_healing.run import RunState
from auto_healing.statistics import (
    OomKill,
    Refusals,
    RuleRefusals,
    RunFact,
    effect_of,
    summarise,
    workload_effects,
)

MIB = 1 << 20
OWNER = "Deployment/shop/checkout"
HEALED, FAILED, UNDONE = RunState.HEALED, RunState.FAILED, RunState.UNDONE
OOM = (OomKill(container="app", limit_bytes=256 * MIB),)


def a_fact(state: RunState = HEALED, **changes: Any) -> RunFact:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "rule": "crash-loops",
        "mode": Mode.AUTO,
        "action": "restart-rollout",
        "owner": OWNER,
        "code": "pod-crash-loop",
        "state": state,
    }
    return RunFact(**(values | changes))


def some(helped: int, of: int, **changes: Any) -> list[RunFact]:
    return [a_fact(HEALED if number < helped else FAILED, **changes) for number in range(of)]


def test_only_what_was_judged_counts() -> None:
    unjudged = [a_fact(state) for state in RunState if state not in (HEALED, FAILED, UNDONE)]
    effect = effect_of([*unjudged, a_fact(), a_fact(FAILED), a_fact(UNDONE), a_fact()])
    assert (effect.judged, effect.healed, effect.failed, effect.undone, effect.success_rate) == (4, 2, 1, 1, 0.5)


def test_nothing_judged_has_no_rates() -> None:
    effect = effect_of([a_fact(RunState.DECLINED)])
    assert (effect.success_rate, effect.recurrence_rate, effect.median_seconds_to_heal) == (None, None, None)


def test_time_to_heal_is_of_those_that_healed() -> None:
    runs = [a_fact(seconds_to_heal=float(seconds)) for seconds in range(1, 11)]
    effect = effect_of([*runs, a_fact(FAILED, seconds_to_heal=9999.0), a_fact()])
    assert (effect.median_seconds_to_heal, effect.p90_seconds_to_heal) == (5.5, 9.0)


def test_recurrence_and_gain() -> None:
    runs = [
        a_fact(recurred_at=NOON, score_before=40.0, score_after=90.0),
        a_fact(score_before=50.0, score_after=100.0),
        a_fact(score_after=100.0),
        a_fact(FAILED, score_before=50.0, score_after=20.0),
    ]
    effect = effect_of(runs)
    assert (effect.recurred, effect.recurrence_rate) == (1, 1 / 3)
    assert effect.mean_score_gain == pytest.approx(70 / 3)


def test_effects_are_told_by_action_and_by_workload() -> None:
    runs = [
        *some(1, 3),
        *some(2, 2, action="roll-back"),
        *some(0, 1, owner="Deployment/shop/web"),
        a_fact(RunState.OBSERVED),
    ]
    refusals = [Refusals(guard="cooldown", times=2, objects=1), Refusals(guard="paused", times=7, objects=3)]
    told = summarise(runs, refusals, since=NOON, until=NOON)
    assert told.runs == 7
    assert told.by_state == {HEALED: 3, FAILED: 3, RunState.OBSERVED: 1}
    assert [(each.action, each.effect.judged) for each in told.actions] == [("restart-rollout", 4), ("roll-back", 2)]
    assert [(each.owner, each.action, each.effect.healed) for each in told.workloads] == [
        (OWNER, "restart-rollout", 1),
        (OWNER, "roll-back", 2),
        ("Deployment/shop/web", "restart-rollout", 0),
    ]
    assert [each.guard for each in told.refusals] == ["paused", "cooldown"]
    assert len(summarise(runs, [], since=NOON, until=NOON, workloads=1).workloads) == 1
    assert workload_effects([]) == []


def advised(runs: list[RunFact], *refusals: RuleRefusals, peak: int = 0) -> dict[Advice, Recommendation]:
    found = recommend(runs, refusals, {(OWNER, "app"): peak} if peak else {})
    assert len({each.advice for each in found}) == len(found)
    return {each.advice: each for each in found}


LIMITS = {
    "100 MiB more while a fifth is less": (256 * MIB, 356 * MIB),
    "a fifth more from 500 MiB on": (1000 * MIB, 1200 * MIB),
    "both are the same at 500 MiB": (500 * MIB, 600 * MIB),
    "up to the next MiB": (600 * MIB + 1, 721 * MIB),
    "nothing is known": (0, 100 * MIB),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_raised_as_the_vertical_autoscaler_does(what: str) -> None:
    used, expected = LIMITS[what]
    assert raised(used) == expected


def test_a_container_that_needs_more_memory_is_not_helped_by_restarts() -> None:
    found = advised(some(1, 7, code="pod-oom-killed", oom_kills=OOM))
    assert list(found) == [Advice.RAISE_MEMORY_LIMIT]
    told = found[Advice.RAISE_MEMORY_LIMIT]
    assert told.subject == OWNER
    assert told.message == (
        "restart-rollout helped 1 of 7 times, container app is OOMKilled again: "
        "raise its memory limit from 256 MiB to 356 MiB, or find the leak"
    )
    assert told.numbers["recommended_limit_bytes"] == 356 * MIB
    assert told.runs == 7


def test_the_use_that_evidence_shows_counts_when_it_is_higher() -> None:
    found = advised(some(0, 3, code="pod-oom-killed", oom_kills=OOM), peak=700 * MIB)
    assert found[Advice.RAISE_MEMORY_LIMIT].numbers["recommended_limit_bytes"] == 840 * MIB


def test_without_limit_and_use_no_number_is_made_up() -> None:
    kills = (OomKill(container="app", limit_bytes=0),)
    told = advised(some(0, 3, code="pod-oom-killed", oom_kills=kills))[Advice.RAISE_MEMORY_LIMIT]
    assert "its node ran out" in told.message
    assert told.numbers["recommended_limit_bytes"] == 0


def test_another_action_helps_more() -> None:
    found = advised([*some(1, 4), *some(3, 3, action="roll-back")])
    assert list(found) == [Advice.USE_BETTER_ACTION]
    assert found[Advice.USE_BETTER_ACTION].message == (
        "against pod-crash-loop, roll-back helped 3 of 3 times, restart-rollout helped 1 of 4 times: "
        "put roll-back before restart-rollout in the ladder"
    )


def test_an_action_that_never_helps_only_disturbs() -> None:
    found = advised(some(0, 5))
    assert list(found) == [Advice.DROP_ACTION]
    assert "helped 0 of 5 times" in found[Advice.DROP_ACTION].message


def test_what_comes_back_has_a_cause() -> None:
    found = advised([a_fact(recurred_at=NOON), a_fact(recurred_at=NOON), a_fact()])
    assert list(found) == [Advice.FIND_CAUSE]
    assert "healed 3 times and came back within a day 2 times" in found[Advice.FIND_CAUSE].message


def test_a_guard_that_never_lets_a_rule_pass() -> None:
    refusals = RuleRefusals(rule="nodes", guard="capacity", times=12)
    found = advised(some(1, 1), refusals)
    assert found[Advice.REVIEW_GUARD].subject == "nodes"
    assert "guard capacity declined everything that rule nodes wanted, 12 times" in found[Advice.REVIEW_GUARD].message
    assert not advised([a_fact(rule="nodes")], refusals), "it passed once"
    assert not advised([], refusals, RuleRefusals(rule="nodes", guard="paused", times=1)), "two guards"
    assert not advised([], RuleRefusals(rule="nodes", guard="capacity", times=9)), "too few"


def test_nobody_ever_approves() -> None:
    asked = [a_fact(state, mode=Mode.APPROVE) for state in [RunState.EXPIRED] * 4 + [RunState.DECLINED]]
    found = advised(asked)
    assert found[Advice.REVIEW_APPROVALS].numbers == {"asked": 5, "expired": 4, "denied": 1}
    assert not advised([*asked, a_fact(mode=Mode.APPROVE, approved=True)])
    assert not advised(asked[:4])


QUIET = {
    "nothing happened": [],
    "it helps": some(5, 5),
    "too few tries": some(0, 2, code="pod-oom-killed", oom_kills=OOM),
    "restarts help against memory": some(2, 3, code="pod-oom-killed", oom_kills=OOM),
    "by hand, about no finding": some(0, 9, code=""),
    "both actions are as good": [*some(2, 2), *some(2, 2, action="roll-back")],
    "one try of another action": [*some(1, 3), *some(1, 1, action="roll-back")],
    "different workloads": [a_fact(FAILED, owner=f"Deployment/shop/w{number}") for number in range(9)],
}


@pytest.mark.parametrize("what", QUIET)
def test_no_advice_without_ground(what: str) -> None:
    assert advised(QUIET[what]) == {}


@pytest.mark.parametrize(
    ("code", "evidence", "advice"),
    [
        pytest.param(
            "pod-oom-killed",
            {"memory_limit_bytes": 256 * MIB},
            "raise its memory limit from 256 MiB to 356 MiB, or find the leak",
            id="a limit that is too low",
        ),
        pytest.param("pod-oom-killed", {"memory_limit_bytes": 0}, "set a memory request", id="no limit at all"),
        pytest.param("pod-oom-killed", {}, "", id="nothing is told of a limit"),
        pytest.param("pod-memory-near-limit", {"memory_limit_bytes": MIB}, "", id="nothing has been killed"),
    ],
)
def test_who_is_called_reads_what_to_change(code: str, evidence: dict[str, int], advice: str) -> None:
    told = advice_on(a_finding(a_pod(), code, evidence=evidence))
    assert advice in told
    assert bool(advice) == bool(told)
