"""Who is told: matchers, severities, hours, and the order in which routes are asked."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alert_incidents import NOW, POLICY, a_policy, tried

from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.severity import highest, severity_of
from alert_service.policy.parse import parse_policy
from alert_service.policy.settings import SeverityPart
from alert_service.routing.matchers import Matcher, all_match, matcher, parse_matcher
from alert_service.routing.routing import RouteReason, Routes
from common.policy.mistakes import PolicyError

CRITICAL, WARNING, INFO, NONE = AlertSeverity.CRITICAL, AlertSeverity.WARNING, AlertSeverity.INFO, AlertSeverity.NONE
CHANNELS = "version: 1\nchannels:\n" + "".join(
    f'  {name}: {{kind: slack, conversation: "#{name}"}}\n' for name in ("a", "b", "c", "d")
)
STEPS = "escalations:\n  up: {steps: [{channels: [a]}]}\n  away: {steps: [{channels: [b]}]}\n"
OFFICE = 'hours:\n  office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}\n'
ROUTED = CHANNELS + STEPS + OFFICE


def routes(*lines: str) -> Routes:
    return Routes(parse_policy(ROUTED + "routes:\n" + "".join(f"  - {line}\n" for line in lines)))


def told(
    lines: tuple[str, ...],
    labels: dict[str, str] | None = None,
    severity: AlertSeverity = WARNING,
    at: datetime = NOW,
    **annotations: str,
) -> tuple[str, ...]:
    return routes(*lines).route(labels or {}, annotations, severity, at=at).channels


SHOP = "{name: shop, match: ['namespace=\"shop\"'], channels: [a], escalation: up}"
REST = "{name: rest, channels: [b], escalation: away}"


@pytest.mark.parametrize(
    ("lines", "labels", "channels"),
    [
        pytest.param((SHOP, REST), {"namespace": "shop"}, ("a",), id="the first that matches decides"),
        pytest.param((SHOP, REST), {"namespace": "pay"}, ("b",), id="what does not match is passed by"),
        pytest.param((SHOP,), {}, (), id="where none matches nobody is told"),
        pytest.param(
            (SHOP.replace("name: shop", "name: shop, continue: true"), REST),
            {"namespace": "shop"},
            ("a", "b"),
            id="one that goes on adds what comes below",
        ),
        pytest.param(
            ("{name: x, continue: true, channels: [b, a]}", REST), {}, ("b", "a"), id="each channel is told once"
        ),
        pytest.param(
            ("{name: quiet, match: ['namespace=\"shop\"'], channels: []}", REST),
            {"namespace": "shop"},
            (),
            id="one without channels keeps others from being asked",
        ),
        pytest.param(
            ("{name: both, match: ['a=\"1\"', 'b=\"2\"'], channels: [a]}", REST),
            {"a": "1"},
            ("b",),
            id="all have to match",
        ),
        pytest.param(
            ("{name: unset, match: ['team=\"\"'], channels: [a]}", REST),
            {},
            ("a",),
            id="a label that is missing is empty",
        ),
    ],
)
def test_channels(lines: tuple[str, ...], labels: dict[str, str], channels: tuple[str, ...]) -> None:
    assert told(lines, labels) == channels


def test_the_first_route_that_names_an_escalation_gives_it() -> None:
    found = routes("{name: x, continue: true, channels: [c]}", SHOP, REST).route(
        {"namespace": "shop"}, {}, INFO, at=NOW
    )
    assert (found.escalation, found.routes) == ("up", ("x", "shop"))


@pytest.mark.parametrize("severity", list(AlertSeverity))
def test_severities(severity: AlertSeverity) -> None:
    lines = ("{name: pages, severities: [critical], channels: [a]}", REST)
    expected = {CRITICAL: ("a",), WARNING: ("b",), INFO: ("b",), NONE: ()}
    assert told(lines, severity=severity) == expected[severity]


@pytest.mark.parametrize(
    ("at", "channels"),
    [
        ("2026-03-02T07:00:00Z", ("a",)),
        ("2026-03-02T06:59:59Z", ("b",)),
        ("2026-03-02T17:00:00Z", ("b",)),
        ("2026-03-08T10:00:00Z", ("b",)),
        ("2026-03-30T06:00:00Z", ("a",)),  # clocks went forward the day before
        ("2026-10-26T06:30:00Z", ("b",)),  # and back
    ],
)
def test_hours_of_a_zone(at: str, channels: tuple[str, ...]) -> None:
    lines = ("{name: day, hours: office, channels: [a]}", REST)
    assert told(lines, at=datetime.fromisoformat(at)) == channels


@pytest.mark.parametrize(
    ("annotation", "value", "channels"),
    [
        ("k8s-health-checker/channel", "d", ("b", "d")),
        ("k8s_health_checker_channel", "d", ("b", "d")),
        ("k8s-health-checker/channel", "nobody", ("b",)),
        ("k8s-health-checker/channel", "b", ("b",)),
        ("other", "d", ("b",)),
    ],
    ids=["as on the object", "as Prometheus can have it", "of no channel", "of one that is told anyway", "another"],
)
def test_the_annotation_of_a_namespace_adds_its_channel(annotation: str, value: str, channels: tuple[str, ...]) -> None:
    assert routes(REST).route({}, {annotation: value}, WARNING, at=NOW).channels == channels


OWN = "k8s-health-checker/channel"


def test_every_reason_is_told() -> None:
    asked = routes(
        SHOP,
        "{name: pages, severities: [critical], channels: [a]}",
        "{name: night, hours: office, channels: [a]}",
        REST,
        "{name: below, channels: [c]}",
    )
    path = [
        *asked.path({}, {OWN: "d"}, WARNING, at=NOW + timedelta(hours=12)),
        *asked.path({}, {OWN: "d"}, NONE, at=NOW),
        *routes(SHOP).path({}, {OWN: "nobody"}, WARNING, at=NOW),
    ]
    assert [(each.route, each.reason, each.detail) for each in path] == [
        ("shop", RouteReason.LABELS, 'namespace="shop"'),
        ("pages", RouteReason.SEVERITY, "warning"),
        ("night", RouteReason.HOURS, "office"),
        ("rest", RouteReason.TAKEN, ""),
        ("", RouteReason.ANNOTATION, "d"),
        ("", RouteReason.NEVER, "none"),
        ("shop", RouteReason.LABELS, 'namespace="shop"'),
        ("", RouteReason.NO_CHANNEL, "nobody"),
    ]
    assert {each.reason for each in path} == set(RouteReason)


LABELS = st.dictionaries(st.sampled_from(["namespace", "team"]), st.sampled_from(["shop", "pay", ""]))


@tried
@given(LABELS, st.sampled_from(AlertSeverity), st.integers(min_value=0, max_value=167))
def test_the_path_names_what_the_route_takes(labels: dict[str, str], severity: AlertSeverity, hour: int) -> None:
    asked = routes(
        SHOP,
        "{name: team, match: ['team=~\"s.*\"'], hours: office, continue: true, channels: [c]}",
        "{name: pages, severities: [critical], channels: [d]}",
        REST,
    )
    at = NOW + timedelta(hours=hour)
    taken = [each.route for each in asked.path(labels, {}, severity, at=at) if each.reason is RouteReason.TAKEN]
    assert tuple(taken) == asked.route(labels, {}, severity, at=at).routes


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ('a="1"', {"a": "1"}, True),
        ('a="1"', {"a": "2"}, False),
        ('a="1"', {}, False),
        ('a!="1"', {}, True),
        ('a=""', {}, True),
        ('a!=""', {}, False),
        ('a=~"x|y"', {"a": "y"}, True),
        ('a=~"x"', {"a": "xx"}, False),
        ('a=~"x.*"', {"a": "x\ny"}, True),
        ('a!~"x.*"', {"a": "xx"}, False),
        ("a = 1", {"a": "1"}, True),
        ("a=", {}, True),
        (r'a="say \"hi\" \\ \n"', {"a": 'say "hi" \\ \n'}, True),
        ('a="é{}=~!"', {"a": "é{}=~!"}, True),
        ('a=~"(a+)+$"', {"a": "a" * 5000 + "b"}, False),
    ],
)
def test_matchers(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_matcher(text).matches(labels) is matches


@pytest.mark.parametrize("text", ["", "a", "=1", 'a="1', "a=1 b=2", 'a=~"("', 'a=~"a)(b"', '{a="1"}', 'a=="1"'])
def test_what_is_no_matcher_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a matcher such as|which is none"):
        parse_matcher(text)


@tried
@given(st.from_regex(r"[a-z_]+", fullmatch=True), st.text(), st.booleans())
def test_a_matcher_is_read_as_it_is_written(name: str, value: str, is_equal: bool) -> None:
    written = matcher(name, value, is_equal=is_equal)
    assert parse_matcher(str(written)) == written


def test_matchers_as_alertmanager_has_them() -> None:
    assert parse_matcher('a!~"b"').to_api() == {"name": "a", "value": "b", "isRegex": True, "isEqual": False}
    assert all_match([], {})
    assert Matcher("a", "b") == parse_matcher("a=b")


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", CRITICAL),
        ("Critical", CRITICAL),
        ("warning", WARNING),
        ("info", INFO),
        ("none", NONE),
        ("page", CRITICAL),
        ("P3", INFO),
        ("p3", WARNING),
        ("error", WARNING),
        ("", WARNING),
    ],
)
def test_words_of_severity(word: str, severity: AlertSeverity) -> None:
    part = SeverityPart(words={"page": CRITICAL, "P3": INFO})
    assert severity_of({"severity": word}, part) is severity


def test_the_label_of_the_severity_may_be_another() -> None:
    assert severity_of({"priority": "info"}, SeverityPart(label="priority")) is INFO
    assert severity_of({"severity": "info"}, SeverityPart(label="priority", unknown=NONE)) is NONE


def test_the_highest_of_none_is_none() -> None:
    assert highest([]) is NONE
    assert highest([INFO, CRITICAL, WARNING]) is CRITICAL


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("channels: {x: {kind: slack}}", "channels.x.conversation"),
        ("channels: {x: {kind: teams}}", "channels.x.secret"),
        ('channels: {x: {kind: slack, conversation: "#x", fallback: y}}', "channels.x.fallback"),
        ('channels: {x: {kind: slack, conversation: "#x", fallback: x}}', "channels.x.fallback"),
        ("routes: [{name: r, channels: [nobody]}]", "routes[0].channels[0]"),
        ("routes: [{name: r, hours: never}]", "routes[0].hours"),
        ("routes: [{name: r, escalation: none}]", "routes[0].escalation"),
        ("routes: [{name: r}, {name: r}]", "routes[1].name"),
        ("routes: [{name: r, match: ['a']}]", "routes[0].match[0]"),
        ("escalations: {e: {steps: [{people: [zoe]}]}}", "escalations.e.steps[0].people[0]"),
        ("escalations: {e: {steps: [{}]}}", "escalations.e.steps[0].channels"),
        ("escalations: {e: {steps: [{ack: all}]}}", "escalations.e.steps[0].people"),
        (
            "escalations: {e: {steps: [{ack: all, round_robin: true, people: [a]}]}}\npeople: {a: {identity: x}}",
            "escalations.e.steps[0].ack",
        ),
        ("escalations: {e: {steps: [{hours: never}]}}", "escalations.e.steps[0].hours"),
        ("people: {a: {identity: x, slack: U1}, b: {identity: y, slack: U1}}", "people.b.slack"),
        ("people: {a: {identity: x}, b: {identity: X}}", "people.b.identity"),
        ("maintenance: [{name: w, match: ['a=b']}]", "maintenance[0]"),
        (
            "maintenance: [{name: w, match: ['a=b'], cron: 0 2 * * *, starts_at: 2026-01-01T00:00:00Z}]",
            "maintenance[0]",
        ),
        ("heartbeats: [{name: h, channels: [nobody]}]", "heartbeats[0].channels[0]"),
        ("canary: {channels: [nobody]}", "canary.channels[0]"),
        ("rehearsal: {escalations: [nobody]}", "rehearsal.escalations[0]"),
        ("severities: {words: {page: urgent}}", "severities.words.page"),
    ],
)
def test_mistakes_in_a_policy_are_named_with_their_places(text: str, path: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse_policy(f"version: 1\n{text}\n")
    assert path in [each.path for each in raised.value.mistakes]


def test_all_mistakes_are_named_at_once() -> None:
    text = "version: 1\nroutes: [{name: r, channels: [x], hours: y, escalation: z}]\n"
    with pytest.raises(PolicyError) as raised:
        parse_policy(text)
    assert len(raised.value.mistakes) == 3


def test_the_policy_of_the_reference_is_a_good_one() -> None:
    from alert_service.policy.reference import EXAMPLE

    assert Routes(parse_policy(EXAMPLE))


def test_a_policy_without_a_file_tells_nobody() -> None:
    empty: dict[str, Any] = {}
    found = Routes(parse_policy("version: 1\n")).route(empty, empty, CRITICAL, at=NOW)
    assert (found.channels, found.escalation) == ((), None)
    assert a_policy(POLICY).channels
