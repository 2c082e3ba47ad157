"""A policy file of auto_healing: what it makes of the defaults, and every mistake in it at once."""

from datetime import timedelta

import pytest
import yaml

from auto_healing.fault import FaultLevel
from auto_healing.plan import Mode
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Rung
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.parse import parse_policy
from auto_healing.policy.schema import policy_json_schema
from auto_healing.policy.shown import shown
from common.contracts import Severity
from common.policy.mistakes import PolicyError


def a_policy(text: str) -> HealingPolicy:
    return parse_policy(f"version: 1\n{text}")


def mistakes(text: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        a_policy(text)
    return [str(mistake) for mistake in error.value.mistakes]


def test_an_empty_policy_is_the_default_one() -> None:
    assert a_policy("") == DEFAULT_POLICY


def test_the_default_policy_only_observes_and_asks_for_opt_in() -> None:
    assert {DEFAULT_POLICY.mode_of(rule) for rule in DEFAULT_POLICY.rules} == {Mode.OBSERVE}
    assert DEFAULT_POLICY.scope.opt_in


def test_a_rule_with_a_defaults_name_changes_only_what_it_says() -> None:
    policy = a_policy("rules: [{name: crash-loop, mode: auto}]")
    changed, default = policy.rule("crash-loop"), DEFAULT_POLICY.rule("crash-loop")
    assert changed is not None
    assert default is not None
    assert policy.mode_of(changed) is Mode.AUTO
    assert (changed.match, changed.ladder) == (default.match, default.ladder)
    assert [rule.name for rule in policy.rules] == [rule.name for rule in DEFAULT_POLICY.rules]


def test_a_new_rule_comes_before_the_defaults() -> None:
    policy = a_policy(
        """
rules:
  - name: payments
    mode: approve
    approval_expires: 15m
    match:
      codes: [pod-crash-loop]
      severities: [critical]
      levels: [pod, workload]
      kinds: [Pod]
      namespaces: [pay-*]
      labels: {tier: backend}
      min_age: 2m
      at_least: {restarts: 3}
    ladder:
      - action: move-pod
        parameters: {avoid_minutes: 30}
        timeout: 5m
        verify: 90s
      - call-a-human
"""
    )
    rule = policy.rules[0]
    assert (rule.name, rule.mode) == ("payments", Mode.APPROVE)
    assert rule.match.severities == {Severity.CRITICAL}
    assert rule.match.levels == {FaultLevel.POD, FaultLevel.WORKLOAD}
    assert rule.match.at_least == {"restarts": 3}
    assert rule.ladder == (
        Rung(
            action="move-pod",
            parameters={"avoid_minutes": 30},
            timeout=timedelta(minutes=5),
            verify=timedelta(seconds=90),
        ),
        Rung(action=CALL_A_HUMAN),
    )
    assert policy.expiry_of("payments") == timedelta(minutes=15)
    assert policy.expiry_of("by-hand") == timedelta(hours=1)
    assert policy.rules[1:] == DEFAULT_POLICY.rules


def test_off_needs_no_quotes() -> None:
    policy = a_policy("mode: off\nrules: [{name: crash-loop, mode: off}]")
    assert policy.mode is Mode.OFF
    assert policy.rules == a_policy('mode: "off"\nrules: [{name: crash-loop, mode: "off"}]').rules


def test_what_is_cleaned_up_is_off_without_quotes_too() -> None:
    assert a_policy("cleanup: {clean-jobs: {mode: off}}").cleanup.clean_jobs.mode is Mode.OFF


def test_what_is_shown_is_a_policy_file_that_means_the_same() -> None:
    policy = a_policy(
        "mode: approve\nscope: {namespaces: [shop]}\nguards: {rate_limit: {pods_per_hour: 3}}\n"
        "rules: [{name: crash-loop, mode: auto, ladder: [{action: evict-pod, timeout: 2m}, call-a-human]}]"
    )
    assert parse_policy(yaml.safe_dump(shown(policy))) == policy


MISTAKES = {
    "an unknown setting": ("moed: auto", ["moed: no such setting; did you mean mode?"]),
    "an unknown mode": ("mode: automatic", ["mode: must be one of off, observe, approve, auto, not 'automatic'"]),
    "a key given twice": ("mode: auto\nmode: off", ["line 3: mode is given twice; keep one"]),
    "an unknown guard setting": (
        "guards: {rate_limit: {pods_per_minut: 1}}",
        ["guards.rate_limit.pods_per_minut: no such setting; did you mean pods_per_minute?"],
    ),
    "a number where a duration belongs": (
        "approval_expires: 60",
        ["approval_expires: must be a duration such as 90s, 5m, 1h30m or 2d, with its unit, not 60"],
    ),
    "an unknown action": (
        "rules: [{name: crash-loop, ladder: [evict-pods]}]",
        ["rules[0].ladder[0].action: there is no action evict-pods; did you mean evict-pod?"],
    ),
    "an unknown parameter": (
        "rules: [{name: crash-loop, ladder: [{action: move-pod, parameters: {avoid_minute: 1}}]}]",
        ["rules[0].ladder[0].parameters.avoid_minute: no such parameter of move-pod; did you mean avoid_minutes?"],
    ),
    "a parameter for a human": (
        "rules: [{name: crash-loop, ladder: [{action: call-a-human, parameters: {by: phone}}]}]",
        ["rules[0].ladder[0].parameters.by: no such parameter of call-a-human; call-a-human takes none"],
    ),
    "a cleanup in a ladder": (
        "rules: [{name: crash-loop, ladder: [clean-crash-loops]}]",
        ["rules[0].ladder[0].action: clean-crash-loops runs by its schedule: set it under cleanup, not in a ladder"],
    ),
    "a human in the middle of a ladder": (
        "rules: [{name: crash-loop, ladder: [call-a-human, evict-pod]}]",
        ["rules[0].ladder[0]: call-a-human ends a ladder: put it last"],
    ),
    "an empty ladder": (
        "rules: [{name: crash-loop, ladder: []}]",
        ["rules[0].ladder: must have at least 1, not 0"],
    ),
    "a timeout that nothing settles in": (
        "rules: [{name: crash-loop, ladder: [{action: evict-pod, timeout: 5s}]}]",
        ["rules[0].ladder[0].timeout: must be at least 1m: nothing in a cluster settles sooner, not '5s'"],
    ),
    "an unknown code": (
        "rules: [{name: crash-loop, match: {codes: [pod-crashloop]}}]",
        ["rules[0].match.codes[0]: there is no code pod-crashloop; did you mean pod-crash-loop?"],
    ),
    "an unknown level": (
        "rules: [{name: crash-loop, match: {levels: [nodes]}}]",
        [
            "rules[0].match.levels[0]: must be one of pod, workload, revision, configuration, node, zone, cluster, not "
            "'nodes'"
        ],
    ),
    "namespaces for what has none": (
        "rules: [{name: mine, match: {codes: [node-unknown], namespaces: [shop]}, ladder: [cordon]}]",
        ["rules[0].match.namespaces: can match nothing: the codes are about Node, which has no namespace"],
    ),
    "a new rule without match and ladder, misspelt": (
        "rules: [{name: crash-lop, mode: auto}]",
        [
            "rules[0].match: is missing, and crash-lop is no default rule; did you mean crash-loop?",
            "rules[0].ladder: is missing, and crash-lop is no default rule: write one such as [call-a-human]",
        ],
    ),
    "a name given twice": (
        "rules: [{name: crash-loop, mode: auto}, {name: crash-loop, mode: off}]",
        ["rules[1].name: crash-loop is the name of rules[0] already; give another"],
    ),
    "a bomb of aliases": (
        "scope: {namespaces: &a [x]}\nrules: [" + "*a, " * 101 + "]",
        ["has 101 aliases such as *name; at most 100 are allowed"],
    ),
    "several mistakes at once": (
        "mode: full\nscope: {opt_in: maybe}\nrules: [{name: Crash Loop}]",
        [
            "mode: must be one of off, observe, approve, auto, not 'full'",
            "scope.opt_in: should be a valid boolean, not 'maybe'",
            "rules[0].name: string should match pattern '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', not 'Crash Loop'",
        ],
    ),
    "mistakes in shape and in meaning at once": (
        """mode: full
rules:
  - {name: mine, mode: yolo, match: {codes: [node-gone]}, ladder: [{action: fix}, {action: drain, verify: 1s}, drian]}
  - {name: mine, match: {code: [node-unknown]}}
  - 7""",
        [
            "mode: must be one of off, observe, approve, auto, not 'full'",
            "rules[0].mode: must be one of off, observe, approve, auto, not 'yolo'",
            "rules[0].ladder[1].verify: must be at least 1m: nothing in a cluster settles sooner, not '1s'",
            "rules[1].match.code: no such setting; did you mean codes?",
            "rules[2]: must be a mapping with name, mode, match, ladder, approval_expires",
            "rules[0].match.codes[0]: there is no code node-gone; did you mean node-cordoned?",
            "rules[0].ladder[0].action: there is no action fix",
            "rules[0].ladder[2].action: there is no action drian; did you mean drain?",
            "rules[1].name: mine is the name of rules[0] already; give another",
            "rules[1].ladder: is missing, and mine is no default rule: write one such as [call-a-human]",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_another_version_is_refused() -> None:
    with pytest.raises(PolicyError, match="version: should be 1, not 2"):
        parse_policy("version: 2")


def test_the_schema_names_every_action_and_code() -> None:
    definitions = policy_json_schema()["$defs"]
    alone, rung = definitions["RungDocument"]["anyOf"]
    assert {"evict-pod", "roll-back", "drain", CALL_A_HUMAN} <= set(alone["enum"])
    assert rung["properties"]["action"]["enum"] == alone["enum"]
    assert "pod-crash-loop" in definitions["MatchDocument"]["properties"]["codes"]["items"]["enum"]


@pytest.mark.parametrize(
    ("guards", "mistake"),
    [
        pytest.param(
            "{attempts: {window: 2d}}",
            "guards.attempts.window: must be at most 1d: what was done before that is not remembered, not '2d'",
            id="attempts of two days",
        ),
        pytest.param(
            "{attempts: {window: 20h, block: 5h}}",
            "guards.attempts: window and block together must be at most 1d: what was done before that is not "
            "remembered",
            id="a block beyond what is remembered",
        ),
        pytest.param(
            "{cooldown: {longest: 6h}}",
            "guards.cooldown: memory must be at least 6h: a longer wait would be forgotten before its end",
            id="a wait that is longer than the memory",
        ),
    ],
)
def test_nothing_can_be_paced_by_what_is_forgotten(guards: str, mistake: str) -> None:
    assert mistakes(f"guards: {guards}") == [mistake]
