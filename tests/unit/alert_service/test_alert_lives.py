"""Whatever happens to an incident, in whatever order, some things always hold."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, Life, an_alert, over, tried
from tests.support.alert_lives import POLICIES, STEPS, step

from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import HappeningKind, SuppressionReason
from alert_service.policy import AlertPolicy
from alert_service.routing.wanted import DeliveryKind, NotifyReason

URGENT = {NotifyReason.APPROVAL_WANTED, NotifyReason.HEALING_FAILED}


@tried
@given(st.sampled_from(POLICIES), STEPS)
def test_of_any_life(policy: AlertPolicy, steps: list[tuple[str, int]]) -> None:
    life = Life(policy=policy).post(an_alert())
    for what, minutes in steps:
        life.run(minutes=minutes)  # which fails where something is due again and again
        held = life.it.suppression is not None and life.it.open
        life.wanted.clear()
        step(life, what)
        assert life.next_at is None or life.next_at > life.now
        assert life.it.open or life.next_at is None
        if held and life.it.suppression is not None and what != ActKind.ESCALATE:
            assert not [each for each in life.wanted if each.loud and each.reason not in URGENT]
        if life.it.open and life.next_at is None:
            # Nothing happens by itself only where somebody or something else has to act.
            assert life.it.suppression is not None or not life.it.firing or not life.it.notified_at
    ends_where_it_was_told(life)


def ends_where_it_was_told(life: Life) -> None:
    """Every channel that has its card shows that it is over."""
    life.run(minutes=1)
    if not life.it.open:
        return
    told = set(life.it.channels)
    life.wanted.clear()
    life.post(*(over(each.alert, life.now) for each in life.it.firing))
    assert not life.it.open
    shown = {each.channel for each in life.wanted if each.kind is DeliveryKind.CARD and each.incident_id == life.it.id}
    assert shown == told


@tried
@given(STEPS)
def test_a_card_rises_with_every_line_of_the_timeline(steps: list[tuple[str, int]]) -> None:
    life = Life().post(an_alert())
    for what, minutes in steps:
        life.run(minutes=minutes)
        revision, lines = life.it.revision, len(life.happenings)
        step(life, what)
        new = [each for each in life.happenings[lines:] if each.kind is not HappeningKind.CLICK_REFUSED]
        another = any(each.kind is HappeningKind.OPENED for each in new)
        assert life.it.revision > revision or another or not new


def test_a_storm_that_hides_it_lets_it_end_quietly() -> None:
    life = Life(storming=lambda channel, incident: True).post(an_alert())
    assert life.it.suppression is not None
    assert life.it.suppression.reason is SuppressionReason.STORM
    assert life.post(over(an_alert(), NOW)).heard() == []


@tried
@given(st.sampled_from(POLICIES), STEPS, st.integers(min_value=1, max_value=600))
def test_after_an_outage_what_was_due_is_told_once(
    policy: AlertPolicy, steps: list[tuple[str, int]], minutes: int
) -> None:
    life = Life(policy=policy).post(an_alert())
    for what, before in steps:
        life.run(minutes=before)
        step(life, what)
    life.after(minutes=minutes)  # nobody looks
    life.heard()
    calls = [line for line in life.tick().heard() if "card!" in line]
    assert len(calls) == len(set(calls))
    assert life.next_at is None or life.next_at > life.now
    assert life.tick().heard() == []
