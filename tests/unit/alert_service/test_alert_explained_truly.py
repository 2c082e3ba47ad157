"""What explanations say is what then happens: whatever the policy, the alert and its past."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, an_alert, tried
from tests.support.alert_lives import POLICIES, STEPS, step

from alert_service.explaining.explain import Explanation, Verdict, explained
from alert_service.explaining.foresight import imagined, what_if
from alert_service.incidents.settle import Surroundings
from alert_service.policy import AlertPolicy
from alert_service.routing.routing import Routes
from alert_service.routing.wanted import DeliveryKind

A_MOMENT = timedelta(microseconds=1)
BY_TIME = """\
version: 1
channels:
  sre: {kind: slack, conversation: "#sre"}
  team: {kind: slack, conversation: "#team"}
hours:
  night: {zone: Europe/Berlin, start: "22:00", end: "06:00"}
  office: {zone: America/New_York, days: [mon, tue, wed, thu, fri], start: "09:00", end: "17:00"}
routes:
  - {name: nights, hours: night, severities: [critical], channels: [sre], escalation: up}
  - {name: shop, match: ['namespace=~"shop|pay"'], channels: [team], escalation: slowly, continue: true}
  - {name: rest, match: ['pod!~"debug.*"'], hours: office, channels: [sre]}
escalations:
  up: {steps: [{after: 0s, people: [ana], channels: [sre]}, {after: 7m, people: [ana], channels: [team]}]}
  slowly: {steps: [{after: 5m, people: [ana], channels: [sre], hours: office}]}
people:
  ana: {identity: ana@example.com}
maintenance:
  - {name: nightly, match: ['namespace="pay"'], cron: 0 2 * * *, zone: Europe/Berlin, lasts: 3h}
severities: {words: {page: critical}}
repeat: {first: 1h}
"""
ALERTS = st.fixed_dictionaries(
    {
        "alertname": st.just("A"),
        "namespace": st.sampled_from(["shop", "pay", "test"]),
        "severity": st.sampled_from(["critical", "page", "warning", "P3", "info", "none", ""]),
        "pod": st.sampled_from(["web-0", "debug"]),
    }
)
# Through both changes of the clocks in Berlin and New York.
MARCH, OCTOBER = datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)
INSTANTS = st.builds(
    lambda begin, minutes: begin + timedelta(minutes=minutes),
    st.sampled_from([MARCH, OCTOBER]),
    st.integers(min_value=0, max_value=25 * 24 * 60),
)


def why(life: Life) -> Explanation:
    return explained(life.it, life.parent, life.policy, Routes(life.policy), at=life.now)


@tried
@given(st.sampled_from([BY_TIME, POLICY]), ALERTS, INSTANTS)
def test_what_would_happen_is_what_happens(text: str, labels: dict[str, str], at: datetime) -> None:
    policy = a_policy(text)
    imagine = what_if(imagined(labels, {}, policy, at=at), Surroundings(policy=policy, routes=Routes(policy)), at=at)
    life = Life(policy=policy, now=at).post(an_alert(labels, at=at, severity=labels["severity"]))
    told = [(each.channel, each.kind, each.reason, each.loud, each.mentions) for each in life.wanted]
    assert [(each.channel, each.kind, each.reason, each.loud, each.mentions) for each in imagine.messages] == told
    kinds = {kind for _, kind, *_ in told}
    verdict = imagine.explanation.verdict
    assert (verdict is Verdict.TOLD) == (DeliveryKind.CARD in kinds)
    assert (verdict is Verdict.DIGEST) == (DeliveryKind.DIGEST in kinds)
    now = why(life)
    assert (now.verdict, now.routing.path, now.escalation, now.timers) == (
        verdict,
        imagine.explanation.routing.path,
        imagine.explanation.escalation,
        imagine.explanation.timers,
    )
    steps = [each.at for each in now.escalation]
    life.run(days=20)
    climbed = [each.at for each in life.happenings if each.kind == "escalated" and each.at > at]
    held = any(each.kind == "suppressed" for each in life.happenings)
    assert held or not steps or climbed == steps


@tried
@given(st.sampled_from([*POLICIES, a_policy(BY_TIME)]), STEPS)
def test_what_is_next_is_what_comes_next(policy: AlertPolicy, steps: list[tuple[str, int]]) -> None:
    life = Life(policy=policy).post(an_alert({**POD, "alertname": "A"}, at=NOW))
    for what, minutes in steps:
        life.run(minutes=minutes)
        step(life, what)
        due = why(life).next_action
        life.wanted.clear()
        count = len(life.happenings)
        if due is None:
            life.run(days=3)
            assert len(life.happenings) == count
            continue
        assert due.at > life.now
        before = due.at - A_MOMENT - life.now
        life.run(seconds=before.total_seconds())
        assert len(life.happenings) == count
        life.run(seconds=2e-6)
        assert len(life.happenings) > count
