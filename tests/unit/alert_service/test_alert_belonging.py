"""Which incidents belong together, what keeps people from being told, and that it keeps none who are concerned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, a_post, an_alert, opened, over, tried

from alert_service.incidents.acts import ActKind
from alert_service.incidents.alert import Source
from alert_service.incidents.incident import HappeningKind, Incident, IncidentState, Suppression, SuppressionReason
from alert_service.incidents.posts import received
from alert_service.policy.suppression import MaintenancePart, Tie
from alert_service.routing.correlation import explainers_of, keys_of, parent_of, workloads_of
from alert_service.routing.suppression import lifted, open_until
from common.contracts.healing import NoticeKind

K, R = HappeningKind, SuppressionReason
MINUTE = timedelta(minutes=1)
NODE = {"alertname": "KubeNodeNotReady", "node": "node-7"}
ON_NODE = {**POD, "node": "node-7"}


def about(labels: dict[str, str], *, minute: float = 0, severity: str = "warning", **fields: object) -> Incident:
    at = NOW + minute * MINUTE
    return opened(an_alert(labels, severity=severity, at=at), now=at, **fields)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        pytest.param(ON_NODE, NODE, id="a pod of a dead node"),
        pytest.param(
            {"alertname": "A", "node": "n", "zone": "eu-1a"},
            {"alertname": "ZoneDown", "zone": "eu-1a"},
            id="a node of a lost zone",
        ),
        pytest.param(
            {**POD, "pod": "web-7d4b9c8f6d-x2x9z"},
            {"alertname": "RolloutStuck", "namespace": "shop", "deployment": "web"},
            id="a pod of a broken deployment, by its name",
        ),
        pytest.param(
            POD, {"alertname": "NotReady", "namespace": "shop", "statefulset": "web"}, id="a pod of a stateful set"
        ),
        pytest.param(
            {**POD, "created_by_name": "web-abc"},
            {"alertname": "Replicas", "namespace": "shop", "replicaset": "web-abc", "created_by_name": "web-abc"},
            id="what an owner explains",
        ),
        pytest.param(
            {**POD, "pod": "web-1"}, {**POD, "alertname": "Slow", "pod": "web-2"}, id="two pods of one workload"
        ),
        pytest.param(POD, {**POD, "alertname": "KubePodNotReady"}, id="two alerts about one pod"),
        pytest.param(
            {**POD, "pod": "debug"}, {**POD, "alertname": "Slow", "pod": "debug"}, id="two about a pod of no workload"
        ),
        pytest.param(
            {"alertname": "A", "namespace": "shop", "persistentvolumeclaim": "data"},
            {"alertname": "B", "namespace": "shop", "persistentvolumeclaim": "data"},
            id="two about a claim",
        ),
        pytest.param({**ON_NODE, "cluster": "prod"}, NODE, id="where only one of them names its cluster"),
    ],
)
def test_belongs_to(child: dict[str, str], parent: dict[str, str]) -> None:
    one, other = about(child, minute=1), about(parent)
    found = parent_of(one, [other], a_policy())
    assert found is not None
    assert found.incident == other
    assert parent_of(other, [one], a_policy()) is None


@pytest.mark.parametrize(
    ("child", "other"),
    [
        pytest.param(ON_NODE, {**NODE, "node": "node-8"}, id="another node"),
        pytest.param({**ON_NODE, "cluster": "eu"}, {**NODE, "cluster": "us"}, id="a node of another cluster"),
        pytest.param(
            {**ON_NODE, "namespace": "pay", "pod": "db-0"}, ON_NODE, id="a pod that happens to run on the same node"
        ),
        pytest.param(POD, {**POD, "namespace": "pay"}, id="a pod of the same name in another namespace"),
        pytest.param({**POD, "pod": "shop-db-0"}, {**POD, "pod": "shop-api-0"}, id="workloads whose names begin alike"),
        pytest.param({"alertname": "A"}, {"alertname": "B"}, id="what is about nothing"),
        pytest.param(
            {"alertname": "A", "object_kind": "Cluster", "object_name": ""},
            {"alertname": "B", "object_kind": "Cluster", "object_name": ""},
            id="two troubles of a whole cluster",
        ),
        pytest.param(
            {"alertname": "A", "node": "", "pod": "", "namespace": "shop", "owner_name": ""},
            {"alertname": "B", "node": "", "pod": "", "namespace": "shop", "owner_name": ""},
            id="what has the same labels, and all of them empty",
        ),
        pytest.param(
            {**POD, "cluster": "eu", "pod": "web-1"},
            {**POD, "cluster": "us", "pod": "web-1"},
            id="namesakes in clusters",
        ),
    ],
)
def test_does_not_belong_to(child: dict[str, str], other: dict[str, str]) -> None:
    assert parent_of(about(child, minute=1), [about(other)], a_policy()) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": IncidentState.RESOLVED}, "is over"),
        ({"parent_id": UUID(int=1)}, "has a parent itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_parent_is_what(fields: dict[str, object], why: str) -> None:
    assert parent_of(about(ON_NODE), [replace(about(NODE), **fields)], a_policy()) is None


@pytest.mark.parametrize(
    ("began", "heard", "near"),
    [
        pytest.param(0, 29, True, id="a rule fires after its quarter of an hour"),
        pytest.param(-60, 0, True, id="it began long ago, and is only heard of now"),
        pytest.param(31, 31, False, id="it began much later"),
    ],
)
def test_what_is_near_in_time(began: float, heard: float, near: bool) -> None:
    """To a node that is lost at NOW."""
    pod = opened(an_alert(ON_NODE, at=NOW + began * MINUTE), now=NOW + heard * MINUTE)
    assert (parent_of(pod, [about(NODE)], a_policy()) is not None) is near


def test_a_node_that_joins_an_old_incident_explains_its_pods() -> None:
    policy = a_policy()
    old = about({**NODE, "node": "node-1"})
    joined = a_post(an_alert(NODE, at=NOW + 180 * MINUTE))
    both = received(old, joined, policy, now=NOW + 180 * MINUTE, new_id=old.id)
    assert both is not None
    pods = {node: about({**POD, "node": node}, minute=185) for node in ("node-1", "node-7")}
    assert parent_of(pods["node-7"], [both.incident], policy) is not None
    assert parent_of(pods["node-1"], [both.incident], policy) is None


def test_of_several_the_one_that_explains_most_is_the_parent() -> None:
    zone = about({"alertname": "ZoneDown", "zone": "a"}, minute=2)
    node = about({**NODE, "zone": "a"})
    found = parent_of(about({**ON_NODE, "zone": "a"}, minute=3), [node, zone], a_policy())
    assert found is not None
    assert found.incident == zone


PLACES = st.fixed_dictionaries(
    {"alertname": st.just("A")},
    optional={
        "node": st.sampled_from(["n1", "n2"]),
        "zone": st.sampled_from(["a", "b"]),
        "namespace": st.just("shop"),
        "pod": st.sampled_from(["web-0", "web-1"]),
        "deployment": st.just("web"),
    },
)


@tried
@given(st.lists(st.tuples(PLACES, st.integers(min_value=0, max_value=2)), min_size=2, max_size=6))
def test_no_incident_becomes_its_own_ancestor(places: list[tuple[dict[str, str], int]]) -> None:
    policy = a_policy()
    known = {each.id: each for each in (about(labels, minute=minute) for labels, minute in places)}
    for _ in range(2):  # in whatever order they are looked at
        for id_, incident in list(known.items()):
            others = [each for each in known.values() if each.id != id_]
            found = None if incident.parent_id else parent_of(incident, others, policy)
            if found is not None:
                known[id_] = replace(incident, parent_id=found.incident.id)
    for incident in known.values():
        seen = set()
        at: Incident | None = incident
        while at is not None and at.parent_id is not None:
            assert at.id not in seen
            seen.add(at.id)
            at = known[at.parent_id]


@pytest.mark.parametrize(
    ("pod", "workloads"),
    [
        pytest.param("web-7d4b9c8f6d-x2x9z", ("web-7d4b9c8f6d", "web"), id="of a deployment"),
        pytest.param("web-0", ("web",), id="of a stateful set"),
        pytest.param("shop-db-0", ("shop-db",), id="of a stateful set whose name has parts"),
        pytest.param("kube-proxy-x2x9z", ("kube-proxy",), id="of a daemon set"),
        pytest.param("backup-29123456-x2x9z", ("backup-29123456", "backup"), id="of a cron job"),
        pytest.param("web", (), id="of nothing"),
        pytest.param("my-pod", (), id="that somebody named"),
    ],
)
def test_workloads_of_a_pod(pod: str, workloads: tuple[str, ...]) -> None:
    assert workloads_of(pod) == workloads


@pytest.mark.parametrize("tie", list(Tie))
def test_every_tie_is_found_in_labels(tie: Tie) -> None:
    labels = {**POD, "node": "n", "zone": "z", "deployment": "web", "owner_name": "web", "cluster": "prod"}
    assert tie in {found for found, _ in keys_of(about(labels))}


class TestChildren:
    def family(self, **parent: object) -> Life:
        """A pod's incident a minute after its node's, which is told on the same channel."""
        return Life(now=NOW + MINUTE, near=[about(NODE, severity="critical", channels=("sre",), **parent)])

    def born(self, **parent: object) -> Life:
        life = self.family(**parent).post(an_alert(ON_NODE))
        life.parent = life.near[0]
        return life

    def test_are_told_with_their_parent(self) -> None:
        life = self.born()
        assert life.heard() == []
        assert life.it.suppression is not None
        assert (life.it.suppression.reason, life.it.parent_id) == (R.PARENT, life.near[0].id)
        assert life.kinds() == [K.OPENED, K.CORRELATED, K.SUPPRESSED]

    def test_bring_their_parents_card_up_to_date(self) -> None:
        life = self.born()
        (card,) = life.wanted
        assert (card.incident_id, card.channel, card.quiet) == (life.near[0].id, "sre", True)

    def test_escalate_nothing(self) -> None:
        assert K.ESCALATED not in self.born().run(hours=2).kinds()

    def test_are_told_where_nobody_hears_of_the_parent(self) -> None:
        policy = a_policy(POLICY.replace("routes:\n", 'routes:\n  - {name: t, match: [pod!=""], channels: [team]}\n'))
        life = self.family()
        life.policy = policy
        assert life.post(an_alert(ON_NODE)).heard() == ["team card! opened"]

    def test_are_told_when_they_are_worse_than_their_parent(self) -> None:
        life = Life(near=[about(NODE, channels=("sre",))]).post(an_alert(ON_NODE, severity="critical"))
        assert "sre card! opened" in life.heard()

    def test_that_become_worse_are_told_then(self) -> None:
        life = Life(near=[about(NODE, channels=("sre",))]).post(an_alert(ON_NODE))
        life.parent = life.near[0]
        life.heard()
        life.post(an_alert({**ON_NODE, "pod": "web-1"}, severity="critical"))
        assert "sre card! severity_raised" in life.heard()

    def test_of_what_is_held_back_itself_are_held_back_on_every_channel(self) -> None:
        held = Suppression(reason=R.MAINTENANCE, detail="", since=NOW, until=NOW + timedelta(hours=1))
        policy = a_policy(POLICY.replace("routes:\n", 'routes:\n  - {name: t, match: [pod!=""], channels: [team]}\n'))
        life = self.family(suppression=held)
        life.policy = policy
        assert life.post(an_alert(ON_NODE)).heard() == []
        life.parent = replace(life.near[0], suppression=None)
        assert life.settle_again().heard() == ["team card! unsuppressed"]

    def test_that_still_fire_some_minutes_after_their_parent_are_told(self) -> None:
        life = self.born()
        life.heard()
        life.parent = replace(life.near[0], state=IncidentState.RESOLVED, resolved_at=life.now)
        life.settle_again()
        assert life.heard() == []
        assert life.next_at == life.now + Source.ALERTMANAGER.ends_within
        life.run(minutes=15)
        assert life.heard() == ["sre card! unsuppressed"]
        assert K.ESCALATED in life.run(minutes=5).kinds()

    def test_that_grow_beyond_what_their_parent_explains_are_told_then(self) -> None:
        life = self.born()
        life.heard()
        life.after(minutes=60).post(an_alert({**ON_NODE, "pod": "web-1"}, at=life.now))
        assert life.heard() == []
        life.post(an_alert({**POD, "pod": "api-0", "node": "node-8"}, at=life.now))
        assert "sre card! unsuppressed" in life.heard()

    def test_are_told_when_their_parent_explains_only_some_of_them(self) -> None:
        life = self.family().post(an_alert(ON_NODE), an_alert({**POD, "pod": "api-0", "node": "node-8"}))
        assert life.it.parent_id == life.near[0].id
        assert "sre card! opened" in life.heard()

    def test_of_a_node_among_others_are_told_when_that_node_is_well_again(self) -> None:
        two = opened(an_alert(NODE, severity="critical"), an_alert({**NODE, "node": "node-8"}, severity="critical"))
        life = Life(now=NOW + MINUTE, near=[replace(two, channels=("sre",))]).post(an_alert(ON_NODE))
        members = dict(two.members)
        well = next(name for name, each in members.items() if each.alert.labels["node"] == "node-7")
        members[well] = replace(members[well], alert=over(members[well].alert), seen_at=life.now)
        life.parent = replace(two, channels=("sre",), members=members)
        life.heard()
        assert life.settle_again().heard() == []
        assert life.run(minutes=15).heard() == ["sre card! unsuppressed"]

    def test_that_resolve_do_so_without_a_word(self) -> None:
        life = self.born()
        life.heard()
        assert life.post(an_alert(ON_NODE, ended=life.now)).heard() == []

    def test_that_fire_anew_look_for_another_parent_when_theirs_is_over(self) -> None:
        life = self.born().post(an_alert(ON_NODE, ended=NOW + MINUTE))
        life.parent = replace(life.near[0], state=IncidentState.RESOLVED, resolved_at=NOW)
        life.near = [about(NODE, minute=8, channels=("sre",))]
        life.after(minutes=9).post(an_alert(ON_NODE, at=NOW + 9 * MINUTE))
        assert life.it.parent_id == life.near[0].id


WINDOW = "maintenance: [{name: w, match: ['namespace=\"shop\"'], %s}]\n"
ONCE = WINDOW % "starts_at: 2026-03-02T10:30:00Z, lasts: 1h"


class TestMaintenance:
    def test_keeps_quiet_what_opens_and_tells_what_is_left_when_it_ends(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 40 * MINUTE).post(an_alert())
        assert life.heard() == []
        assert life.next_at == NOW + 90 * MINUTE
        life.run(hours=1)
        assert life.heard()[0] == "sre card! unsuppressed"

    def test_that_ends_with_nothing_left_says_nothing(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 40 * MINUTE).post(an_alert())
        assert life.post(an_alert(ended=NOW + 41 * MINUTE)).heard() == []
        assert life.it.state is IncidentState.RESOLVED

    def test_holds_back_who_would_be_told_next(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 31 * MINUTE).post(an_alert()).run(minutes=50)
        assert K.ESCALATED not in life.kinds()

    def test_lets_nobody_escalate_but_says_why(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 31 * MINUTE).post(an_alert())
        answer = life.act(ActKind.ESCALATE)
        assert not answer.changed
        assert "maintenance window w" in answer.text

    def test_that_ends_calls_nobody_to_what_somebody_has_taken_on(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 40 * MINUTE).post(an_alert())
        life.act()
        life.run(hours=1)
        assert "sre card unsuppressed" in life.heard()

    def test_touches_only_what_it_matches(self) -> None:
        life = Life(policy=a_policy(ONCE + POLICY), now=NOW + 40 * MINUTE)
        assert life.post(an_alert({**POD, "namespace": "pay"})).heard() == ["sre card! opened"]

    def test_of_some_of_its_alerts_holds_nothing_back(self) -> None:
        policy = a_policy(ONCE.replace('="shop"', '!="prod"') + POLICY)
        life = Life(policy=policy, now=NOW + 40 * MINUTE)
        life.post(an_alert({**POD, "namespace": "test"}))
        assert life.heard() == []
        life.post(an_alert({**POD, "namespace": "prod"}))
        assert "sre card! unsuppressed" in life.heard()

    def test_that_overlap_hold_until_the_last_ends(self) -> None:
        other = "{name: v, match: ['pod=\"web-0\"'], starts_at: 2026-03-02T11:00:00Z, lasts: 3h}"
        life = Life(policy=a_policy(ONCE.replace("}]", "}, " + other + "]") + POLICY), now=NOW + 80 * MINUTE)
        life.post(an_alert())
        assert life.it.suppression is not None
        assert (life.it.suppression.until, life.next_at) == (NOW + 240 * MINUTE, NOW + 240 * MINUTE)
        assert life.it.suppression.detail == "within the maintenance window w, v"
        life.run(minutes=150)
        assert life.heard() == []
        life.run(minutes=20)
        assert life.heard()[0] == "sre card! unsuppressed"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-03-01T00:59:59Z", None, id="before it begins"),
        pytest.param("2026-03-01T01:00:00Z", "2026-03-01T03:00:00Z", id="when it begins"),
        pytest.param("2026-03-01T02:59:59Z", "2026-03-01T03:00:00Z", id="until it ends"),
        pytest.param("2026-03-01T03:00:00Z", None, id="and no longer"),
        pytest.param("2026-03-29T01:30:00Z", "2026-03-29T03:00:00Z", id="at the end of the gap when clocks go forward"),
        pytest.param("2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", id="at the first two o'clock when they go back"),
        pytest.param("2026-10-25T02:00:00Z", None, id="and not at the second one again"),
    ],
)
def test_windows_of_every_sunday(now: str, until: str | None) -> None:
    part = MaintenancePart(name="w", match=["a=b"], cron="0 2 * * sun", zone="Europe/Berlin", lasts=timedelta(hours=2))
    ends = None if until is None else datetime.fromisoformat(until)
    assert open_until(part, datetime.fromisoformat(now)) == ends


class TestFlapping:
    """Six turns within half an hour, by default."""

    def to_and_fro(self, times: int) -> Life:
        life = Life()
        for _ in range(times):
            started = life.now
            life.after(minutes=1).post(an_alert(at=started))
            life.after(minutes=1).post(an_alert(at=started, ended=life.now))
        return life

    def test_is_told_once_and_then_kept_quiet(self) -> None:
        life = self.to_and_fro(3)
        life.heard()
        for _ in range(4):
            started = life.now
            life.after(minutes=1).post(an_alert(at=started))
            life.after(minutes=1).post(an_alert(at=started, ended=life.now))
        told = life.heard()
        assert not [each for each in told if "!" in each]
        assert [each for each in told if "reply" in each] == ["sre reply~ changed"]
        assert life.kinds().count(K.FLAPPING) == 1

    def test_is_told_again_once_it_holds_still(self) -> None:
        life = self.to_and_fro(3)
        life.post(an_alert(at=life.now))
        life.heard()
        life.run(minutes=14)
        assert K.UNSUPPRESSED not in life.kinds()
        life.run(minutes=2)
        assert "sre card! unsuppressed" in life.heard()
        assert K.ESCALATED in life.run(minutes=6).kinds()

    def test_a_few_turns_are_none(self) -> None:
        life = self.to_and_fro(2).post(an_alert(at=NOW + 10 * MINUTE))
        assert life.it.suppression is None


class TestHealing:
    def test_hides_what_opens_while_it_works(self) -> None:
        life = Life().post(an_alert())
        life.notice(NoticeKind.STARTED)
        life.heard()
        life.post(an_alert({**POD, "pod": "web-1"}))
        assert life.heard() == ["sre card~ new_alerts"]

    def test_of_a_policy_that_hides_nothing_hides_nothing(self) -> None:
        life = Life(policy=a_policy(POLICY + "healing: {quiet: false}\n")).post(an_alert()).notice(NoticeKind.STARTED)
        assert life.it.suppression is None


class TestStorm:
    def life(self, *stormy: str) -> Life:
        return Life(storming=lambda channel, incident: channel in stormy)

    def test_tells_of_it_on_its_own_card_alone(self) -> None:
        life = self.life("sre").post(an_alert())
        assert life.heard() == []
        assert life.it.suppression is not None
        assert life.it.suppression.reason is R.STORM
        assert K.ESCALATED not in life.run(hours=1).kinds()

    def test_that_is_over_leaves_it_there_until_it_is_lifted(self) -> None:
        life = self.life("sre").post(an_alert())
        life.storming = lambda channel, incident: False
        life.post(an_alert({**POD, "pod": "web-1"}))
        assert life.heard() == []
        life.settle(life.it, lifted(life.it, now=life.now))
        assert life.heard() == ["sre card! unsuppressed"]
        assert K.ESCALATED in life.run(minutes=5).kinds()

    def test_that_is_over_may_tell_of_it_after_a_while(self) -> None:
        life = self.life("sre").post(an_alert(severity="critical"))
        life.storming = lambda channel, incident: False
        life.settle(life.it, lifted(life.it, 4 * MINUTE, now=life.now))
        assert life.run(minutes=3).heard() == []
        assert life.run(minutes=1).heard() == ["sre card! unsuppressed"]

    def test_that_is_over_does_not_hide_what_becomes_worse(self) -> None:
        life = self.life("sre").post(an_alert())
        life.storming = lambda channel, incident: False
        life.post(an_alert({**POD, "pod": "web-1"}, severity="critical"))
        assert "sre card! severity_raised" in life.heard()
        assert life.it.suppression is None

    def test_on_one_of_two_channels_leaves_the_other_alone(self) -> None:
        life = self.life("sre")
        life.policy = a_policy(POLICY.replace("channels: [sre], escalation: up}\nesc", "channels: [sre, team]}\nesc"))
        assert life.post(an_alert()).heard() == ["team card! opened"]
        assert life.it.suppression is None

    def test_that_never_held_it_back_lifts_nothing(self) -> None:
        life = Life().post(an_alert())
        assert not lifted(life.it, now=NOW).happenings

    def test_that_resolves_in_it_says_nothing(self) -> None:
        life = self.life("sre").post(an_alert())
        assert life.post(an_alert(ended=NOW + MINUTE)).heard() == []


def test_an_hour_in_which_everything_happens_comes_to_rest() -> None:
    life = Life(policy=a_policy(ONCE + POLICY), now=datetime(2026, 3, 2, 10, 20, tzinfo=UTC)).post(an_alert())
    life.run(minutes=5)
    life.act()
    life.run(minutes=20).notice(NoticeKind.STARTED)
    life.run(minutes=3).notice(NoticeKind.FAILED)
    life.run(minutes=3)
    life.act(ActKind.UNACKNOWLEDGE)
    life.run(days=10)
    assert life.next_at is not None  # it still fires: it is repeated
    life.post(an_alert(ended=life.now))
    assert life.next_at is None


def test_a_thousand_pods_of_one_workload_are_explained_by_as_few_as_say_how_long() -> None:
    """All with all would be a million pairs, at every change of one of them."""
    pods = [an_alert({**POD, "pod": f"web-{number}", "alertname": name}) for name in "AB" for number in range(1_000)]
    one, other = opened(*pods[:1_000]), opened(*pods[1_000:])
    found = explainers_of(one, other, a_policy())
    assert len(found) == 1_000
    assert max(len(each) for each in found) <= len(Tie)
    assert min(len(each) for each in found) >= 1


def test_what_still_fires_explains_longer_than_what_is_over() -> None:
    labels = [{**POD, "pod": f"web-{number}", "alertname": "A"} for number in range(3)]
    parent = opened(*(an_alert(each) for each in labels))
    post = a_post(over(an_alert(labels[0])), over(an_alert(labels[2])))
    later = received(parent, post, a_policy(), now=NOW + MINUTE, new_id=UUID(int=1))
    assert later is not None
    child = opened(an_alert({**POD, "pod": "web-9", "alertname": "B"}))
    (explainers,) = explainers_of(child, later.incident, a_policy())
    assert {each.alert.labels["pod"] for each in explainers if each.firing} == {"web-1"}
