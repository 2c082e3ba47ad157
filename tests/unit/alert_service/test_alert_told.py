"""Who is told of what, where, and how loudly: an incident's life as its channels hear it."""

from datetime import timedelta

import pytest
from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, an_alert, numbered, opened, over

from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import HappeningKind, IncidentState
from alert_service.policy.settings import SeverityPart
from alert_service.routing.notify import _TELLING, _UNTOLD
from alert_service.routing.wanted import DeliveryKind, NotifyReason
from common.contracts.healing import NoticeKind

MINUTE = timedelta(minutes=1)
OFFICE = (
    POLICY.replace("routes:\n", "routes:\n  - {name: day, hours: office, channels: [team]}\n")
    + 'hours:\n  office: {start: "08:00", end: "18:00"}\n'
)


def test_every_kind_of_happening_is_told_or_kept_to_the_timeline_on_purpose() -> None:
    assert set(_TELLING) | _UNTOLD | {HappeningKind.HEALING} == set(HappeningKind)
    assert not set(_TELLING) & _UNTOLD


def test_a_life_as_its_channel_hears_it() -> None:
    life = Life().post(an_alert())
    assert life.heard() == ["sre card! opened"]
    life.post(an_alert(), numbered(1))
    assert life.heard() == ["sre card~ new_alerts"]  # gathered, and shown in place
    life.act()
    assert life.heard() == ["sre card~ acted", "sre reply acted"]
    life.post(numbered(2))
    assert life.heard() == ["sre card~ new_alerts", "sre reply! new_alerts"]  # the acknowledgement does not cover it
    life.post(*(over(each.alert) for each in life.it.firing))
    assert life.heard() == ["sre card~ resolved", "sre reply resolved"]
    life.after(minutes=5).post(an_alert(at=NOW + 5 * MINUTE))
    assert life.heard() == ["sre card! reopened", "sre reply! reopened"]


def test_what_an_acknowledgement_covers_may_come_and_go_without_a_word() -> None:
    life = Life().post(an_alert(), numbered(1))
    life.act()
    life.post(numbered(1, ended=NOW + MINUTE))
    life.heard()
    life.post(numbered(1, at=NOW + 2 * MINUTE))
    assert life.heard() == ["sre card~ new_alerts"]


def test_a_channel_that_was_told_hears_the_end_though_its_hours_are_over() -> None:
    life = Life(policy=a_policy(OFFICE)).post(an_alert())
    assert life.heard() == ["team card! opened"]
    life.after(hours=10).post(an_alert(ended=NOW + 600 * MINUTE))
    assert life.heard() == ["team card~ resolved", "team reply resolved"]


def test_what_is_reopened_at_night_is_told_at_night_and_loud_there_alone() -> None:
    life = Life(policy=a_policy(OFFICE), now=NOW + timedelta(hours=7, minutes=50)).post(an_alert())
    life.after(minutes=5).post(an_alert(ended=life.now))
    life.heard()
    life.after(minutes=10).post(an_alert(at=life.now))
    assert life.heard() == ["sre card! reopened", "sre reply! reopened", "team card~ reopened", "team reply reopened"]


def test_a_channel_that_escalation_told_hears_the_end() -> None:
    life = Life().post(an_alert()).run(minutes=20)
    assert "boss card! escalated" in life.heard()
    life.post(an_alert(ended=life.now))
    assert life.heard() == ["sre card~ resolved", "sre reply resolved", "boss card~ resolved", "boss reply resolved"]


def test_a_card_is_brought_up_to_date_also_when_the_severity_is_none_that_gets_cards() -> None:
    life = Life(policy=a_policy()).post(an_alert(), an_alert({**POD, "pod": "web-9"}, severity="info"))
    life.heard()
    life.post(an_alert(ended=NOW + MINUTE))
    assert life.heard() == ["sre card~ changed"]
    life.post(an_alert({**POD, "pod": "web-9"}, severity="info", ended=NOW + 2 * MINUTE))
    assert life.heard() == ["sre card~ resolved", "sre reply resolved"]


class TestDigest:
    def test_gets_one_line_at_the_next_full_hour_and_nothing_more(self) -> None:
        life = Life(now=NOW + 17 * MINUTE).post(an_alert(severity="info"))
        (line,) = life.wanted
        assert (line.kind, line.channel, line.not_before) == (DeliveryKind.DIGEST, "sre", NOW + timedelta(hours=1))
        assert line.text == "KubePodCrashLooping: shop/web-0"
        life.heard()
        life.post(an_alert(severity="info", ended=NOW + 20 * MINUTE))
        assert life.heard() == []

    def test_escalates_nothing(self) -> None:
        life = Life().post(an_alert(severity="info")).run(hours=2)
        assert HappeningKind.ESCALATED not in life.kinds()

    def test_without_a_pause_goes_at_once(self) -> None:
        policy = a_policy(severities=SeverityPart(digest_every=timedelta()))
        (line,) = Life(policy=policy).post(an_alert(severity="info")).wanted
        assert line.not_before is None


