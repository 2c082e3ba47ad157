"""What a rule would have done: when it begins, when it ends, and what is said about it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.alert_rules import RULES

from alert_service.backtest import (
    MOST_STEPS,
    Firing,
    History,
    Rule,
    beside,
    expanded,
    firings,
    joined,
    judged,
    questions,
    rules_in,
    suggested,
)
from common.hours import Hours

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NIGHT = Hours.model_validate({"start": "22:00", "end": "07:00", "zone": "Europe/Berlin"})


def minute(number: float) -> datetime:
    return START + number * MINUTE


def history(*minutes: int, **labels: str) -> History:
    return History(labels=labels or {"pod": "web-1"}, instants=[minute(each) for each in minutes])


def rule(hold: int = 0, keep: int = 0) -> Rule:
    return Rule(name="Tried", expression="up == 0", hold=hold * MINUTE, keep=keep * MINUTE)


@pytest.mark.parametrize(
    ("minutes", "hold", "keep", "expected"),
    [
        pytest.param((), 0, 0, [], id="what never answers never fires"),
        pytest.param((3,), 0, 0, [(3, 4)], id="one answer is enough without for"),
        pytest.param(range(4), 5, 0, [], id="four minutes are too short for five"),
        pytest.param(range(5), 5, 0, [], id="one evaluation less than for does not fire"),
        pytest.param(range(6), 5, 0, [(5, 6)], id="exactly for fires"),
        pytest.param(range(10), 5, 0, [(5, 10)], id="it ends at the first evaluation without an answer"),
        pytest.param((*range(4), *range(5, 9)), 5, 0, [], id="a gap begins the waiting anew"),
        pytest.param((0, 1, 4, 5), 0, 0, [(0, 2), (4, 6)], id="without keep_firing_for it fires twice"),
        pytest.param((0, 1, 4, 5), 0, 3, [(0, 9)], id="with keep_firing_for a short gap is none"),
        pytest.param((0, 1, 9, 10), 0, 3, [(0, 5), (9, 14)], id="a gap longer than keep_firing_for ends it"),
    ],
)
def test_it_fires(minutes: Sequence[int], hold: int, keep: int, expected: list[tuple[int, int]]) -> None:
    found = firings([history(*minutes)], rule(hold, keep), MINUTE)
    assert [(each.start, each.end) for each in found] == [(minute(start), minute(end)) for start, end in expected]


def test_for_is_reached_at_an_evaluation() -> None:
    found = firings([history(0, 2, 4, 6)], rule(hold=3), 2 * MINUTE)
    assert [each.start for each in found] == [minute(4)]


def test_each_set_of_labels_fires_by_itself() -> None:
    found = firings([history(0, 1, pod="b"), history(0, pod="a", __name__="up")], rule(), MINUTE)
    assert [each.labels for each in found] == [{"pod": "a"}, {"pod": "b"}]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([(0, 60)], 0, id="what lasts needs no for"),
        pytest.param([], 0, id="what never fires needs none either"),
        pytest.param([(n * 100, n * 100 + 4) for n in range(9)] + [(2000, 2060)], 5, id="spikes of 4 minutes want 5"),
        pytest.param([(0, 4)] + [(n * 100, n * 100 + 60) for n in range(1, 10)], 0, id="one spike of ten is allowed"),
        pytest.param(
            [(n * 1000, n * 1000 + hold + 1) for n, hold in enumerate((0, 1, 2, 5, 10, 15, 30, 60, 120, 240))],
            None,
            id="no for is enough when each leaves a short one",
        ),
    ],
)
def test_the_suggested_for(spans: list[tuple[int, int]], expected: int | None) -> None:
    instants = [each for first, last in spans for each in range(first, last + 1)]
    found = suggested([history(*instants)], rule(), MINUTE)
    assert found == (None if expected is None else expected * MINUTE)


def test_alerts_that_fired_at_the_same_time_are_counted() -> None:
    found = [
        Firing(labels={}, start=minute(0), end=minute(5)),
        Firing(labels={}, start=minute(20), end=minute(25)),
    ]
    others = [
        history(4, 5, 6, alertname="Often"),
        history(21, alertname="Often"),
        history(3, alertname="Once"),
        history(10, 11, alertname="Never"),
        history(0, 1, 2, alertname="Tried"),
    ]
    assert dict(beside(found, others, rule(), MINUTE)) == {"Often": 2, "Once": 1}


def test_a_verdict_counts_nights_and_ends_with_the_range() -> None:
    at_night = 9 * 60 + 30  # 21:30 in UTC is 22:30 in Berlin
    asked = [history(0, 1, *range(at_night, at_night + 11))]
    verdict = judged(rule(), asked, [], start=START, end=minute(at_night + 10), step=MINUTE, night=NIGHT)
    assert (len(verdict.firings), verdict.at_night) == (2, 1)
    assert verdict.firings[-1].end == minute(at_night + 10)
    assert verdict.by_hold[5 * MINUTE] == 1


def test_long_ranges_are_asked_in_parts_without_a_gap() -> None:
    parts = list(questions(START, minute(25_000), MINUTE))
    assert len(parts) == 3
    assert all((last - first) / MINUTE < MOST_STEPS for first, last in parts)
    assert [first for first, _ in parts[1:]] == [last + MINUTE for _, last in parts[:-1]]
    assert (parts[0][0], parts[-1][1]) == (START, minute(25_000))


def test_answers_of_the_parts_are_put_together() -> None:
    assert joined([history(0, 1), history(2), history(1, pod="b")]) == [history(0, 1, 2), history(1, pod="b")]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("a:b:c < 1", "(sum(x)) < 1", id="a name"),
        pytest.param("rate(a:b:c[6h])", "rate((sum(x))[6h:1m])", id="a window becomes a subquery"),
        pytest.param("a:b:c2 + x:a:b:c", "a:b:c2 + x:a:b:c", id="longer names are others"),
        pytest.param('a:b:c{pod="p"}', 'a:b:c{pod="p"}', id="one with matchers stays"),
        pytest.param("second", "(((sum(x))) * 2)", id="what is recorded of recorded ones too"),
    ],
)
def test_recorded_expressions_are_written_out(expression: str, expected: str) -> None:
    records = {"a:b:c": "sum(x)", "second": "(a:b:c) * 2"}
    assert expanded(Rule(name="Tried", expression=expression), records).expression == expected


@pytest.mark.parametrize("text", ["", "[]", "groups: 3", "groups: [{rules: [{alert: X}]}]", "a: [", "groups: [3]"])
def test_what_is_no_file_of_rules_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"rules|YAML|line"):
        rules_in(text)


def test_the_shipped_rules_can_be_read() -> None:
    found = {path.stem: rules_in(path.read_text(encoding="utf-8")) for path in RULES.glob("*.yaml")}
    alerts = [each for rules, _ in found.values() for each in rules]
    records = found["recording"][1]
    assert len(alerts) > 50
    flapping = next(each for each in alerts if each.name == "NodeFlapping")
    assert (flapping.hold, flapping.keep, flapping.labels["severity"]) == (5 * MINUTE, 15 * MINUTE, "warning")
    assert not [name for each in alerts for name in records if name in expanded(each, records).expression]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param("0", 0, id="nothing without a unit"),
        pytest.param("1h30m", 5400, id="hours and minutes"),
        pytest.param("2w", 14 * 86400, id="weeks"),
        pytest.param("1y", 365 * 86400, id="years of 365 days"),
        pytest.param("1s500ms", 1.5, id="milliseconds"),
    ],
)
def test_durations_are_written_as_prometheus_reads_them(written: str, seconds: float) -> None:
    text = f"groups: [{{name: g, rules: [{{alert: A, expr: up, for: {written}}}]}}]"
    (found,), _ = rules_in(text)
    assert found.hold == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["5", "5 m", "m5", "1m1h", "five"])
def test_what_is_no_duration_is_told_with_its_alert(written: str) -> None:
    with pytest.raises(ValueError, match="for of A must be a duration"):
        rules_in(f"groups: [{{name: g, rules: [{{alert: A, expr: up, for: {written}}}]}}]")


def test_rules_of_the_operator_are_read() -> None:
    (found,), _ = rules_in("kind: PrometheusRule\nspec: {groups: [{name: g, rules: [{alert: A, expr: up}]}]}")
    assert found.name == "A"
