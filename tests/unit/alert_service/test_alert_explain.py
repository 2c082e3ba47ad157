"""What explanations say: who is told, why not, and what comes next; and what inhibits what."""

from datetime import datetime, timedelta

import pytest
from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, an_alert, opened

from alert_service.explaining.explain import _TEXTS, Explanation, Verdict, explained
from alert_service.explaining.foresight import Foresight, imagined, what_if
from alert_service.incidents.incident import SuppressionReason
from alert_service.incidents.settle import Surroundings
from alert_service.incidents.timers import TimerKind
from alert_service.policy import AlertPolicy
from alert_service.reconciling.inhibition import inhibit_rules
from alert_service.routing.routing import RouteReason, Routes
from common.contracts.healing import NoticeKind

MINUTE = timedelta(minutes=1)
SUNDAY_AT_3 = datetime.fromisoformat("2026-03-08T03:00:00+01:00")
OFFICE = 'hours:\n  office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}\n'
PATCHES = (
    "maintenance: [{name: patches, match: ['namespace=\"shop\"'], cron: 0 2 * * sun, zone: Europe/Berlin, lasts: 2h}]\n"
)


def why(life: Life) -> Explanation:
    return explained(life.it, life.parent, life.policy, Routes(life.policy), at=life.now)


def foreseen(labels: dict[str, str], policy: AlertPolicy, *, at: datetime = NOW, **annotations: str) -> Foresight:
    return what_if(
        imagined(labels, annotations, policy, at=at), Surroundings(policy=policy, routes=Routes(policy)), at=at
    )


def acked() -> Life:
    life = Life().post(an_alert()).after(minutes=2)
    life.act()
    return life.after(minutes=3)


@pytest.mark.parametrize(
    ("life", "verdict", "summary"),
    [
        pytest.param(
            Life().post(an_alert()),
            Verdict.TOLD,
            "Told on sre by route all. Next, at 2026-03-02 10:05:00 UTC: step 1 of the escalation tells Ana.",
            id="told, with who is told next",
        ),
        pytest.param(
            acked(),
            Verdict.ACKNOWLEDGED,
            "Ana acknowledged it 3 min ago. Next, at 2026-03-02 11:02:00 UTC: whoever acknowledged it is reminded.",
            id="acknowledged",
        ),
        pytest.param(
            Life().post(an_alert()).after(minutes=1).post(an_alert(ended=NOW + MINUTE)).after(minutes=4),
            Verdict.RESOLVED,
            "Resolved 4 min ago.",
            id="resolved",
        ),
        pytest.param(
            Life().post(an_alert(severity="none")),
            Verdict.PLUMBING,
            "Nobody is told: the severity none is told nobody.",
            id="plumbing",
        ),
        pytest.param(
            Life().post(an_alert(severity="info")),
            Verdict.DIGEST,
            "Told in the next digest of sre by route all.",
            id="digest",
        ),
        pytest.param(
            Life(policy=a_policy("version: 1\n")).post(an_alert()),
            Verdict.NO_ROUTE,
            "Nobody is told: no route that matches names a channel.",
            id="no route",
        ),
        pytest.param(
            Life().post(an_alert()).notice(NoticeKind.STARTED, deadline_at=NOW + 4 * MINUTE),
            Verdict.SUPPRESSED,
            "Nobody is told: restart-pod is at work. Next, at 2026-03-02 10:04:00 UTC: healing has had its time, "
            "and holds nothing back any more.",
            id="held back",
        ),
    ],
)
def test_verdicts(life: Life, verdict: Verdict, summary: str) -> None:
    found = why(life)
    assert (found.verdict, found.summary) == (verdict, summary)


def test_all_there_is_to_an_incident() -> None:
    life = Life().post(an_alert(), truncated=2, receiver="sre").after(minutes=1)
    found = why(life)
    assert [(each.route, each.reason) for each in found.routing.path] == [("all", RouteReason.TAKEN)]
    assert (found.routing.channels, found.routing.escalation, found.routing.told) == (("sre",), "up", ("sre",))
    assert (found.grouping.alerts, found.grouping.firing, found.grouping.truncated) == (1, 1, 2)
    assert [(each.step, each.at - NOW, each.people) for each in found.escalation] == [
        (1, 5 * MINUTE, ("ana",)),
        (2, 15 * MINUTE, ("ana", "ben")),
        (1, 20 * MINUTE, ("ana",)),
        (2, 30 * MINUTE, ("ana", "ben")),
    ]
    assert [each.kind for each in found.timers] == [TimerKind.ESCALATION, TimerKind.REPEAT]
    assert found.correlation is None


def test_what_is_foreseen_is_what_happens() -> None:
    life = Life().post(an_alert())
    steps = [each.at for each in why(life).escalation]
    life.run(days=1)
    assert [each.at for each in life.happenings if each.kind == "escalated"] == steps


def test_every_timer_has_its_words() -> None:
    assert set(_TEXTS) == set(TimerKind)