def test_plumbing_is_told_nobody() -> None:
    life = Life().post(an_alert({"alertname": "Watchdog"}, severity="none")).run(days=2)
    assert life.heard() == []
    assert life.next_at is None


def test_where_no_route_leads_nobody_is_told_and_it_lives_all_the_same() -> None:
    policy = a_policy(POLICY.replace("channels: [sre], escalation: up}\nesc", "channels: []}\nesc"))
    life = Life(policy=policy).post(an_alert()).post(an_alert(ended=NOW + MINUTE))
    assert life.heard() == []
    assert life.it.state is IncidentState.RESOLVED


class TestRepeats:
    QUIET = POLICY.replace(", escalation: up", "") + "repeat: {first: 1h, factor: 2, longest: 6h}\n"

    def test_come_after_longer_and_longer_whiles(self) -> None:
        life = Life(policy=a_policy(self.QUIET)).post(an_alert())
        hours = []
        for _ in range(5):
            assert life.next_at is not None
            life.now = life.next_at
            life.tick()
            hours.append((life.now - NOW) / timedelta(hours=1))
        assert hours == [1, 3, 7, 13, 19]
        assert life.heard().count("sre reply! repeated") == 5

    @pytest.mark.parametrize("factor", [1, 2, 10])
    def test_go_on_for_a_year_without_an_overflow(self, factor: int) -> None:
        text = self.QUIET.replace("factor: 2, longest: 6h", f"factor: {factor}, longest: 2d")
        life = Life(policy=a_policy(text.replace("first: 1h", "first: 1d"))).post(an_alert()).run(days=365)
        assert life.it.repeats > 150
        assert life.next_at is not None

    def test_longest_that_is_shorter_than_the_first_does_not_make_it_endless(self) -> None:
        policy = a_policy(self.QUIET.replace("longest: 6h", "longest: 0s"))
        life = Life(policy=policy).post(an_alert()).run(hours=10)
        assert life.it.repeats == 10

    def test_never_come_when_they_are_switched_off(self) -> None:
        policy = a_policy(self.QUIET.replace("first: 1h", "first: 0s"))
        assert Life(policy=policy).post(an_alert()).next_at is None

    def test_stop_while_it_is_acknowledged(self) -> None:
        life = Life(policy=a_policy(self.QUIET)).post(an_alert())
        life.act()
        assert life.run(hours=3, minutes=59).it.repeats == 0


class TestAcknowledgement:
    def test_reminds_expires_and_starts_over(self) -> None:
        life = Life().post(an_alert())
        life.act()
        life.heard()
        life.run(hours=1)
        assert life.heard() == ["sre card~ ack_reminder", "sre reply ack_reminder"]
        assert life.run(hours=2, minutes=59).it.state is IncidentState.ACKNOWLEDGED
        life.heard()
        life.run(minutes=1)
        assert life.heard() == ["sre card~ ack_expired", "sre reply! ack_expired"]
        assert life.it.state is IncidentState.FIRING
        assert "sre reply! escalated" in life.run(minutes=5).heard()

    def test_mentions_whoever_made_it(self) -> None:
        life = Life().post(an_alert())
        life.act()
        life.wanted.clear()
        life.run(hours=1)
        assert [each.mentions for each in life.wanted if each.kind is DeliveryKind.REPLY] == [("ana",)]

    def test_that_nothing_limits_needs_no_clock(self) -> None:
        policy = a_policy(POLICY + "acknowledgement: {remind_after: 0s, expires_after: 0s}\n")
        life = Life(policy=policy).post(an_alert())
        assert life.act().text == "acknowledged: it is yours"
        assert life.next_at is None


