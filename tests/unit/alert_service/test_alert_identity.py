"""What an alert is about, and what it is known by; health events and healing's notices as alerts."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, Life, a_notice, a_policy, an_alert, opened, tried

from alert_service.incidents.alert import AlertSeverity, AlertStatus, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import HappeningKind
from alert_service.incidents.notices import NEEDS_PEOPLE, healing_of, joined, noticed, post_of
from alert_service.incidents.posts import received
from alert_service.incidents.subjects import labels_of, subject_of
from alert_service.intake.health import post_of_event
from common.contracts import Change, HealthEvent
from common.contracts.healing import NoticeKind
from common.contracts.health import EVENT_TYPE_PREFIX
from common.contracts.objects import ObjectKey, ObjectRef

MINUTE = timedelta(minutes=1)
POD_KEY = ObjectKey("Pod", "shop", "web-0")


@pytest.mark.parametrize(
    ("labels", "fingerprint"),
    [
        pytest.param({"alertname": "alert1", "severity": "critical"}, "0223b772b51c29e1", id="of Alertmanager's tests"),
        pytest.param(
            {"name": "garland, briggs", "fear": "love is not enough"}, "507a62d79ee76c9a", id="of Prometheus's tests"
        ),
        pytest.param({}, "cbf29ce484222325", id="of no labels"),
    ],
)
def test_fingerprints_are_those_of_prometheus(labels: dict[str, str], fingerprint: str) -> None:
    assert fingerprint_of(labels) == fingerprint


@tried
@given(st.dictionaries(st.text(), st.text()))
def test_fingerprints_do_not_depend_on_the_order(labels: dict[str, str]) -> None:
    assert fingerprint_of(dict(reversed(labels.items()))) == fingerprint_of(labels)


@pytest.mark.parametrize(
    ("labels", "kind", "name"),
    [
        ({"namespace": "shop", "pod": "web-0", "node": "n", "deployment": "web"}, "Pod", "web-0"),
        ({"namespace": "shop", "deployment": "web", "node": "n"}, "Deployment", "web"),
        ({"namespace": "shop", "node": "n"}, "Node", "n"),
        ({"namespace": "shop", "persistentvolumeclaim": "data"}, "PersistentVolumeClaim", "data"),
        ({"persistentvolume": "pv"}, "PersistentVolume", "pv"),
        ({"object_kind": "Ingress", "object_name": "web", "namespace": "shop"}, "Ingress", "web"),
    ],
)
def test_subjects(labels: dict[str, str], kind: str, name: str) -> None:
    found = subject_of(labels)
    assert found is not None
    assert (found.kind, found.name) == (kind, name)


@pytest.mark.parametrize("labels", [{}, {"namespace": "shop"}, {"pod": "web-0"}, {"pod": "", "namespace": "shop"}])
def test_no_subject(labels: dict[str, str]) -> None:
    assert subject_of(labels) is None


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@tried
@given(st.sampled_from(["Pod", "Deployment", "Job", "Ingress", "StatefulSet"]), NAMES, NAMES)
def test_the_labels_of_an_object_lead_back_to_it(kind: str, namespace: str, name: str) -> None:
    ref = ObjectRef(kind=kind, namespace=namespace, name=name)
    assert subject_of(labels_of(ref)) == ref


@pytest.mark.parametrize("kind", ["Node", "Zone", "PersistentVolume", "Cluster"])
def test_what_is_in_no_namespace_leads_back_too(kind: str) -> None:
    ref = ObjectRef(kind=kind, namespace="", name="n")
    assert subject_of(labels_of(ref)) == ref


def an_event(change: Change = Change.OPENED, **fields: object) -> HealthEvent:
    finding = {
        "code": "pod-crash-loop",
        "object": {"kind": "Pod", "namespace": "shop", "name": "web-0"},
        "severity": "critical",
        "message": "web-0 crashes",
        "evidence": {"restarts": 5},
        "since": NOW.isoformat(),
        **fields,
    }
    return HealthEvent.model_validate(
        {
            "specversion": "1.0",
            "id": "1",
            "source": "/clusters/prod",
            "type": f"{EVENT_TYPE_PREFIX}.{change}",
            "cursor": 1,
            "subject": "Pod/shop/web-0",
            "time": NOW.isoformat(),
            "data": {"change": change, "finding": finding, "detected_at": (NOW + MINUTE).isoformat()},
        }
    )


class TestNotices:
    @pytest.mark.parametrize("kind", list(NoticeKind))
    def test_as_alerts(self, kind: NoticeKind) -> None:
        post = post_of(a_notice(kind, cluster="prod"))
        firing = {each.name: each.status is AlertStatus.FIRING for each in post.alerts}
        expected = {"HealingNeedsApproval": kind is NoticeKind.APPROVAL_WANTED}
        if kind.bad or kind is NoticeKind.HEALED:
            expected["HealingFailed"] = kind.bad
        assert firing == expected
        assert post.source is Source.HEALING
        assert all(subject_of(each.labels) == a_notice().subject for each in post.alerts)

    def life(self, *kinds: NoticeKind) -> Life:
        life = Life()
        for kind in kinds:
            notice = a_notice(kind, at=life.now)
            life.post(*post_of(notice).alerts, source=Source.HEALING)
            life.after(minutes=1)
        return life

    @pytest.mark.parametrize(
        ("kinds", "is_open"),
        [
            ((NoticeKind.APPROVAL_WANTED, NoticeKind.STARTED), False),
            ((NoticeKind.APPROVAL_WANTED, NoticeKind.DECLINED), False),
            ((NoticeKind.FAILED, NoticeKind.UNDONE), True),
            ((NoticeKind.FAILED, NoticeKind.DECLINED), True),
            ((NoticeKind.FAILED, NoticeKind.STARTED), True),
            ((NoticeKind.FAILED, NoticeKind.STARTED, NoticeKind.HEALED), False),
            ((NoticeKind.HUMAN_NEEDED,), True),
        ],
    )
    def test_an_incident_of_their_own_is_open_while_people_are_needed(
        self, kinds: tuple[NoticeKind, ...], is_open: bool
    ) -> None:
        assert self.life(*kinds).it.open is is_open

    @pytest.mark.parametrize("kind", sorted(set(NoticeKind) - NEEDS_PEOPLE - {NoticeKind.UNDONE}))
    def test_what_needs_nobody_opens_none(self, kind: NoticeKind) -> None:
        assert self.life(kind).incident is None

    def test_that_no_person_answers_is_critical(self) -> None:
        assert self.life(NoticeKind.HUMAN_NEEDED).it.severity is AlertSeverity.CRITICAL

    @pytest.mark.parametrize("kind", list(NoticeKind))
    def test_told_twice_are_told_once(self, kind: NoticeKind) -> None:
        once = noticed(opened(), a_notice(kind), a_policy(), now=NOW)
        assert once.happenings
        assert not noticed(once.incident, a_notice(kind), a_policy(), now=NOW + MINUTE).happenings

    def test_healing_that_began_before_the_incident_joins_it_while_it_works(self) -> None:
        told = healing_of(a_notice(NoticeKind.STARTED), a_policy(), now=NOW)
        assert joined(opened(), {POD_KEY: told}, now=NOW + MINUTE).has(HappeningKind.HEALING)
        assert not joined(opened(), {POD_KEY: told}, now=NOW + timedelta(hours=1)).happenings

    def test_healing_that_ended_before_joins_nothing(self) -> None:
        told = healing_of(a_notice(NoticeKind.DECLINED), a_policy(), now=NOW)
        assert not joined(opened(), {POD_KEY: told}, now=NOW).happenings

    def test_a_deadline_that_has_passed_holds_nothing(self) -> None:
        told = healing_of(a_notice(NoticeKind.STARTED, deadline_at=NOW - MINUTE), a_policy(), now=NOW)
        assert told.deadline_at is None

    @tried
    @given(st.lists(st.tuples(st.sampled_from(NoticeKind), st.integers(min_value=0, max_value=20)), max_size=12))
    def test_no_run_of_notices_holds_people_back_beyond_the_policy(self, told: list[tuple[NoticeKind, int]]) -> None:
        incident, now, began = opened(), NOW, None
        most = a_policy().healing.hold_at_most + incident.source.ends_within
        for kind, minutes in told:
            now += minutes * MINUTE
            incident = noticed(incident, a_notice(kind, at=now, run_id=uuid4()), a_policy(), now=now).incident
            if began is None and kind in (NoticeKind.STARTED, NoticeKind.HEALED):
                began = now
            if incident.healing is not None and incident.healing.deadline_at is not None:
                assert began is not None
                assert incident.healing.deadline_at <= began + most


class TestHealthEvents:
    def test_as_alerts(self) -> None:
        post = post_of_event(an_event())
        (alert,) = post.alerts
        assert alert.labels == {
            "alertname": "pod-crash-loop",
            "cluster": "prod",
            "namespace": "shop",
            "pod": "web-0",
            "severity": "critical",
        }
        assert alert.annotations == {"summary": "web-0 crashes", "restarts": "5"}
        assert (alert.starts_at, alert.ends_at, post.group_key) == (NOW, None, "prod/shop/pod-crash-loop")

    def test_are_the_same_alert_when_their_severity_changes(self) -> None:
        one, other = an_event(), an_event(Change.CHANGED, severity="warning")
        assert post_of_event(one).alerts[0].fingerprint == post_of_event(other).alerts[0].fingerprint

    def test_of_two_parts_are_two_alerts(self) -> None:
        one, other = an_event(part="web"), an_event(part="sidecar")
        assert post_of_event(one).alerts[0].fingerprint != post_of_event(other).alerts[0].fingerprint

    def test_a_pod_is_told_with_its_node_which_may_explain_it(self) -> None:
        told = post_of_event(an_event(evidence={"node": "n1"})).alerts[0]
        assert told.labels["node"] == "n1"
        assert told.fingerprint == post_of_event(an_event()).alerts[0].fingerprint

    def test_of_a_namespace_that_names_a_channel_reach_it(self) -> None:
        told = post_of_event(an_event(evidence={a_policy().namespace_annotation: "team"})).alerts[0]
        assert Life().post(told).heard() == ["sre card! opened", "team card! opened"]

    def test_that_resolve_close_the_incident(self) -> None:
        life = Life()
        for change in (Change.OPENED, Change.RESOLVED):
            post = post_of_event(an_event(change))
            done = received(life.incident, post, life.policy, now=life.now, new_id=life.new_id)
            assert done is not None
            life.settle(life.incident, done)
        assert not life.it.open

    def test_of_a_raised_severity_reopen_what_was_acknowledged_by_an_earlier_card(self) -> None:
        life = Life().post(*post_of_event(an_event(severity="warning")).alerts)
        shown = life.it.revision
        life.post(*post_of_event(an_event(severity="critical")).alerts)
        answer = life.act(revision=shown)
        assert not answer.changed
        assert life.act(revision=life.it.revision).changed


def test_an_alert_knows_its_episode() -> None:
    alert = an_alert()
    assert alert.episode == (alert.fingerprint, NOW)
    assert alert.name == "KubePodCrashLooping"
