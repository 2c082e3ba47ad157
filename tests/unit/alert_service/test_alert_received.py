"""What posts make of an incident: opened, grown, resolved, reopened; and what repeats and late news must not do."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, Life, a_policy, a_post, an_alert, numbered, opened, tried

from alert_service.durations import shortly
from alert_service.incidents.acts import ActKind
from alert_service.incidents.alert import Alert, AlertSeverity, Source
from alert_service.incidents.incident import HappeningKind, IncidentState
from alert_service.incidents.posts import key_of, received
from alert_service.intake.hearing import LATE

K = HappeningKind
MINUTE = timedelta(minutes=1)


def test_a_group_that_fires_opens_an_incident_with_what_its_alerts_share() -> None:
    life = Life().post(numbered(1), numbered(2, severity="critical"), receiver="sre", truncated=3)
    assert life.it.state is IncidentState.FIRING
    assert life.it.severity is AlertSeverity.CRITICAL
    assert life.it.labels == {"alertname": "KubePodCrashLooping", "namespace": "shop"}
    assert life.it.truncated == 3
    assert life.it.subject is None  # two pods are no one object
    assert life.happenings[0].text == "opened with 2 alerts, critical"


def test_what_one_object_is_about_names_it() -> None:
    subject = Life().post(an_alert()).it.subject
    assert subject is not None
    assert (subject.kind, subject.namespace, subject.name) == ("Pod", "shop", "web-0")


@pytest.mark.parametrize(
    "alerts",
    [
        pytest.param((), id="a post without alerts"),
        pytest.param((an_alert(ended=NOW),), id="what has resolved before anybody told that it fires"),
    ],
)
def test_nothing_opens_because_of(alerts: tuple[Alert, ...]) -> None:
    assert Life().post(*alerts).incident is None


# Each row: what was posted before (minutes, alerts), what is posted then, and what that makes happen.
FIRES = an_alert()
OVER = an_alert(ended=NOW + MINUTE)
AGAIN = an_alert(at=NOW + 2 * MINUTE)


@pytest.mark.parametrize(
    ("before", "then", "happens"),
    [
        pytest.param([(FIRES,)], (FIRES,), [], id="the same again is no news"),
        pytest.param([(FIRES,)], (OVER,), [K.RESOLVED], id="the last that resolves closes it"),
        pytest.param([(FIRES,)], (FIRES, numbered(1)), [K.ALERTS_JOINED], id="one more joins"),
        pytest.param([(FIRES, numbered(1))], (OVER,), [K.ALERTS_RESOLVED], id="one that resolves leaves the others"),
        pytest.param([(FIRES, numbered(1))], (FIRES,), [], id="one that is missing has not resolved"),
        pytest.param([(FIRES,)], (), [], id="an empty post says nothing"),
        pytest.param([(FIRES,), (OVER,)], (OVER,), [], id="resolved twice is resolved once"),
        pytest.param([(FIRES,), (OVER,)], (FIRES,), [], id="a peer that tells late that it fired reopens nothing"),
        pytest.param([(FIRES,), (OVER,)], (AGAIN,), [K.REOPENED], id="a new episode soon after reopens it"),
        pytest.param([(FIRES,), (AGAIN,)], (OVER,), [], id="the end of an earlier episode ends no later one"),
        pytest.param(
            [(FIRES,), (OVER,), (AGAIN,), (FIRES,)],
            (OVER,),
            [],
            id="a peer that tells a whole earlier episode late ends no later one",
        ),
        pytest.param(
            [(AGAIN,)],
            (an_alert(ended=NOW + 3 * MINUTE),),
            [K.RESOLVED],
            id="an episode whose beginning Alertmanager moved back ends all the same",
        ),
        pytest.param(
            [(AGAIN,)],
            (an_alert(ended=AGAIN.starts_at),),
            [K.RESOLVED],
            id="and so does one that ends in the moment in which it is said to have begun",
        ),
        pytest.param(
            [(FIRES,)],
            (an_alert(at=NOW + 5 * MINUTE, ended=NOW + 6 * MINUTE),),
            [K.RESOLVED],
            id="the end of a later episode of which nobody told ends what is known",
        ),
        pytest.param(
            [(FIRES, numbered(1))], (OVER, numbered(2)), [K.ALERTS_JOINED, K.ALERTS_RESOLVED], id="both at once"
        ),
    ],
)
def test_a_post_makes_happen(
    before: list[tuple[Alert, ...]], then: tuple[Alert, ...], happens: list[HappeningKind]
) -> None:
    life = Life()
    for alerts in before:
        life.after(seconds=10).post(*alerts)
    told = len(life.happenings)
    life.after(seconds=10).post(*then)
    assert life.kinds()[told:] == happens


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(FIRES, id="in the same episode"),
        pytest.param(an_alert(at=NOW - 10 * MINUTE), id="by the clock of another Prometheus before that episode"),
    ],
)
def test_what_fires_long_after_it_was_told_as_resolved_fires_indeed(again: Alert) -> None:
    life = Life().post(FIRES).post(OVER)
    assert life.after(minutes=LATE.total_seconds() / 60).post(again).it.state is IncidentState.RESOLVED
    assert life.after(seconds=1).post(again).it.state is IncidentState.FIRING


@pytest.mark.parametrize(
    ("minutes", "same"),
    [pytest.param(30, True, id="within its time it is the same"), pytest.param(31, False, id="later it is another")],
)
def test_what_fires_again(minutes: int, same: bool) -> None:
    life = Life().post(FIRES).post(OVER)
    first = life.it.id
    life.new_id = opened().id
    life.after(minutes=minutes).post(an_alert(at=life.now))
    assert (life.it.id == first) is same
    assert life.it.state is IncidentState.FIRING


def test_what_a_peer_tells_late_opens_no_new_incident_when_nothing_is_ever_reopened() -> None:
    life = Life(policy=a_policy(reopen_within=timedelta())).post(FIRES).post(OVER)
    first = life.it.id
    life.new_id = opened().id
    life.after(seconds=15).post(FIRES)
    assert life.it.id == first
    assert life.post(AGAIN).it.id != first


class TestTruncated:
    """Alertmanager sorts, cuts, and then says of what is left whether it fires."""

    def test_closes_nothing(self) -> None:
        life = Life().post(FIRES).post(OVER, truncated=1)
        assert life.it.open
        assert life.it.truncated == 1

    def test_is_closed_by_the_next_whole_post(self) -> None:
        life = Life().post(FIRES).post(OVER, truncated=1).after(minutes=5).post(OVER)
        assert life.it.state is IncidentState.RESOLVED

    def test_is_closed_by_time_where_no_whole_post_ever_comes(self) -> None:
        life = Life().post(FIRES).post(OVER, truncated=1).run(minutes=59)
        assert life.it.open
        assert not life.run(minutes=1).it.open

    def test_is_not_closed_by_one_that_says_nothing(self) -> None:
        assert Life().post(FIRES).post(OVER, truncated=1).post().it.open


class TestSeverity:
    def test_raised_reopens_what_was_acknowledged(self) -> None:
        life = Life().post(FIRES)
        life.act()
        assert life.it.state is IncidentState.ACKNOWLEDGED
        life.post(numbered(1, severity="critical"))
        assert life.it.state is IncidentState.FIRING
        assert life.it.acknowledgement is None
        assert life.kinds()[-2:] == [K.SEVERITY_RAISED, K.UNACKNOWLEDGED]

    def test_lowered_keeps_the_acknowledgement(self) -> None:
        life = Life().post(FIRES, numbered(1, severity="critical"))
        life.act()
        life.post(numbered(1, severity="critical", ended=NOW))
        assert life.it.severity is AlertSeverity.WARNING
        assert life.it.state is IncidentState.ACKNOWLEDGED

    def test_newcomers_of_the_same_severity_leave_it_acknowledged_but_uncovered(self) -> None:
        life = Life().post(FIRES)
        life.act()
        life.post(numbered(1))
        assert life.it.state is IncidentState.ACKNOWLEDGED
        assert life.it.acknowledgement is not None
        assert numbered(1).fingerprint not in life.it.acknowledgement.fingerprints

    def test_of_a_resolved_one_is_the_highest_that_fired_last(self) -> None:
        life = Life().post(an_alert(severity="critical")).post(an_alert(severity="critical", ended=NOW + MINUTE))
        assert life.it.severity is AlertSeverity.CRITICAL


def test_other_texts_change_the_card_and_are_no_line_of_the_timeline() -> None:
    life = Life().post(an_alert(annotations={"summary": "5 restarts"}))
    told, revision = len(life.happenings), life.it.revision
    life.post(an_alert(annotations={"summary": "6 restarts"}))
    assert life.it.annotations == {"summary": "6 restarts"}
    assert life.it.revision == revision + 1
    assert len(life.happenings) == told


def test_what_a_person_closed_stays_closed_while_its_source_repeats_itself() -> None:
    life = Life().post(FIRES)
    life.act(ActKind.RESOLVE)
    assert life.after(minutes=5).post(FIRES).it.state is IncidentState.RESOLVED
    assert life.post(FIRES, numbered(1)).it.state is IncidentState.FIRING


def test_reopening_starts_everything_anew_but_its_history() -> None:
    life = Life().post(FIRES)
    life.act()
    life.post(OVER).after(minutes=5).post(an_alert(at=NOW + 5 * MINUTE))
    assert life.it.acknowledgement is None
    assert life.it.resolved_at is None
    assert life.it.repeats == 0
    assert life.it.opened_at == NOW
    assert len(life.it.turns) == 3


def test_keys_are_of_one_length_and_never_the_same_for_two_sources() -> None:
    keys = {key_of(source, group_key) for source in Source for group_key in ("", "{}:{}", "x" * 10_000)}
    assert len(keys) == 3 * len(Source)
    assert {len(key) for key in keys} == {64}


def test_the_key_of_a_group_of_alertmanager_is_the_hash_that_it_uses_itself() -> None:
    group_key = '{}:{alertname="KubePodCrashLooping"}'
    assert key_of(Source.ALERTMANAGER, group_key) == hashlib.sha256(group_key.encode()).hexdigest()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (41, "41 s"),
        (720, "12 min"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_for_people(seconds: int, text: str) -> None:
    assert shortly(timedelta(seconds=seconds)) == text


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Alert, ...]]:
    """What Alertmanager tells of a group in its order: all of its alerts, each time one of them has turned."""
    known: dict[int, Alert] = {}
    told = []
    for minute, number in enumerate(draw(st.lists(st.integers(min_value=0, max_value=2), max_size=8))):
        at, before = NOW + minute * MINUTE, known.get(number)
        if before is not None and before.ends_at is None:
            known[number] = numbered(number, at=before.starts_at, ended=at)
        else:
            known[number] = numbered(number, at=at)
        told.append(tuple(known.values()))
    return told


@tried
@given(histories())
def test_a_repeat_changes_nothing(told: list[tuple[Alert, ...]]) -> None:
    life = Life()
    for alerts in told:
        life.after(minutes=1).post(*alerts)
        happened, known = len(life.happenings), life.incident
        life.after(seconds=5).post(*alerts)
        assert len(life.happenings) == happened
        if known is not None:
            assert replace(life.it, members={}) == replace(known, members={})


@tried
@given(histories(), st.data())
def test_what_a_second_peer_tells_of_the_past_changes_nothing(
    told: list[tuple[Alert, ...]], data: st.DataObject
) -> None:
    one, both = Life(), Life()
    for number, alerts in enumerate(told):
        one.after(minutes=1).post(*alerts)
        both.after(minutes=1).post(*alerts)
        late = data.draw(st.integers(min_value=max(0, number - 4), max_value=number))
        both.post(*told[late])
    assert [each.kind for each in one.happenings] == [each.kind for each in both.happenings]


@tried
@given(histories())
def test_in_the_end_it_is_as_the_source_says(told: list[tuple[Alert, ...]]) -> None:
    life = Life()
    for alerts in told:
        life.after(minutes=1).post(*alerts)
    for alert in told[-1] if told else ():
        known = life.it.members.get(alert.fingerprint)
        assert (known is not None and known.firing) == (alert.ends_at is None)
    if life.incident is not None:
        assert life.it.open == any(alert.ends_at is None for alert in told[-1])


POSTS = histories().map(lambda told: told[-1] if told else ())


@tried
@given(st.lists(POSTS, max_size=8))
def test_nothing_that_was_cut_short_resolves(posts: list[tuple[Alert, ...]]) -> None:
    life = Life()
    for alerts in posts:
        life.after(seconds=5).post(*alerts, truncated=1)
    assert K.RESOLVED not in life.kinds()


@tried
@given(st.lists(POSTS, max_size=8), st.lists(POSTS, max_size=4))
def test_only_the_named_alerts_change(posts: list[tuple[Alert, ...]], more: list[tuple[Alert, ...]]) -> None:
    life = Life().post(numbered(99))
    for alerts in [*posts, *more]:
        life.after(seconds=5).post(*alerts)
    assert life.it.members[numbered(99).fingerprint].firing
    assert life.it.open


def test_received_tells_nothing_of_what_is_over_and_does_not_fire() -> None:
    old = opened(resolved_at=NOW, state=IncidentState.RESOLVED)
    done = received(old, a_post(OVER), a_policy(), now=NOW + timedelta(hours=2), new_id=old.id)
    assert done is None
