"""One fault that health_monitor and a rule of Prometheus both tell of: one family, whichever comes first."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert
from tests.support.alert_rules import alert_rules
from tests.support.health_database import an_event

from alert_service.incidents.alert import Source
from common.contracts import Change, HealthEvent, Severity
from common.contracts.health import EVENT_TYPE_PREFIX
from common.database.connections import Database

pytestmark = pytest.mark.database

CLUSTER = "main"  # in deploy/prometheus/prometheus.yaml and in the settings of the services
POD = {"namespace": "shop", "pod": "checkout-7d4b9c8f6d-x2x9z", "container": "app", "node": "node-7"}
NODE = {"node": "node-7"}
DEPLOYMENT = {"namespace": "shop", "deployment": "checkout"}
QUARTER = timedelta(minutes=15)

FAULTS = [
    pytest.param("node-not-ready", "Node", "node-7", "NodeNotReady", NODE, id="a node is not ready"),
    pytest.param("node-unknown", "Node", "node-7", "NodeUnknown", NODE, id="a node is silent"),
    pytest.param("pod-crash-loop", "Pod", POD["pod"], "PodCrashLoop", POD, id="a pod crashes"),
    pytest.param("pod-image-pull", "Pod", POD["pod"], "PodImagePull", POD, id="an image cannot be pulled"),
    pytest.param(
        "pod-crash-loop", "Pod", "debug", "PodCrashLoop", {**POD, "pod": "debug"}, id="one of no workload does"
    ),
    pytest.param(
        "deployment-unavailable",
        "Deployment",
        "checkout",
        "DeploymentUnavailable",
        DEPLOYMENT,
        id="no replica is up",
    ),
]


def labels_of(rule: str) -> Mapping[str, str]:
    """That the shipped rule gives to its alerts."""
    return next(dict(each["labels"]) for each in alert_rules() if each["alert"] == rule)


class Fault:
    def __init__(self, intake: Intake, code: str, kind: str, name: str, rule: str, labels: Mapping[str, str]) -> None:
        self.intake = intake
        self.began: datetime = intake.clock.now()
        self.labels = {"alertname": rule, "cluster": CLUSTER, **labels_of(rule), **labels}
        self.group = f"{{}}:{{alertname={rule}, cluster={CLUSTER}, namespace={labels.get('namespace', '')}}}"
        self._finding = {
            "code": code,
            "kind": kind,
            "namespace": labels.get("namespace", ""),
            "severity": Severity.CRITICAL,
            "part": labels.get("container", ""),
            "since": self.began,
            "evidence": {"node": labels["node"]} if kind == "Pod" else {},
        }
        self._name = name

    async def health(self, change: Change = Change.OPENED) -> None:
        data = an_event(self._name, change, at=self.intake.clock.now(), **self._finding)
        event = HealthEvent(
            id=f"{change}-{self.intake.clock.now()}",
            source=f"/clusters/{CLUSTER}",
            type=f"{EVENT_TYPE_PREFIX}.finding.{change}.v1",
            subject=self._name,
            time=self.intake.clock.now(),
            cursor=1,
            data=data,
        )
        await self.intake.take(event.model_dump_json().encode(), source=Source.HEALTH)

    async def rule(self) -> None:
        """Once it has held for as long as the rule asks for, and Alertmanager has waited for others."""
        await self.intake.take(a_post(self.alert(at=self.began + QUARTER), group=self.group))

    async def rule_is_over(self) -> None:
        over = a_resolved_alert(at=self.intake.clock.now())
        await self.intake.take(a_post({**self.alert(at=self.began + QUARTER), **_ended(over)}, group=self.group))

    def alert(self, *, at: datetime) -> dict[str, Any]:
        found = an_alert(at=at)
        return {**found, "labels": self.labels, "fingerprint": None}

    async def tick(self, **duration: float) -> None:
        self.intake.clock.step(timedelta(**duration).total_seconds())
        while await self.intake.clockwork.work():
            pass


def _ended(resolved: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "resolved", "endsAt": resolved["endsAt"]}


async def loud(intake: Intake) -> list[str]:
    """Names of the alerts that people were to notice, in their order."""
    rows = await intake.rows(
        "SELECT title FROM delivery JOIN incident ON incident.id = incident_id "
        "WHERE loud AND delivery.kind = 'card' ORDER BY number"
    )
    return [title.partition(":")[0] for (title,) in rows]


async def families(intake: Intake) -> list[tuple[str, str | None]]:
    """Each incident with its parent."""
    rows = await intake.rows(
        "SELECT one.title, other.title FROM incident one LEFT JOIN incident other ON other.id = one.parent_id"
    )
    return [(one.partition(":")[0], other and other.partition(":")[0]) for one, other in rows]


@pytest.mark.parametrize(("code", "kind", "name", "rule", "labels"), FAULTS)
async def test_the_event_first(
    alert_database: Database, code: str, kind: str, name: str, rule: str, labels: Mapping[str, str]
) -> None:
    """As nearly always: the rule waits for a quarter of an hour."""
    intake = Intake(alert_database)
    fault = Fault(intake, code, kind, name, rule, labels)
    await fault.health()
    await fault.tick(minutes=15, seconds=45)
    await fault.rule()
    assert dict(await families(intake)) == {code: None, rule: code}
    assert await loud(intake) == [code]

    await fault.tick(minutes=10)
    await fault.health(Change.RESOLVED)  # the rule looks back, and Alertmanager waits for its group_interval
    await fault.tick(minutes=10)
    await fault.rule_is_over()
    assert await intake.states() == ["resolved", "resolved"]
    assert await loud(intake) == [code]


@pytest.mark.parametrize(("code", "kind", "name", "rule", "labels"), FAULTS)
async def test_the_rule_first(
    alert_database: Database, code: str, kind: str, name: str, rule: str, labels: Mapping[str, str]
) -> None:
    """health_monitor was away when it broke, and tells of it an hour later: loudly only where it knows it to be worse,
    and from then on for both."""
    intake = Intake(alert_database)
    fault = Fault(intake, code, kind, name, rule, labels)
    await fault.tick(minutes=15, seconds=45)
    await fault.rule()
    await fault.tick(minutes=44)
    await fault.health()
    worse = labels_of(rule)["severity"] != "critical"
    first, second = (code, rule) if worse else (rule, code)
    assert dict(await families(intake)) == {first: None, second: first}
    assert await loud(intake) == ([rule, code] if worse else [rule])

    await fault.tick(hours=4, minutes=30)  # people are told again that it still fires, and not of both
    assert (await loud(intake))[1 + worse :] == [first]
