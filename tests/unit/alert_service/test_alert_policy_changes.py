"""The policy changes while an incident is open."""

from tests.support.alert_incidents import NOW, POLICY, Life, a_policy, an_alert

from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import HappeningKind

K = HappeningKind
OTHER = POLICY.replace("channels: [sre], escalation: up", "channels: [team], escalation: up")
WITHOUT = OTHER.replace('  sre: {kind: slack, conversation: "#sre"}\n', "").replace(
    "channels: [sre]}", "channels: [team]}"
)


def told(text: str = POLICY) -> Life:
    life = Life(policy=a_policy(text)).post(an_alert())
    assert life.heard() == ["sre card! opened"]
    return life


def test_a_channel_that_is_gone_is_told_nothing_and_the_one_in_its_place_at_once() -> None:
    life = told()
    life.policy = a_policy(WITHOUT)
    assert life.tick().heard() == ["team card! repeated", "team reply! repeated"]
    assert life.tick().heard() == []
    assert life.post(an_alert(ended=life.now)).heard() == ["team card~ resolved", "team reply resolved"]


def test_a_channel_that_is_gone_without_another_in_its_place_is_missed_once() -> None:
    life = told()
    life.policy = a_policy(WITHOUT.replace("channels: [team], esc", "channels: [], esc"))
    life.tick()
    assert life.kinds().count(K.REPEATED) == 1
    assert life.tick().kinds().count(K.REPEATED) == 1


def test_a_channel_that_is_gone_calls_nobody_to_what_somebody_has() -> None:
    life = told()
    life.act()
    life.heard()
    life.policy = a_policy(WITHOUT)
    assert life.tick().heard() == []


def test_another_route_hears_when_it_is_told_again() -> None:
    life = told()
    life.policy = a_policy(OTHER)
    assert life.tick().heard() == []
    life.act(ActKind.ACKNOWLEDGE)
    life.act(ActKind.UNACKNOWLEDGE)
    life.heard()
    life.policy = a_policy(OTHER.replace(", escalation: up", "", 1))
    assert "team card! repeated" in life.run(hours=5).heard()


def test_an_escalation_that_a_route_names_now_begins() -> None:
    life = told(POLICY.replace(", escalation: up", "", 1))
    assert life.it.escalation is None
    life.policy = a_policy()
    life.after(hours=1).tick()
    assert life.it.escalation is not None
    assert K.ESCALATED in life.run(minutes=6).kinds()


def test_what_is_only_worth_knowing_escalates_no_further() -> None:
    life = told()
    life.post(an_alert(severity="info", at=NOW))
    assert K.ESCALATED not in life.run(hours=2).kinds()


def test_a_window_that_is_gone_holds_nothing_back() -> None:
    window = "maintenance: [{name: w, match: ['namespace=\"shop\"'], starts_at: 2026-03-02T09:00:00Z, lasts: 8h}]\n"
    life = Life(policy=a_policy(window + POLICY)).post(an_alert())
    assert life.heard() == []
    life.policy = a_policy()
    assert life.after(minutes=1).tick().heard() == ["sre card! unsuppressed"]
