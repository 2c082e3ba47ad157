"""What a silence covers, and which are refused and why."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.alert_incidents import NOW, an_alert, opened

from alert_service.incidents.acts import ActKind, Person
from alert_service.incidents.alert import AlertSeverity, Source
from alert_service.policy.settings import SeverityPart
from alert_service.policy.suppression import SilencePart
from alert_service.routing.matchers import parse_matcher
from alert_service.silences.scope import (
    Muted,
    Preview,
    Request,
    SilenceReason,
    SilenceRefused,
    check,
    check_width,
    fired_within_30_days,
    matchers_of,
    still_firing,
    unheard,
)

PART = SilencePart(longest=timedelta(days=1), widest=2)


def a_request(*matchers: str, hours: float = 1, comment: str = "", rights: set[ActKind] | None = None) -> Request:
    by = Person(name="ana@example.com", shown="Ana", rights=frozenset(rights or set()))
    return Request(
        matchers=tuple(map(parse_matcher, matchers or ['alertname="A"'])),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=hours),
        by=by,
        comment=comment,
    )


def muted(number: int, name: str = "A", severity: AlertSeverity = AlertSeverity.WARNING) -> Muted:
    return Muted(fingerprint=f"{number:016x}", name=name, severity=severity, labels={})


WIDE = Preview(now=[muted(1), muted(2)], month=[muted(2), muted(3, "B")])


def reason_of(call: Any, *arguments: Any) -> SilenceReason | None:
    try:
        call(*arguments)
    except SilenceRefused as refused:
        return refused.reason
    return None


def test_the_matchers_of_an_incident_are_what_all_its_firing_alerts_have_in_common() -> None:
    here = {"alertname": "A", "namespace": "shop", "pod": "web-0", "empty": ""}
    there = {"alertname": "A", "namespace": "shop", "pod": "web-1", "empty": ""}
    ended = an_alert({"alertname": "B", "namespace": "other"}, ended=NOW)
    incident = opened(an_alert(here), an_alert(there), ended)

    found = matchers_of(incident)

    assert [str(each) for each in found] == ['alertname="A"', 'namespace="shop"', 'severity="warning"']
    assert all(each.matches(alert.alert.labels) for each in found for alert in incident.firing)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(Source.HEALTH, SilenceReason.NOT_OF_ALERTMANAGER, id="health_monitor's events"),
        pytest.param(Source.HEALING, SilenceReason.NOT_OF_ALERTMANAGER, id="notices of healing"),
        pytest.param(Source.SELF, SilenceReason.NOT_OF_ALERTMANAGER, id="the service's own alarms"),
        pytest.param(Source.ALERTMANAGER, None, id="Alertmanager's alerts alone can be silenced in it"),
    ],
)
def test_what_alertmanager_does_not_tell_it_cannot_silence(source: Source, reason: SilenceReason | None) -> None:
    assert reason_of(matchers_of, opened(source=source)) == reason


def test_alerts_that_have_nothing_in_common_are_not_silenced_by_one_button() -> None:
    one, other = an_alert({"alertname": "A"}, severity="info"), an_alert({"alertname": "B"}, severity="critical")

    assert reason_of(matchers_of, opened(one, other)) is SilenceReason.NOTHING_IN_COMMON


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(a_request(), None, id="a narrow one for an hour"),
        pytest.param(a_request('alertname=~".*"'), SilenceReason.MATCHES_EVERYTHING, id="a pattern for everything"),
        pytest.param(a_request('team!="x"'), SilenceReason.MATCHES_EVERYTHING, id="all but one team"),
        pytest.param(a_request('team!="x"', 'a="b"'), None, id="all but one team, of one thing"),
        pytest.param(a_request(hours=0), SilenceReason.ENDS_BEFORE_IT_BEGINS, id="one that is over at once"),
        pytest.param(a_request(hours=-1), SilenceReason.ENDS_BEFORE_IT_BEGINS, id="one of yesterday"),
        pytest.param(a_request(hours=24), None, id="one as long as the policy lets"),
        pytest.param(a_request(hours=24.01), SilenceReason.TOO_LONG, id="one that is longer"),
    ],
)
def test_a_silence_is_looked_at_before_it_is_made(request_: Request, reason: SilenceReason | None) -> None:
    assert reason_of(check, request_, PART) == reason


@pytest.mark.parametrize(
    ("preview", "request_", "reason"),
    [
        pytest.param(Preview(now=[muted(1)], month=[muted(2)]), a_request(), None, id="one as wide as the policy lets"),
        pytest.param(WIDE, a_request(), SilenceReason.TOO_WIDE, id="a wide one by somebody without the right"),
        pytest.param(
            WIDE, a_request(comment="why"), SilenceReason.TOO_WIDE, id="a reason does not make up for the right"
        ),
        pytest.param(
            WIDE,
            a_request(comment=" ", rights={ActKind.RESOLVE}),
            SilenceReason.REASON_MISSING,
            id="no reason",
        ),
        pytest.param(WIDE, a_request(comment="why", rights={ActKind.RESOLVE}), None, id="right and reason"),
    ],
)
def test_a_wide_silence_takes_a_reason_and_a_right(
    preview: Preview, request_: Request, reason: SilenceReason | None
) -> None:
    assert reason_of(check_width, request_, preview, PART) == reason


def test_an_alert_of_now_and_of_the_month_counts_once() -> None:
    assert WIDE.width == 3
    assert WIDE.names() == {"A": 2, "B": 1}


def test_critical_alerts_stand_out() -> None:
    preview = replace(WIDE, now=[muted(1), muted(9, severity=AlertSeverity.CRITICAL)])

    assert [each.fingerprint for each in preview.critical] == [f"{9:016x}"]


def test_prometheus_is_asked_for_what_fired_in_its_own_syntax() -> None:
    asked = fired_within_30_days([parse_matcher('a="b\\"c"'), parse_matcher('d!~"e.*"')])

    assert asked == 'last_over_time(ALERTS{alertstate="firing",a="b\\"c",d!~"e.*"}[30d])'


def test_what_prometheus_knows_counts_unless_it_was_told_with_more_labels() -> None:
    """Prometheus adds labels such as the cluster when it sends alerts: its own series are without them."""
    told = replace(muted(1), labels={"alertname": "A", "pod": "web-0", "cluster": "prod"})
    series = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "A"}
    fired = [{**series, "pod": "web-0"}, {**series, "pod": "web-1", "severity": "critical"}]

    found = list(unheard(fired, [told], SeverityPart()))

    assert [each.labels for each in found] == [{"alertname": "A", "severity": "critical", "pod": "web-1"}]
    assert found[0].severity is AlertSeverity.CRITICAL


@pytest.mark.parametrize(
    ("alerts", "text"),
    [
        pytest.param([], "nothing of it fires any more", id="none"),
        pytest.param([muted(1)], "1 still fires: 1 A", id="one"),
        pytest.param(
            [muted(number, name) for number, name in enumerate("AABCD")],
            "5 still fire: 2 A, 1 B, 1 C, ...",
            id="some of many kinds",
        ),
    ],
)
def test_what_is_left_behind_is_said_in_short(alerts: list[Muted], text: str) -> None:
    assert still_firing(alerts) == text
