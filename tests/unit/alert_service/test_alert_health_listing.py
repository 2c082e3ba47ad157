"""What the full list of findings tells that no event did."""

from typing import Any

import pytest
from tests.support.clock import NOON

from alert_service.incidents.alert import AlertStatus
from alert_service.intake.health import fingerprint, is_of_a_storm, missed, over, post_of_event
from common.contracts import Finding, ObjectRef, Severity


def a_finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "pod-crash-loop",
        "object": ObjectRef(kind="Pod", namespace="shop", name="web-1", uid="u"),
        "severity": Severity.CRITICAL,
        "message": "it crashes",
        "since": NOON,
    }
    return Finding(**(values | changes))


FINDINGS = [
    pytest.param(a_finding(), id="a pod"),
    pytest.param(a_finding(part="app"), id="a container of it"),
    pytest.param(a_finding(object=ObjectRef(kind="Node", name="node-1")), id="a node"),
    pytest.param(a_finding(object=ObjectRef(kind="Cluster", name="")), id="the cluster"),
    pytest.param(a_finding(object=ObjectRef(kind="Ingress", namespace="shop", name="web")), id="any other kind"),
]


@pytest.mark.parametrize("finding", FINDINGS)
def test_what_was_missed_opens_and_what_is_over_ends_the_very_same_alert(finding: Finding) -> None:
    (event,) = missed([finding], "prod", (), NOON)
    opened = post_of_event(event)
    (alert,) = opened.alerts
    assert (alert.status, alert.fingerprint) == (AlertStatus.FIRING, fingerprint("prod", finding))
    ended = post_of_event(over(alert, NOON))
    assert (ended.group_key, ended.alerts[0].fingerprint) == (opened.group_key, alert.fingerprint)
    assert (ended.alerts[0].status, ended.alerts[0].starts_at) == (AlertStatus.RESOLVED, NOON)


def test_a_cluster_that_is_called_by_its_arn_keeps_its_name() -> None:
    name = "arn:aws:eks:eu-central-1:123456789012:cluster/prod"
    (event,) = missed([a_finding()], name, (), NOON)
    assert post_of_event(event).alerts[0].labels["cluster"] == name


def test_what_fires_already_is_not_told_again() -> None:
    finding = a_finding()
    assert missed([finding], "prod", {fingerprint("prod", finding)}, NOON) == []
    assert len(missed([finding], "test", {fingerprint("prod", finding)}, NOON)) == 1


def test_what_stands_for_a_storm_is_in_no_list() -> None:
    alerts = [post_of_event(missed([a_finding(part=part)], "prod", (), NOON)[0]).alerts[0] for part in ("storm", "app")]
    assert [is_of_a_storm(alert) for alert in alerts] == [True, False]
