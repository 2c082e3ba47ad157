"""Whatever happens to an incident, in whatever order, some things always hold."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, an_alert, numbered, opened, over, tried

from alert_service.acts import ActKind
from alert_service.incident import HappeningKind, IncidentState, SuppressionReason
from alert_service.policy import AlertPolicy
from alert_service.wanted import DeliveryKind, NotifyReason
from common.contracts.healing import NoticeKind

MORE = """\
hours:
  office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}
maintenance:
  - {name: patches, match: ['namespace="shop"'], cron: 30 12 * * *, lasts: 45m}
repeat: {first: 1h, factor: 2, longest: 6h}
"""
POLICIES = [
    a_policy(),
    a_policy(POLICY + MORE),
    a_policy(POLICY.replace("routes:\n", "routes:\n  - {name: day, hours: office, channels: [team]}\n") + MORE),
]
URGENT = {NotifyReason.APPROVAL_WANTED, NotifyReason.HEALING_FAILED}

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["fire", "more", "worse", "info", "end", "ends", "storm", "calm", "child", "orphan", *ActKind, *NoticeKind]
        ),
        st.integers(min_value=0, max_value=90),
    ),
    max_size=14,
)


def step(life: Life, what: str) -> None:
    now = life.now
    if what == "fire":
        life.post(an_alert(at=now))
    elif what in ("more", "worse", "info"):
        severity = {"more": "warning", "worse": "critical", "info": "info"}[what]
        life.post(numbered(ord(what[0]), at=now, severity=severity))
    elif what == "end":
        life.post(*(over(each.alert, now) for each in life.it.firing[:1]))
    elif what == "ends":
        life.post(*(over(each.alert, now) for each in life.it.firing))
    elif what in ("storm", "calm"):
        life.storming = lambda channel, incident: what == "storm" and not incident.channels
    elif what == "child":
        node = opened(an_alert({"alertname": "NodeDown", "node": "n"}, severity="critical"), channels=("sre",))
        life.near = [replace(node, opened_at=life.it.opened_at)]
        life.parent = life.near[0] if life.it.parent_id else None
        life.post(numbered(0, at=now), an_alert({**POD, "node": "n"}, at=now))
    elif what == "orphan" and life.parent is not None:
        life.parent = replace(life.parent, state=IncidentState.RESOLVED, resolved_at=now)
        life.settle_again()
    elif what in set(ActKind):
        life.act(ActKind(what), duration=timedelta(hours=1))
    elif what in set(NoticeKind):
        life.notice(NoticeKind(what))


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
