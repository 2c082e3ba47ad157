"""Plans, places and outcomes survive being stored."""

import json
from datetime import UTC, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON

from auto_healing.actions.action import Outcome, Result
from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Decline, Displacement, Harm, Mode, Plan, Step
from auto_healing.run import Place
from auto_healing.storage.plan_json import from_json, to_json
from common.contracts import Finding, ObjectKey, ObjectRef, Severity

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
numbers = st.dictionaries(
    words,
    words | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    max_size=3,
)
instants = st.datetimes(min_value=NOON.replace(tzinfo=None), timezones=st.just(UTC))
lengths = st.integers(0, 10**7).map(lambda seconds: timedelta(seconds=seconds))
refs = st.builds(ObjectRef, kind=words, name=words, namespace=words, uid=words)
keys = st.builds(ObjectKey, words, words, words)
severities, harms = st.sampled_from(Severity), st.sampled_from(Harm)
findings = st.builds(
    Finding, code=words, object=refs, part=words, severity=severities, message=words, since=instants, evidence=numbers
)
faults = st.builds(
    Fault,
    level=st.sampled_from(FaultLevel),
    subject=keys,
    findings=st.lists(findings, max_size=2).map(tuple),
    evidence=st.lists(words, max_size=2).map(tuple),
    confidence=st.floats(0, 1),
    revision=words,
)
displaced = st.builds(
    Displacement,
    pod=refs,
    from_node=words,
    to_node=words,
    reason=words,
    blocked_by=st.lists(words, max_size=2).map(tuple),
    outage=st.booleans(),
)
steps = st.builds(
    Step,
    action=words,
    target=refs,
    harm=harms,
    reason=words,
    parameters=numbers,
    displaces=st.lists(displaced, max_size=2).map(tuple),
    changes=st.lists(words, max_size=2).map(tuple),
    timeout=lengths,
)
declines = st.builds(Decline, guard=words, message=words, numbers=numbers, look_again_at=st.none() | instants)
plans = st.builds(
    Plan,
    rule=words,
    mode=st.sampled_from(Mode),
    fault=faults,
    target=refs,
    rung=st.integers(0, 10),
    steps=st.lists(steps, max_size=2).map(tuple),
    declined=st.lists(declines, max_size=2).map(tuple),
    expected_seconds=st.floats(0, 1e6),
    verify_window=lengths,
)
values = st.recursive(words | st.booleans() | st.none() | st.integers(-(2**53), 2**53), st.lists, max_leaves=5)
outcomes = st.builds(
    Outcome,
    result=st.sampled_from(Result),
    message=words,
    numbers=numbers,
    inverse=st.dictionaries(words, values, max_size=2),
)


@given(plans)
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert from_json(Plan, json.loads(json.dumps(to_json(plan)))) == plan


@given(outcomes)
def test_an_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    assert from_json(Outcome, json.loads(json.dumps(to_json(outcome)))) == outcome


@given(st.builds(Place, owner=keys, node=words, zone=words, pool=words))
def test_a_place_comes_back_as_it_was(place: Place) -> None:
    assert from_json(Place, json.loads(json.dumps(to_json(place)))) == place


def test_a_number_keeps_its_type() -> None:
    outcome = Outcome(result=Result.DONE, message="", numbers={"whole": 1, "part": 1.0, "yes": True})
    back = from_json(Outcome, json.loads(json.dumps(to_json(outcome))))
    assert [type(back.numbers[name]) for name in ("whole", "part", "yes")] == [int, float, bool]


def test_what_postgresql_cannot_hold_is_left_out() -> None:
    stored = to_json(Outcome(result=Result.DONE, message="a\x00b"))
    assert "\x00" not in json.dumps(stored)
    assert "\\u0000" not in json.dumps(stored)
