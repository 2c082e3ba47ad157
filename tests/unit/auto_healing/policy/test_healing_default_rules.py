"""The rules that hold without a file: each code that can be healed has its remedy, and what cannot has a human."""

import pytest
from tests.support.clock import NOON
from tests.support.healing_faults import LONG_AGO, a_finding
from tests.support.rows import a_snapshot

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.choosing import Choice, choose
from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Decline
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.policy.codes import CLEANED_BY, KIND_OF_CODE
from auto_healing.policy.defaults import DEFAULT_POLICY, DEFAULT_RULES
from common.contracts import ObjectKey

P, W, R, N, Z = FaultLevel.POD, FaultLevel.WORKLOAD, FaultLevel.REVISION, FaultLevel.NODE, FaultLevel.ZONE
OLD = NOON.replace(year=NOON.year - 1)

REMEDIES = {
    "a pod in a crash loop is evicted, then moved": ("pod-crash-loop", P, ["evict-pod", "move-pod"]),
    "a workload in a crash loop is left to a human": ("pod-crash-loop", W, []),
    "a new revision in a crash loop is rolled back, or paused": ("pod-crash-loop", R, ["roll-back", "pause-rollout"]),
    "many crash loops on one node drain it": ("pod-crash-loop", N, ["drain"]),
    "a crash loop that is the zone's is left to a human": ("pod-crash-loop", Z, []),
    "an image that cannot be pulled is left to a human": ("pod-image-pull", P, []),
    "an image of a new revision that cannot be pulled rolls it back": (
        "pod-image-pull",
        R,
        ["roll-back", "pause-rollout"],
    ),
    "a ConfigMap that is not there is left to a human": ("pod-config-error", FaultLevel.CONFIGURATION, []),
    "a memory limit that is too small is left to a human": ("pod-oom-killed", P, []),
    "a silent node has its pods rescheduled": ("node-unknown", N, ["reschedule-from-node"]),
    "a node that answers but is not ready is drained": ("node-not-ready", N, ["drain"]),
    "a node under disk pressure is never taken away": ("node-disk-pressure", N, []),
    "a node under memory pressure is never taken away": ("node-memory-pressure", N, []),
    "a flapping node is drained": ("node-flapping", N, ["drain"]),
    "a node with a condition of somebody's own is cordoned": ("node-condition", N, ["cordon"]),
    "silent nodes of a whole zone are left to a human": ("node-unknown", Z, []),
    "a stuck rollout of a bad revision is rolled back": (
        "deployment-rollout-stuck",
        R,
        ["roll-back", "pause-rollout"],
    ),
    "a stuck rollout of unknown cause is paused": ("deployment-rollout-stuck", W, ["pause-rollout"]),
    "a pod that does not serve is evicted, then moved": ("pod-readiness-failing", P, ["evict-pod", "move-pod"]),
    "a workload that does not serve is restarted": ("pod-readiness-failing", W, ["restart-rollout"]),
    "a pod stuck terminating is left to a human": ("pod-stuck-terminating", P, []),
}


def chosen(code: str, level: FaultLevel, since: object = OLD, **evidence: int) -> Choice | Decline:
    subject = ObjectKey(KIND_OF_CODE[code], "shop", "it")
    finding = a_finding(subject, code, since=since, evidence={"restarts": 9} | evidence)
    return choose(Fault(level=level, subject=subject, findings=(finding,)), a_snapshot(), DEFAULT_POLICY, NOON)


@pytest.mark.parametrize(("code", "level", "remedies"), REMEDIES.values(), ids=REMEDIES)
def test_remedies(code: str, level: FaultLevel, remedies: list[str]) -> None:
    choice = chosen(code, level)
    assert isinstance(choice, Choice)
    assert [rung.action for rung in choice.rule.ladder] == [*remedies, CALL_A_HUMAN]


def test_every_rule_is_reached_by_some_fault() -> None:
    choices = (chosen(code, level) for code, level, _ in REMEDIES.values())
    reached = {choice.rule.name for choice in choices if isinstance(choice, Choice)}
    assert reached == {rule.name for rule in DEFAULT_RULES}


def test_every_ladder_names_known_actions_and_ends_with_a_human() -> None:
    for rule in DEFAULT_RULES:
        *actions, last = [rung.action for rung in rule.ladder]
        assert last == CALL_A_HUMAN
        assert set(actions) <= set(ACTIONS_BY_CODE), rule.name


@pytest.mark.parametrize("code", CLEANED_BY)
def test_what_is_left_behind_is_left_to_cleanup(code: str) -> None:
    decline = chosen(code, W)
    assert isinstance(decline, Decline)
    assert decline.guard == "cleanup"
    assert f"is left to {CLEANED_BY[code]}, which runs by its schedule" in decline.message


def test_every_cleanup_that_is_named_exists() -> None:
    assert set(CLEANED_BY.values()) <= {action.code for action in CLEANUP_ACTIONS}


@pytest.mark.parametrize(
    ("minutes", "restarts", "waits"),
    [
        pytest.param(30, 9, False, id="old enough and restarted often enough"),
        pytest.param(5, 9, True, id="five minutes are too few"),
        pytest.param(30, 4, True, id="four restarts are too few"),
    ],
)
def test_a_crash_loop_is_given_time(minutes: int, restarts: int, waits: bool) -> None:
    since = LONG_AGO + (NOON - LONG_AGO) * (30 - minutes) / 30
    assert isinstance(chosen("pod-crash-loop", P, since, restarts=restarts), Decline) == waits
