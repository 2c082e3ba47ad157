"""What is wrong now, whatever order the events come in."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_events import a_pod_finding, an_event

from auto_healing.findings import OpenFindings
from common.contracts import Change


def test_an_opened_finding_is_open_until_it_is_resolved() -> None:
    findings = OpenFindings()

    findings.apply(an_event(1, score=40.0))
    assert [finding.object.name for finding in findings.about(a_pod_finding().object.key)] == ["web-1"]
    assert findings.score_of(a_pod_finding().object.key) == 40.0

    findings.apply(an_event(2, Change.RESOLVED, score=100.0))
    assert findings.all() == ()
    assert findings.about(a_pod_finding().object.key) == ()
    assert findings.score_of(a_pod_finding().object.key) == 100.0


def test_the_score_of_an_object_goes_with_the_last_that_is_known_of_it() -> None:
    findings, key = OpenFindings(), a_pod_finding().object.key
    findings.apply(an_event(1, score=40.0))
    findings.apply(an_event(2, Change.RESOLVED))
    assert findings.score_of(key) == 40.0

    findings.forget_resolved_before(NOON + timedelta(days=1))
    assert findings.score_of(key) is None


def test_a_late_opening_does_not_reopen_what_is_resolved() -> None:
    findings = OpenFindings()
    findings.apply(an_event(2, Change.RESOLVED))

    assert findings.apply(an_event(1)) is None
    assert findings.all() == ()


def test_a_storm_names_no_finding() -> None:
    findings = OpenFindings()

    assert findings.apply(an_event(1, storm=True)) is None
    assert findings.all() == ()


def test_since_when_it_is_open_survives_changes() -> None:
    findings = OpenFindings()
    findings.apply(an_event(1))
    findings.apply(an_event(5, Change.CHANGED))

    assert [known.opened_at for known in findings.open()] == [NOON + timedelta(seconds=1)]
    assert findings.opened_since(NOON + timedelta(seconds=2)) == ()


def test_the_full_list_closes_what_it_lacks_and_opens_what_it_has() -> None:
    findings = OpenFindings()
    findings.apply(an_event(1, name="gone"))
    findings.apply(an_event(2, name="stays"))
    findings.apply(an_event(9, name="newer"))

    changed = findings.reconcile([a_pod_finding("stays"), a_pod_finding("missed")], head=5, now=NOON)

    assert sorted(finding.object.name for finding in findings.all()) == ["missed", "newer", "stays"]
    assert sorted(known.finding.object.name for known in changed) == ["gone", "missed"]


def test_the_full_list_does_not_reopen_what_a_newer_event_resolved() -> None:
    findings = OpenFindings()
    findings.apply(an_event(9, Change.RESOLVED))

    assert findings.reconcile([a_pod_finding()], head=5, now=NOON) == []
    assert findings.all() == ()


def test_what_was_resolved_long_ago_is_forgotten() -> None:
    findings = OpenFindings()
    findings.apply(an_event(1, Change.RESOLVED))
    findings.apply(an_event(2, name="open"))

    assert findings.forget_resolved_before(NOON + timedelta(seconds=1)) == []
    assert len(findings.forget_resolved_before(NOON + timedelta(seconds=2))) == 1
    assert [finding.object.name for finding in findings.all()] == ["open"]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Change))), max_size=12).flatmap(
        lambda told: st.tuples(
            st.just(told), st.permutations([*range(len(told)), *(range(len(told)) if told else range(0))])
        )
    )
)
def test_disorder_and_repetition_change_nothing(case: tuple[list[tuple[str, Change]], list[int]]) -> None:
    told, order = case
    events = [an_event(number + 1, change, name=name) for number, (name, change) in enumerate(told)]
    in_order, shuffled = OpenFindings(), OpenFindings()
    for event in events:
        in_order.apply(event)
    for number in order:
        shuffled.apply(events[number])

    assert sorted(finding.object.name for finding in shuffled.all()) == sorted(
        finding.object.name for finding in in_order.all()
    )
