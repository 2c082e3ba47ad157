"""When too much opens at once, one event stands for it, and what it stands for is neither lost nor told twice."""

from datetime import datetime, timedelta

import pytest
from tests.support.clock import NOON

from common.contracts import Change, Finding, ObjectKey, Severity
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.storms import Storms, Telling
from health_monitor.engine.transitions import Draft

SETTINGS = EngineSettings(storm_openings=3)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def drafts(
    *numbers: int,
    change: Change = Change.OPENED,
    severity: Severity = Severity.WARNING,
    since: datetime = NOON,
    code: str = "pod-sick",
) -> list[Draft]:
    return [
        Draft(
            change=change,
            finding=Finding(
                code=code,
                object=ObjectKey("Pod", "shop", f"pod-{number}").ref(),
                severity=severity,
                message="It is ill",
                since=since,
            ),
        )
        for number in numbers
    ]


def told(tellings: list[Telling]) -> list[str]:
    return [
        f"{each.draft.change} storm of {each.count}"
        if each.storm
        else f"{each.draft.change} {each.draft.finding.object.name}"
        for each in tellings
    ]


def test_as_many_as_a_person_can_read_are_told_one_by_one() -> None:
    assert told(Storms(SETTINGS).sift(drafts(1, 2, 3), NOON)) == ["opened pod-1", "opened pod-2", "opened pod-3"]


def test_more_at_once_are_one_event_with_a_count() -> None:
    telling = Storms(SETTINGS).sift(drafts(1, 2, 3, 4), NOON)
    assert told(telling) == ["opened storm of 4"]
    finding = telling[0].draft.finding
    assert (finding.object.kind, finding.part, finding.evidence["findings"]) == ("Cluster", "storm", 4)
    assert "Pod shop/pod-1" in finding.message


def test_the_window_counts_what_was_told_before() -> None:
    storms = Storms(SETTINGS)
    assert told(storms.sift(drafts(1, 2), NOON)) == ["opened pod-1", "opened pod-2"]
    assert told(storms.sift(drafts(3, 4), at(5))) == ["opened storm of 2"]


def test_slow_openings_are_no_storm() -> None:
    storms = Storms(SETTINGS)
    assert [told(storms.sift(drafts(n), at(n * 4))) for n in range(20)] == [[f"opened pod-{n}"] for n in range(20)]


def test_each_check_has_a_storm_of_its_own() -> None:
    mixed = drafts(1, 2, 3, 4) + drafts(5, code="pod-other")
    assert told(Storms(SETTINGS).sift(mixed, NOON)) == ["opened pod-5", "opened storm of 4"]


def test_a_new_count_is_told_once_per_window() -> None:
    storms = Storms(SETTINGS)
    storms.sift(drafts(1, 2, 3, 4), NOON)
    assert told(storms.sift(drafts(5, 6), at(1))) == []
    assert told(storms.sift(drafts(7), at(2))) == []
    assert storms.next_due_at == at(10)
    assert told(storms.due(at(10))) == ["changed storm of 7"]
    assert storms.next_due_at is None


def test_a_storm_that_ends_is_resolved_with_its_last_finding() -> None:
    storms = Storms(SETTINGS)
    storms.sift(drafts(1, 2, 3, 4), NOON)
    assert told(storms.sift(drafts(1, 2, 3, change=Change.RESOLVED), at(30))) == ["changed storm of 1"]
    assert told(storms.sift(drafts(4, change=Change.RESOLVED), at(60))) == ["resolved storm of 1"]
    assert told(storms.sift(drafts(1), at(90))) == ["opened pod-1"]


def test_what_was_told_one_by_one_resolves_one_by_one() -> None:
    storms = Storms(SETTINGS)
    storms.sift(drafts(1), NOON)
    storms.sift(drafts(2, 3, 4, 5), at(1))
    assert told(storms.sift(drafts(1, 2, change=Change.RESOLVED), at(30))) == ["resolved pod-1", "changed storm of 3"]


def test_after_a_storm_has_calmed_down_a_single_opening_is_told() -> None:
    storms = Storms(SETTINGS)
    storms.sift(drafts(1, 2, 3, 4), NOON)
    assert told(storms.sift(drafts(5), at(60))) == ["opened pod-5"]


def test_a_change_within_a_storm_is_not_told_but_makes_it_as_severe_as_the_worst() -> None:
    storms = Storms(SETTINGS)
    storms.sift(drafts(1, 2, 3, 4), NOON)
    assert told(storms.sift(drafts(1, change=Change.CHANGED, severity=Severity.CRITICAL), at(30))) == []
    telling = storms.sift(drafts(2, change=Change.RESOLVED), at(60))
    assert told(telling) == ["changed storm of 3"]
    assert telling[0].draft.previous_severity is Severity.WARNING
    assert telling[0].draft.finding.severity is Severity.CRITICAL


def test_a_storm_is_as_old_as_its_oldest_finding() -> None:
    news = drafts(1, 2, 3) + drafts(4, since=at(-60))
    assert Storms(SETTINGS).sift(news, NOON)[0].draft.finding.since == at(-60)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param((1, 2, 3, 4), [], id="all that it stood for: nothing is told"),
        pytest.param((1, 2), ["changed storm of 2"], id="fewer: its count"),
        pytest.param((), ["resolved storm of 1"], id="none: it is over"),
    ],
)
def test_a_storm_that_was_published_takes_up_what_is_found_again(found: tuple[int, ...], expected: list[str]) -> None:
    before = Storms(SETTINGS)
    published = before.sift(drafts(1, 2, 3, 4), NOON)[0].draft.finding
    after = Storms(SETTINGS)
    after.resume([published])
    assert told(after.sift(drafts(*found), at(60), resuming=True)) == expected
