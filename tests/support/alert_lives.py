"""What may happen to an incident, one thing after the other, for tests of what holds whatever happens."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from tests.support.alert_incidents import POD, POLICY, Life, a_policy, an_alert, numbered, opened, over

from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import IncidentState
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