class TestHealing:
    def test_that_helps_wakes_nobody(self) -> None:
        life = Life().post(an_alert())
        life.heard()
        life.after(seconds=10).notice(NoticeKind.STARTED, deadline_at=life.now + 3 * MINUTE)
        life.after(seconds=40).notice(NoticeKind.HEALED)
        life.run(minutes=2).post(an_alert(ended=life.now))
        told = life.heard()
        assert not [each for each in told if "!" in each]
        assert HappeningKind.ESCALATED not in life.kinds()

    def test_that_is_said_to_have_helped_and_has_not_is_told_aloud(self) -> None:
        life = Life().post(an_alert()).after(seconds=10).notice(NoticeKind.STARTED)
        life.after(seconds=40).notice(NoticeKind.HEALED)
        life.heard()
        life.run(minutes=14)  # Alertmanager may be late to tell that it is over
        assert life.heard() == []
        life.run(minutes=2)
        assert "sre reply! healing" in life.heard()
        assert life.it.suppression is None

    def test_that_failed_escalates_at_once(self) -> None:
        life = Life().post(an_alert()).after(seconds=10).notice(NoticeKind.STARTED)
        life.heard()
        life.after(minutes=1).notice(NoticeKind.FAILED)
        told = life.heard()
        assert "sre reply! healing_failed" in told
        assert "sre reply! escalated" in told

    def test_that_never_ends_holds_people_back_no_longer_than_the_policy_lets_it(self) -> None:
        life = Life().post(an_alert())
        for _ in range(18):  # a ladder of remedies, each begun as if it were the first
            life.run(minutes=1).notice(NoticeKind.STARTED, deadline_at=life.now + timedelta(hours=1))
        assert HappeningKind.ESCALATED not in life.kinds()
        life.run(minutes=2)
        assert HappeningKind.ESCALATED in life.kinds()  # 15 minutes of healing, and what was left of the step's 5

    def test_of_a_critical_incident_holds_escalation_and_hides_nothing(self) -> None:
        life = Life().post(an_alert(severity="critical")).notice(NoticeKind.STARTED)
        assert life.it.suppression is None
        assert HappeningKind.ESCALATED not in life.run(minutes=14).kinds()
        assert HappeningKind.ESCALATED in life.run(minutes=6).kinds()

    def test_that_waits_for_a_person_says_so_whatever_holds_the_incident_back(self) -> None:
        window = (
            "maintenance: [{name: now, match: ['namespace=\"shop\"'], starts_at: 2026-03-02T09:00:00Z, lasts: 2h}]\n"
        )
        life = Life(policy=a_policy(POLICY + window)).post(an_alert())
        assert life.heard() == []
        life.notice(NoticeKind.APPROVAL_WANTED, approve_until=life.now + 30 * MINUTE)
        assert life.heard() == ["sre card! approval_wanted", "sre reply! approval_wanted"]
        life.run(minutes=31)
        assert life.it.healing is not None
        assert life.it.healing.approve_until is None

    def test_that_waits_for_a_person_says_so_at_once_also_where_the_fault_is_told_in_a_digest(self) -> None:
        life = Life().post(an_alert(severity="info"))
        life.heard()
        life.notice(NoticeKind.APPROVAL_WANTED, approve_until=life.now + 30 * MINUTE)
        assert life.heard() == ["sre card! approval_wanted", "sre reply! approval_wanted"]

    def test_that_was_told_before_changes_nothing(self) -> None:
        life = Life().post(an_alert()).after(minutes=1).notice(NoticeKind.STARTED)
        started = life.now
        life.after(minutes=1).notice(NoticeKind.DECLINED)
        happened = len(life.happenings)
        life.notice(NoticeKind.STARTED, at=started)
        assert len(life.happenings) == happened

    @pytest.mark.parametrize("kind", list(NoticeKind))
    def test_every_kind_of_notice_is_told_below_the_card(self, kind: NoticeKind) -> None:
        life = Life().post(an_alert())
        life.heard()
        life.notice(kind)
        assert [each for each in life.heard() if each.startswith("sre reply")]


@pytest.mark.parametrize(
    ("labels", "title"),
    [
        pytest.param(POD, "KubePodCrashLooping: shop/web-0", id="what it is and its object"),
        pytest.param({"alertname": "Slow", "namespace": "shop"}, "Slow: shop", id="or its namespace"),
        pytest.param({"alertname": "Down", "cluster": "prod"}, "Down: prod", id="or its cluster"),
        pytest.param({"alertname": "Miss", "heartbeat": "w"}, "Miss: w", id="or what is missed"),
        pytest.param({"alertname": "Down"}, "Down", id="or nothing"),
        pytest.param({"job": "x"}, "An alert without a name: job=x", id="and what has no name says so"),
        pytest.param({"severity": "info"}, "An alert without a name", id="also when it has no labels"),
    ],
)
def test_titles(labels: dict[str, str], title: str) -> None:
    assert opened(an_alert(labels)).title == title


def test_what_nobody_is_told_leaves_no_time_of_telling() -> None:
    policy = a_policy(POLICY.replace("channels: [sre], escalation: up}\nesc", "channels: []}\nesc"))
    assert Life(policy=policy).post(an_alert()).it.notified_at is None
    assert Life().post(an_alert()).it.notified_at == NOW


def test_notes_and_acts_are_shown_to_others() -> None:
    life = Life().post(an_alert())
    life.heard()
    life.act(ActKind.NOTE, text="looking at it")
    (card, reply) = life.wanted
    assert (card.reason, reply.text, reply.loud) == (NotifyReason.ACTED, "looking at it", False)
