"""What a person's act does, and what they are told; whatever comes too late explains itself and changes nothing."""

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.support.alert_incidents import (
    NOW,
    Life,
    a_person,
    a_policy,
    an_act,
    an_alert,
    numbered,
    opened,
)

from alert_service.incidents.acting import act
from alert_service.incidents.acts import ActKind
from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.incident import HappeningKind, IncidentState, SuppressionReason
from common.contracts.healing import NoticeKind

K = HappeningKind
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("kind", list(ActKind))
def test_nobody_does_what_they_have_no_right_to(kind: ActKind) -> None:
    other = ActKind.NOTE if kind is not ActKind.NOTE else ActKind.NOISY
    incident = opened()
    done, answer = act(incident, an_act(incident, kind, a_person("eve", other), now=NOW), a_policy(), now=NOW)
    assert not answer.changed
    assert answer.text == f"Eve may not {kind} here: the policy says who may"
    assert done.incident == incident
    assert [each.kind for each in done.happenings] == [K.CLICK_REFUSED]


@pytest.mark.parametrize(
    ("kind", "happens"),
    [
        (ActKind.ACKNOWLEDGE, [K.ACKNOWLEDGED]),
        (ActKind.UNACKNOWLEDGE, []),
        (ActKind.SILENCE, [K.SILENCED]),
        (ActKind.APPROVE, [K.APPROVED]),
        (ActKind.DENY, [K.DENIED]),
        (ActKind.ESCALATE, []),
        (ActKind.RUNBOOK, []),
        (ActKind.EXPLAIN, []),
        (ActKind.RESOLVE, [K.RESOLVED]),
        (ActKind.NOTE, [K.NOTED]),
        (ActKind.NOISY, []),
        (ActKind.USEFUL, []),
    ],
)
def test_what_each_act_writes_on_an_incident_that_fires(kind: ActKind, happens: list[HappeningKind]) -> None:
    incident = opened()
    done, _ = act(incident, an_act(incident, kind, now=NOW, text="x"), a_policy(), now=NOW)
    assert [each.kind for each in done.happenings] == happens
    assert all((each.by, each.details["via"]) == ("ana@example.com", "slack") for each in done.happenings)


@pytest.mark.parametrize("kind", [ActKind.ACKNOWLEDGE, ActKind.UNACKNOWLEDGE, ActKind.ESCALATE, ActKind.RESOLVE])
def test_after_it_was_resolved_nothing_is_left_to_do(kind: ActKind) -> None:
    life = Life().post(an_alert()).post(an_alert(ended=NOW)).after(seconds=8)
    before = life.it
    answer = life.act(kind)
    assert not answer.changed
    assert answer.text == "it was resolved 8 s ago: nothing is left to do"
    assert life.it == before


def test_a_click_that_was_made_before_it_resolved_and_arrives_after_reopens_nothing() -> None:
    life = Life().post(an_alert())
    click = an_act(life.it, now=NOW + timedelta(seconds=1))
    life.after(seconds=2).post(an_alert(ended=NOW + timedelta(seconds=2)))
    done, answer = act(life.it, click, life.policy, now=NOW + timedelta(seconds=3))
    assert not answer.changed
    assert done.incident.state is IncidentState.RESOLVED


class TestAcknowledge:
    def test_covers_what_the_card_showed_and_nothing_that_joined_later(self) -> None:
        life = Life().post(an_alert())
        shown = life.it.revision
        life.post(numbered(1))
        assert life.act(revision=shown).changed
        assert life.it.acknowledgement is not None
        assert life.it.acknowledgement.fingerprints == {an_alert().fingerprint}

    def test_of_a_card_from_before_it_became_worse_is_refused_kindly(self) -> None:
        life = Life().post(an_alert())
        shown = life.it.revision
        life.post(numbered(1, severity="critical"))
        answer = life.act(revision=shown)
        assert not answer.changed
        assert answer.text == "it became critical after the card that you saw: look again"

    def test_of_a_card_from_before_the_same_alert_became_worse_is_refused_too(self) -> None:
        life = Life().post(an_alert(fingerprint="a" * 16))
        shown = life.it.revision
        life.post(an_alert(fingerprint="a" * 16, severity="critical"))
        assert not life.act(revision=shown).changed
        assert life.act(revision=life.it.revision).changed

    def test_of_a_card_whose_alerts_are_over_asks_to_look_again(self) -> None:
        life = Life().post(an_alert())
        shown = life.it.revision
        life.post(an_alert(ended=NOW), numbered(1))
        answer = life.act(revision=shown)
        assert not answer.changed
        assert answer.text == "what that card showed is over, and something else fires: look again"

    def test_twice_is_once(self) -> None:
        life = Life().post(an_alert())
        life.act()
        before = life.after(minutes=5).it
        answer = life.act()
        assert (answer.changed, answer.text) == (False, "you acknowledged it 5 min ago")
        assert life.it == before

    def test_again_covers_newcomers_too(self) -> None:
        life = Life().post(an_alert())
        life.act()
        life.post(numbered(1))
        assert life.act().changed
        assert life.it.acknowledgement is not None
        assert life.it.acknowledgement.fingerprints == {an_alert().fingerprint, numbered(1).fingerprint}

    def test_by_another_takes_it_over(self) -> None:
        life = Life().post(an_alert())
        life.act(by="ana")
        assert life.act(by="ben").changed
        assert life.it.acknowledgement is not None
        assert life.it.acknowledgement.by == "ben@example.com"

    def test_of_what_a_post_that_was_cut_short_left_open_is_taken(self) -> None:
        life = Life().post(an_alert()).post(an_alert(ended=NOW), truncated=3)
        assert life.act().changed

    def test_says_for_how_long(self) -> None:
        assert Life().post(an_alert()).act().text == "acknowledged: it is yours for 4 h"

    def test_takes_in_the_severity_that_was_seen(self) -> None:
        life = Life().post(an_alert(severity="critical"))
        life.act()
        assert life.it.acknowledgement is not None
        assert life.it.acknowledgement.severity is AlertSeverity.CRITICAL


