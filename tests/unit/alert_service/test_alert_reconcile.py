"""What Alertmanager says and what stands here, compared."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.support.clock import NOON

from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import HappeningKind, Incident, IncidentState
from alert_service.incidents.posts import received, resolved
from alert_service.policy.settings import AlertPolicy
from alert_service.reconciling.reconcile import (
    GONE_AFTER,
    ON_ITS_WAY,
    Difference,
    There,
    absent,
    differences,
    put_right,
)
from alert_service.reconciling.route_tree import RoutesUnreadable, group_key, receivers_of, root_of

CONFIGURATION = """
route:
  receiver: quiet
  group_by: [alertname]
  routes:
    - receiver: us
      matchers: ['severity="critical"', 'team=~"a|b"']
      continue: true
    - receiver: us
      match: {tier: web}
      match_re: {zone: eu-.*}
      group_by: ['...']
    - matchers: [severity="night"]
      receiver: us
      mute_time_intervals: [nights]
    - matchers: '{receiver="us"}'
      receiver: us
      routes:
        - matchers: [kind="special"]
          group_by: [alertname, namespace]
receivers: [{name: quiet}, {name: us}]
"""
ROOT = root_of(CONFIGURATION)
POLICY = AlertPolicy()
OURS = {"alertname": "Down", "receiver": "us"}
KEY = '{}/{receiver="us"}:{alertname="Down"}'
LONG_AGO = NOON - timedelta(hours=1)
ID = UUID(int=1)


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        pytest.param({"alertname": "X"}, ["{}"], id="no child matches: the root tells"),
        pytest.param(
            {"severity": "critical", "team": "a"}, ['{}/{severity="critical",team=~"a|b"}'], id="a child instead of it"
        ),
        pytest.param(
            {"severity": "critical", "team": "b", "tier": "web", "zone": "eu-1"},
            ['{}/{severity="critical",team=~"a|b"}', '{}/{tier="web",zone=~"^(?:eu-.*)$"}'],
            id="two, when the first goes on",
        ),
        pytest.param({"severity": "critical", "team": "abc"}, ["{}"], id="a pattern matches whole values"),
        pytest.param(
            {"receiver": "us", "kind": "special"},
            ['{}/{receiver="us"}/{kind="special"}'],
            id="the deepest of them",
        ),
        pytest.param({"receiver": "us"}, ['{}/{receiver="us"}'], id="its parent, when no child of it does"),
    ],
)
def test_which_routes_tell_of_an_alert(labels: dict[str, str], keys: list[str]) -> None:
    assert [route.key for route in ROOT.matching(labels)] == keys


def test_receivers_and_groups_are_inherited() -> None:
    (special,) = ROOT.matching({"receiver": "us", "kind": "special", "alertname": "X", "namespace": "n", "pod": "p"})
    assert (special.receiver, special.group_of({"alertname": "X", "namespace": "n", "pod": "p"})) == (
        "us",
        {"alertname": "X", "namespace": "n"},
    )
    assert receivers_of(ROOT) == {"quiet", "us"}


def test_a_key_quotes_what_would_end_it() -> None:
    assert group_key(ROOT, {"b": 'say "x"\n', "a": "\\"}) == '{}:{a="\\\\", b="say \\"x\\"\\n"}'


@pytest.mark.parametrize("text", ["", "[", "route: 7", "receivers: []", "route: {matchers: ['=']}"])
def test_what_is_no_configuration_is_told(text: str) -> None:
    with pytest.raises(RoutesUnreadable, match="routes cannot be read"):
        root_of(text)


def an_alert(name: str = "Down", *, since: datetime = LONG_AGO, **labels: str) -> Alert:
    own = {"alertname": name, "receiver": "us", "severity": "warning", **labels}
    return Alert(fingerprint=fingerprint_of(own), status=AlertStatus.FIRING, labels=own, starts_at=since)


def there(alert: Alert, *, told: bool = True, receiver: str = "us") -> There:
    return There(alert=alert, receiver=receiver, group_labels={"alertname": alert.name}, told=told)


def here(fingerprint: str = "f" * 16, receiver: str = "us") -> Any:
    return SimpleNamespace(fingerprint=fingerprint, group_key=KEY, receiver=receiver)


@pytest.mark.parametrize(
    ("each", "found"),
    [
        pytest.param(there(an_alert()), True, id="nobody has told of it"),
        pytest.param(there(an_alert(), told=False), False, id="it is silenced, inhibited or muted"),
        pytest.param(there(an_alert(), receiver="quiet"), False, id="it is for somebody else"),
        pytest.param(there(an_alert(since=NOON - ON_ITS_WAY / 2)), False, id="it is on its way"),
        pytest.param(there(an_alert(receiver="x", severity="night")), False, id="its route is silent at times"),
        pytest.param(there(an_alert(receiver="x", tier="web", zone="eu-1")), False, id="its group is another one"),
    ],
)
def test_what_was_missed(each: There, found: bool) -> None:
    got = differences([], [each], ROOT, receivers={"us"}, absent_since={}, now=NOON)
    assert list(got) == ([KEY] if found else [])


def test_what_fires_here_was_not_missed() -> None:
    alert = an_alert()
    mine = [here(alert.fingerprint)]
    assert differences(mine, [there(alert)], ROOT, receivers={"us"}, absent_since={}, now=NOON) == {}


def test_what_is_absent_for_long_enough_at_every_look_is_over() -> None:
    mine = [here()]
    since = absent(mine, [], ROOT, {}, now=NOON)
    later = NOON + GONE_AFTER
    assert differences(mine, [], ROOT, receivers={"us"}, absent_since=since, now=later - timedelta(seconds=1)) == {}
    since = absent(mine, [], ROOT, since, now=later)
    assert differences(mine, [], ROOT, receivers={"us"}, absent_since=since, now=later)[KEY].over == {"f" * 16}


@pytest.mark.parametrize(
    ("others", "over"),
    [
        pytest.param([], True, id="it knows nothing of the group"),
        pytest.param([there(an_alert(), told=False)], True, id="nobody is told of what it knows"),
        pytest.param([there(an_alert(pod="left-out"))], False, id="it fires what the post left out"),
        pytest.param([there(an_alert(since=NOON - ON_ITS_WAY / 2))], False, id="something is on its way"),
    ],
)
def test_an_incident_of_which_a_post_that_was_cut_short_left_nothing_is_over_when(
    others: list[There], over: bool
) -> None:
    mine = [here("")]
    since = absent(mine, others, ROOT, {}, now=NOON - GONE_AFTER)
    got = differences(mine, others, ROOT, receivers={"us"}, absent_since=since, now=NOON)
    assert ("" in got[KEY].over if KEY in got else False) is over
    alert = an_alert()
    ended = msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, ends_at=NOON)
    post = Post(source=Source.ALERTMANAGER, group_key=KEY, receiver="us", alerts=[ended], truncated=1)
    left = received(an_incident(alert), post, POLICY, now=NOON, new_id=ID)
    assert left is not None
    assert (left.incident.open, left.incident.firing) == (True, ())
    done = put(left.incident, got[KEY]) if KEY in got else None
    assert (done is not None and done.incident.state is IncidentState.RESOLVED) is over


def test_what_comes_back_is_counted_from_anew() -> None:
    alert = an_alert()
    mine = [here(alert.fingerprint)]
    since = absent(mine, [], ROOT, {}, now=NOON)
    assert absent(mine, [there(alert)], ROOT, since, now=NOON) == {}


def test_an_alertmanager_that_does_not_know_the_receiver_says_nothing() -> None:
    assert absent([here(receiver="another-cluster")], [], ROOT, {}, now=NOON) == {}


def an_incident(*alerts: Alert) -> Incident:
    done = received(
        None,
        Post(source=Source.ALERTMANAGER, group_key=KEY, receiver="us", alerts=alerts),
        POLICY,
        now=LONG_AGO,
        new_id=ID,
    )
    assert done is not None
    return done.incident


def put(incident: Incident | None, difference: Difference) -> Any:
    return put_right(incident, KEY, difference, POLICY, now=NOON, new_id=UUID(int=2))


def test_what_was_missed_opens_an_incident_under_the_key_of_its_group() -> None:
    done = put(None, Difference("us", {"alertname": "Down"}, missed=[an_alert()]))
    assert [each.kind for each in done.happenings] == [HappeningKind.RECONCILED, HappeningKind.OPENED]
    assert done.incident.key == an_incident(an_alert()).key
    assert done.happenings[0].text == "compared with Alertmanager: it fires 1 alert that nobody had told of"


def test_what_it_does_not_know_any_more_is_closed() -> None:
    one, two = an_alert(), an_alert(pod="two")
    before = an_incident(one, two)
    half = put(before, Difference("us", over={one.fingerprint}))
    assert (half.incident.state, len(half.incident.firing)) == (IncidentState.FIRING, 1)
    done = put(half.incident, Difference("us", over={two.fingerprint}))
    assert done.incident.state is IncidentState.RESOLVED
    assert done.happenings[0].kind is HappeningKind.RECONCILED


def test_both_at_once_leave_it_open() -> None:
    old, new = an_alert(), an_alert(pod="new")
    done = put(an_incident(old), Difference("us", missed=[new], over={old.fingerprint}))
    assert [each.alert.fingerprint for each in done.incident.firing] == [new.fingerprint]


@pytest.mark.parametrize("hours", [0.01, 100], ids=["lately", "long ago"])
def test_what_a_person_has_closed_stays_closed(hours: float) -> None:
    alert = an_alert()
    closed = resolved(an_incident(alert), NOON - timedelta(hours=hours), "by ana").incident
    assert put(closed, Difference("us", missed=[alert])) is None


def test_the_next_episode_of_what_a_person_has_closed_opens() -> None:
    closed = resolved(an_incident(an_alert()), NOON - timedelta(days=1), "by ana").incident
    again = an_alert(since=NOON - timedelta(hours=2) + timedelta(hours=1, minutes=1))
    assert put(closed, Difference("us", missed=[again])).incident.open


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(Difference("us", over={"0" * 16}), id="an alert that it has not"),
        pytest.param(Difference("us"), id="nothing"),
    ],
)
def test_nothing_to_put_right_changes_nothing(difference: Difference) -> None:
    assert put(an_incident(an_alert()), difference) is None
    assert put(None, difference) is None
