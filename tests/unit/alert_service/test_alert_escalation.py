"""Who is told next while nobody acknowledges, what holds the clock, and what lets it go on."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, POLICY, Life, a_policy, an_alert, numbered, tried

from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import HappeningKind, IncidentState
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import started
from alert_service.routing.wanted import DeliveryKind, NotifyReason
from common.contracts.healing import NoticeKind

K = HappeningKind
MINUTE = timedelta(minutes=1)


def with_steps(*steps: str, repeat: int = 0, more: str = "") -> AlertPolicy:
    before, _, after = POLICY.partition("    steps:\n")
    _, _, after = after.partition("    repeat: 1\n")
    lines = "".join(f"      - {step}\n" for step in steps)
    return a_policy(f"{before}    steps:\n{lines}    repeat: {repeat}\n{after}{more}")


def escalated(life: Life) -> list[tuple[float, str, tuple[str, ...]]]:
    """Minutes after the opening, channel and people of each step that was told, as time alone goes on for a day."""
    told: list[tuple[float, str, tuple[str, ...]]] = []
    while life.next_at is not None and life.next_at < NOW + timedelta(days=1):
        life.now = max(life.now, life.next_at)
        life.tick()
        cards = [each for each in life.wanted if each.kind is DeliveryKind.CARD and each.mentions]
        told += [((life.now - NOW) / MINUTE, each.channel, each.mentions) for each in cards]
        life.wanted.clear()
    return told


ANA, BEN = "{after: 5m, people: [ana], channels: [sre]}", "{after: 10m, people: [ben], channels: [boss]}"


@pytest.mark.parametrize(
    ("steps", "repeat", "told"),
    [
        pytest.param([ANA], 0, [(5, "sre", ("ana",))], id="one step is told once, after its time"),
        pytest.param(
            [ANA, BEN], 0, [(5, "sre", ("ana",)), (15, "boss", ("ben",))], id="each step comes after the one before"
        ),
        pytest.param(
            [ANA],
            2,
            [(5, "sre", ("ana",)), (10, "sre", ("ana",)), (15, "sre", ("ana",))],
            id="it starts over as often as the policy says",
        ),
        pytest.param(
            ["{after: 5m, people: [ana, ben], channels: [sre], round_robin: true}"],
            2,
            [(5, "sre", ("ana",)), (10, "sre", ("ben",)), (15, "sre", ("ana",))],
            id="round robin tells another person each round",
        ),
        pytest.param(
            ["{after: 0s, people: [ana], channels: [sre]}", BEN],
            0,
            [(10, "boss", ("ben",))],
            id="what comes after no time is told at the opening",
        ),
    ],
)
def test_steps(steps: list[str], repeat: int, told: list[tuple[float, str, tuple[str, ...]]]) -> None:
    life = Life(policy=with_steps(*steps, repeat=repeat)).post(an_alert())
    life.wanted.clear()
    assert escalated(life) == told
    assert life.kinds().count(K.ESCALATION_ENDED) == 1


def test_a_step_is_told_by_the_card_and_in_words_below_it() -> None:
    life = Life(policy=with_steps(ANA, BEN)).post(an_alert())
    life.wanted.clear()
    life.after(minutes=5).tick()
    told = [(each.kind, each.text, each.mentions, each.loud) for each in life.wanted if each.loud]
    words = "nobody has acknowledged: step 1 of up tells Ana"
    assert told == [(DeliveryKind.CARD, "", ("ana",), True), (DeliveryKind.REPLY, words, ("ana",), True)]


def test_a_step_that_comes_at_once_is_told_with_the_opening() -> None:
    life = Life(policy=with_steps("{after: 0s, people: [ana], channels: [boss]}")).post(an_alert())
    assert life.heard() == [
        "sre card! opened",
        "sre reply! escalated",  # that nobody is left to tell
        "boss card! escalated",
        "boss reply! escalated",
    ]


def test_an_acknowledgement_stops_it_and_taking_it_back_starts_it_over() -> None:
    life = Life().post(an_alert()).run(minutes=4)
    life.act()
    assert K.ESCALATED not in life.run(minutes=60).kinds()
    life.act(ActKind.UNACKNOWLEDGE)
    assert K.ESCALATED not in life.run(minutes=4).kinds()
    assert K.ESCALATED in life.run(minutes=1).kinds()


def test_what_resolves_tells_nobody_further() -> None:
    life = Life().post(an_alert()).run(minutes=4).post(an_alert(ended=NOW + 4 * MINUTE))
    assert life.next_at is None
    assert life.it.escalation is None


def test_people_are_called_as_people_call_them() -> None:
    life = Life(policy=with_steps("{after: 5m, people: [ana, ben], channels: [sre]}")).post(an_alert()).run(minutes=5)
    assert [each.text for each in life.happenings if each.kind is K.ESCALATED] == [
        "nobody has acknowledged: step 1 of up tells Ana, Ben"
    ]


class TestEverybodyHasToAcknowledge:
    ALL = "{after: 5m, people: [ana, ben], channels: [sre], ack: all}"

    def life(self) -> Life:
        return Life(policy=with_steps(self.ALL, repeat=3)).post(an_alert()).run(minutes=5)

    def test_one_alone_stops_nothing(self) -> None:
        life = self.life()
        answer = life.act(by="ana")
        assert answer.changed
        assert "Ben" in answer.text
        assert life.it.state is IncidentState.FIRING
        assert K.ESCALATED in life.kinds()

    def test_the_last_of_them_does(self) -> None:
        life = self.life()
        life.act(by="ana")
        life.act(by="ben")
        assert life.it.state is IncidentState.ACKNOWLEDGED

    def test_the_same_person_twice_is_one(self) -> None:
        life = self.life()
        life.act(by="ana")
        happened = len(life.happenings)
        answer = life.act(by="ana")
        assert not answer.changed
        assert "Ben" in answer.text
        assert len(life.happenings) == happened

    def test_only_those_who_have_not_are_told_again(self) -> None:
        life = self.life()
        life.act(by="ana")
        life.wanted.clear()
        life.run(minutes=5)
        assert {each.mentions for each in life.wanted if each.reason is NotifyReason.ESCALATED} == {("ben",)}

    def test_whoever_is_none_of_them_counts_for_none(self) -> None:
        life = self.life()
        assert life.act(by="carol").changed
        assert life.it.state is IncidentState.FIRING

    def test_half_of_it_can_be_taken_back(self) -> None:
        life = self.life()
        life.act(by="ana")
        assert life.act(ActKind.UNACKNOWLEDGE, by="ana").changed
        life.run(minutes=5)
        life.act(by="ben")
        assert life.it.state is IncidentState.FIRING

    def test_before_it_was_told_one_is_enough(self) -> None:
        life = Life(policy=with_steps(self.ALL)).post(an_alert())
        life.act(by="ana")
        assert life.it.state is IncidentState.ACKNOWLEDGED


HOURS = 'hours:\n  office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}\n'


@pytest.mark.parametrize(
    ("opened", "told"),
    [
        pytest.param("2026-03-02T10:00:00+00:00", "2026-03-02T10:05:00+00:00", id="within the hours it comes in time"),
        pytest.param(
            "2026-03-02T17:00:00+00:00", "2026-03-03T07:00:00+00:00", id="after them it waits for the morning"
        ),
        pytest.param("2026-03-06T18:00:00+00:00", "2026-03-09T07:00:00+00:00", id="over the weekend until Monday"),
        pytest.param(
            "2026-03-28T12:00:00+00:00", "2026-03-30T06:00:00+00:00", id="and when clocks go forward, an hour less"
        ),
        pytest.param(
            "2026-10-24T12:00:00+00:00", "2026-10-26T07:00:00+00:00", id="and when they go back, an hour more"
        ),
    ],
)
def test_hours(opened: str, told: str) -> None:
    at = NOW.fromisoformat(opened)
    policy = with_steps("{after: 5m, people: [ana], channels: [sre], hours: office}", more=HOURS)
    life = Life(policy=policy, now=at).post(an_alert(at=at)).run(days=3)
    (step,) = [each.at for each in life.happenings if each.kind is K.ESCALATED]
    assert step == NOW.fromisoformat(told)


def test_hours_that_never_come_again_forget_nobody() -> None:
    past = 'hours:\n  once: {dates: ["2025-01-01"]}\n'
    life = Life(policy=with_steps("{after: 5m, people: [ana], channels: [sre], hours: once}", more=past))
    assert K.ESCALATED in life.post(an_alert()).run(minutes=5).kinds()


class TestHeldByHealing:
    def test_the_clock_stands_and_goes_on_with_what_was_left(self) -> None:
        life = Life().post(an_alert()).run(minutes=3).notice(NoticeKind.STARTED)
        life.run(minutes=4).notice(NoticeKind.DECLINED)
        life.run(minutes=1, seconds=59)
        assert K.ESCALATED not in life.kinds()
        assert K.ESCALATED in life.run(seconds=1).kinds()

    def test_the_timeline_names_the_hard_deadline(self) -> None:
        life = Life().post(an_alert()).notice(NoticeKind.STARTED, deadline_at=NOW + 4 * MINUTE)
        (held,) = [each for each in life.happenings if each.kind is K.ESCALATION_HELD]
        assert held.text == "escalation waits for restart-pod, until 10:04:00 UTC at the latest"

    def test_the_deadline_lets_it_go_on_though_healing_says_nothing(self) -> None:
        life = Life().post(an_alert()).notice(NoticeKind.STARTED, deadline_at=NOW + 4 * MINUTE)
        life.run(minutes=8, seconds=59)
        assert K.ESCALATED not in life.kinds()
        assert K.ESCALATED in life.run(seconds=1).kinds()

    def test_a_deadline_is_no_later_than_the_policy_allows(self) -> None:
        life = Life().post(an_alert()).notice(NoticeKind.STARTED, deadline_at=NOW + timedelta(days=1))
        assert life.it.healing is not None
        assert life.it.healing.deadline_at == NOW + 15 * MINUTE

    def test_a_policy_may_let_it_hold_nothing(self) -> None:
        policy = a_policy(POLICY + "healing: {hold: false}\n")
        life = Life(policy=policy).post(an_alert()).notice(NoticeKind.STARTED)
        assert K.ESCALATED in life.run(minutes=5).kinds()


class TestEscalateNow:
    def test_tells_the_next_people_at_once(self) -> None:
        life = Life().post(an_alert())
        life.wanted.clear()
        assert life.act(ActKind.ESCALATE).changed
        assert "sre card! escalated" in life.heard()
        assert life.it.escalation is not None
        assert not life.it.escalation.forced
        assert life.next_at == NOW + 10 * MINUTE

    def test_waits_for_no_healing(self) -> None:
        life = Life().post(an_alert()).notice(NoticeKind.STARTED)
        life.act(ActKind.ESCALATE)
        assert K.ESCALATED in life.kinds()

    def test_waits_for_no_hours(self) -> None:
        night = NOW + timedelta(hours=12)
        policy = with_steps("{after: 5m, people: [ana], channels: [sre], hours: office}", more=HOURS)
        life = Life(policy=policy, now=night).post(an_alert(at=night))
        life.act(ActKind.ESCALATE)
        assert K.ESCALATED in life.kinds()

    def test_takes_back_an_acknowledgement(self) -> None:
        life = Life().post(an_alert())
        life.act()
        life.act(ActKind.ESCALATE, by="ben")
        assert life.it.state is IncidentState.FIRING
        assert K.ESCALATED in life.kinds()

    def test_has_nobody_to_tell_when_everybody_was(self) -> None:
        life = Life(policy=with_steps(ANA)).post(an_alert()).run(minutes=5)
        answer = life.act(ActKind.ESCALATE)
        assert not answer.changed
        assert "everybody" in answer.text


class TestPolicyChanges:
    def test_a_policy_that_is_gone_ends_it(self) -> None:
        life = Life().post(an_alert())
        life.policy = a_policy(POLICY.replace(", escalation: up", "")).model_copy(update={"escalations": {}})
        life.run(minutes=10)
        assert K.ESCALATED not in life.kinds()
        assert life.it.escalation is None

    def test_another_that_the_route_names_takes_its_place(self) -> None:
        life = Life().post(an_alert())
        life.policy = a_policy(POLICY.replace("escalation: up", "escalation: other").replace("  up:\n", "  other:\n"))
        life.run(minutes=10)
        assert K.ESCALATED in life.kinds()

    def test_fewer_steps_do_no_harm(self) -> None:
        life = Life().post(an_alert()).run(minutes=6)
        life.policy = with_steps(ANA)
        assert K.ESCALATION_ENDED in life.run(minutes=20).kinds()

    def test_one_that_starts_without_a_policy_has_nothing_due(self) -> None:
        assert started("gone", a_policy(), now=NOW).next_at is None


STEPS = st.lists(
    st.tuples(st.integers(min_value=1, max_value=30), st.booleans(), st.booleans(), st.booleans()),
    min_size=1,
    max_size=3,
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ack", "unack", "escalate", "join", "more", *NoticeKind]),
        st.integers(min_value=0, max_value=40),
    ),
    max_size=8,
)


@tried
@given(STEPS, st.integers(min_value=0, max_value=3), EVENTS)
def test_whatever_happens_it_ends_and_nothing_is_due_for_ever(
    steps: list[tuple[int, bool, bool, bool]], repeat: int, events: list[tuple[str, int]]
) -> None:
    texts = [
        f"{{after: {after}m, people: [ana, ben], channels: [boss]"
        f"{', round_robin: true' if turns else ', ack: all' if everybody else ''}"
        f"{', hours: office' if office else ''}}}"
        for after, everybody, turns, office in steps
    ]
    life = Life(policy=with_steps(*texts, repeat=repeat, more=HOURS)).post(an_alert())
    for event, minutes in events:
        life.run(minutes=minutes)
        if event == "ack":
            life.act()
        elif event == "unack":
            life.act(ActKind.UNACKNOWLEDGE)
        elif event == "escalate":
            life.act(ActKind.ESCALATE)
        elif event == "join":
            life.post(an_alert(), numbered(1))
        elif event == "more":
            life.post(numbered(2, severity="critical"))
        else:
            life.notice(NoticeKind(event))
        assert life.next_at is None or life.next_at > life.now
    steps_told = life.run(days=30).kinds().count(K.ESCALATED)
    assert steps_told >= len(steps) * (repeat + 1) or life.it.state is IncidentState.ACKNOWLEDGED