def test_nothing_to_take_back_is_told() -> None:
    assert Life().post(an_alert()).act(ActKind.UNACKNOWLEDGE).text == "nobody has acknowledged it"


def test_an_empty_note_says_nothing() -> None:
    life = Life().post(an_alert())
    assert not life.act(ActKind.NOTE, text="  ").changed
    assert life.act(ActKind.NOTE, text="vendor called").changed


def test_a_note_may_be_added_when_it_is_over() -> None:
    life = Life().post(an_alert()).post(an_alert(ended=NOW))
    assert life.act(ActKind.NOTE, text="it was the disk").changed
    assert life.it.state is IncidentState.RESOLVED


def test_resolving_by_hand_names_who_and_why() -> None:
    life = Life().post(an_alert())
    life.act(ActKind.RESOLVE, text="the rule is gone")
    assert life.it.state is IncidentState.RESOLVED
    assert life.happenings[-1].text == "resolved by Ana: the rule is gone"
    assert life.next_at is None


class TestSilence:
    def test_keeps_people_from_being_told_of_what_it_covers(self) -> None:
        life = Life().post(an_alert())
        assert life.act(ActKind.SILENCE, duration=timedelta(hours=1), text="silence-id").text == "silenced for 1 h"
        assert life.it.silences == ("silence-id",)
        assert life.it.suppression is not None
        assert life.it.suppression.reason is SuppressionReason.SILENCED
        life.heard()
        life.run(minutes=59)
        assert not [each for each in life.heard() if "!" in each]

    def test_ends_with_what_still_fires(self) -> None:
        life = Life().post(an_alert())
        life.act(ActKind.SILENCE, duration=timedelta(hours=1))
        life.heard()
        life.run(hours=1)
        assert "sre card! unsuppressed" in life.heard()

    def test_does_not_cover_what_joins_or_becomes_worse(self) -> None:
        for newcomer in (numbered(1), numbered(1, severity="critical")):
            life = Life().post(an_alert())
            life.act(ActKind.SILENCE, duration=timedelta(hours=1))
            life.post(newcomer)
            assert life.it.suppression is None


class TestDecisions:
    @pytest.mark.parametrize("kind", [ActKind.APPROVE, ActKind.DENY])
    def test_healing_waits_for_nobody_any_more(self, kind: ActKind) -> None:
        life = Life().post(an_alert()).notice(NoticeKind.APPROVAL_WANTED, approve_until=NOW + 30 * MINUTE)
        run = uuid4()
        assert life.act(kind, run_id=run).changed
        assert life.it.healing is not None
        assert life.it.healing.approve_until is None
        assert life.happenings[-1].details["run"] == str(run)

    def test_of_an_incident_without_healing_are_written_all_the_same(self) -> None:
        life = Life().post(an_alert())
        assert life.act(ActKind.APPROVE, run_id=uuid4()).changed
        assert life.it.healing is None


def test_the_time_of_change_never_goes_back() -> None:
    life = Life().post(an_alert()).after(minutes=5).post(numbered(1))
    changed_at = life.it.changed_at
    life.settle(life.it, act(life.it, an_act(life.it, now=NOW + MINUTE), life.policy, now=life.now)[0])
    assert life.it.changed_at == changed_at