def test_a_child_names_its_parent() -> None:
    node = opened(an_alert({"alertname": "NodeDown", "node": "n"}, severity="critical"), channels=("sre",))
    life = Life(near=[node]).post(an_alert({**POD, "node": "n"}))
    life.parent = node
    found = why(life)
    assert found.correlation is not None
    assert (found.correlation.parent_id, found.correlation.title) == (node.id, "NodeDown: n")
    assert found.summary.startswith("Nobody is told: it belongs to NodeDown: n, and is told with it.")
    assert found.verdict is Verdict.SUPPRESSED


class TestSundayAtThree:
    """The question of the one who is on call."""

    POLICY = (
        POLICY.replace(
            "routes:\n", "routes:\n  - {name: day, hours: office, match: ['namespace=\"shop\"'], channels: [team]}\n"
        )
        + OFFICE
    )

    def test_tells_whoever_is_told_then(self) -> None:
        found = foreseen({**POD, "severity": "critical"}, a_policy(self.POLICY), at=SUNDAY_AT_3)
        assert [(each.route, each.reason) for each in found.explanation.routing.path] == [
            ("day", RouteReason.HOURS),
            ("all", RouteReason.TAKEN),
        ]
        assert [(each.channel, each.kind, each.loud) for each in found.messages] == [("sre", "card", True)]
        assert found.explanation.incident_id is None
        assert found.explanation.next_action is not None
        assert found.explanation.next_action.at == SUNDAY_AT_3 + 5 * MINUTE

    def test_names_the_window_that_keeps_it_quiet(self) -> None:
        found = foreseen(POD, a_policy(self.POLICY + PATCHES), at=SUNDAY_AT_3)
        assert found.messages == []
        assert found.explanation.verdict is Verdict.SUPPRESSED
        assert found.explanation.suppression is not None
        assert found.explanation.suppression.reason is SuppressionReason.MAINTENANCE

    def test_waits_with_a_step_for_its_hours(self) -> None:
        policy = a_policy(
            self.POLICY.replace("{after: 5m, people: [ana],", "{after: 5m, hours: office, people: [ana],")
        )
        found = foreseen({**POD, "namespace": "pay"}, policy, at=SUNDAY_AT_3)
        assert found.explanation.escalation[0].at == datetime.fromisoformat("2026-03-09T08:00:00+01:00")

    def test_of_an_annotation_names_its_channel_too(self) -> None:
        found = foreseen(POD, a_policy(self.POLICY), at=SUNDAY_AT_3, k8s_health_checker_channel="boss")
        assert found.explanation.routing.channels == ("sre", "boss")


def test_an_imagined_alert_has_the_fingerprint_that_a_real_one_would_have() -> None:
    assert foreseen({"alertname": "alert1", "severity": "critical"}, a_policy()).fingerprint == "0223b772b51c29e1"


RULES = """\
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity=~"warning|info"']
    equal: [namespace, alertname]
  - name: node
    source_matchers: ['{alertname="NodeDown", severity="critical"}']
    target_matchers: ['pod!=""']
    equal: [node]
  - source_match: {severity: critical}
    target_match_re: {team: "a|b"}
"""


@pytest.mark.parametrize(
    ("labels", "asked"),
    [
        pytest.param(
            {"alertname": "A", "namespace": "shop", "severity": "warning"},
            [("inhibit_rules[0]", ['severity="critical"', 'namespace="shop"', 'alertname="A"'])],
            id="a warning beside its critical sister",
        ),
        pytest.param(
            {"alertname": "A", "pod": "web-0", "node": "n", "severity": "critical"},
            [("node", ['alertname="NodeDown"', 'severity="critical"', 'node="n"'])],
            id="a pod of a node that is down",
        ),
        pytest.param(
            {"alertname": "A", "pod": "web-0", "severity": "critical"},
            [("node", ['alertname="NodeDown"', 'severity="critical"', 'node=""'])],
            id="a label that both lack is equal",
        ),
        pytest.param(
            {"team": "b", "severity": "x"}, [("inhibit_rules[2]", ['severity="critical"'])], id="matchers of old"
        ),
        pytest.param({"alertname": "A", "severity": "critical"}, [], id="what no rule is about"),
    ],
)
def test_inhibition(labels: dict[str, str], asked: list[tuple[str, list[str]]]) -> None:
    found = [(rule.name, rule.inhibitors_of(labels)) for rule in inhibit_rules(RULES)]
    assert [(name, [str(each) for each in sources]) for name, sources in found if sources is not None] == asked


@pytest.mark.parametrize("text", ["", "route: {}", "inhibit_rules:"])
def test_a_configuration_without_inhibition(text: str) -> None:
    assert inhibit_rules(text) == ()


@pytest.mark.parametrize("text", ["[", "- a", "inhibit_rules: [a]", "inhibit_rules: [{source_matchers: [x]}]"])
def test_a_configuration_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|must be a matcher"):
        inhibit_rules(text)
