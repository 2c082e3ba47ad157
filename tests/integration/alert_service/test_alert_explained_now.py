"""What would happen to an alert now is what happens to it a moment later, whatever else goes on; on a real database."""

from typing import Any

import pytest
from tests.support.alert_intake import Intake, a_post, an_alert

from alert_service.api import explain
from alert_service.incidents.alert import Source
from alert_service.routing.routing import Routes
from common.contracts import Notice, ObjectRef
from common.contracts.healing import NoticeKind
from common.database.connections import Database

pytestmark = pytest.mark.database

PEOPLE = ["ana", "ben", "eve"]
POLICY: dict[str, Any] = {
    "routes": [{"name": "all", "channels": ["sre"], "escalation": "up"}],
    "escalations": {"up": {"steps": [{"people": PEOPLE, "channels": ["sre"], "round_robin": True}], "repeat": 0}},
    "people": {name: {"identity": f"{name}@example.com"} for name in PEOPLE},
    "storm": {"incidents": 4},
    "correlation": {"by": ["node"]},
}
NODE = an_alert(alertname="NodeNotReady", namespace="", pod="", node="n1", severity="critical")


def a_notice(pod: str, at: Any) -> bytes:
    subject = ObjectRef(kind="Pod", namespace="shop", name=pod)
    notice = Notice(id=pod, kind=NoticeKind.STARTED, at=at, subject=subject, action="delete-pod", message="is at work")
    return notice.model_dump_json().encode()


async def foreseen(intake: Intake, labels: dict[str, str]) -> dict[str, Any]:
    async with intake.client(routers=[explain.router]) as http:
        services = http._transport.app.state.services  # type: ignore[attr-defined]
        services.routes = lambda: Routes(intake.policy)
        services.storage.stored.silencing = None
        answer = await http.post("/api/v1/explain", json={"labels": labels})
        found: dict[str, Any] = answer.raise_for_status().json()["alert"]
        return found


async def happened(intake: Intake, alert: dict[str, Any], group: str) -> tuple[Any, ...]:
    """Its messages, what holds it back, whether something explains it, and whose turn it is."""
    ((newest,),) = await intake.rows("SELECT coalesce(max(number), 0) FROM delivery")
    await intake.take(a_post(alert, group=group))
    ((number, held, parent, turn),) = await intake.rows(
        "SELECT id, value->'suppression'->>'reason', parent_id IS NOT NULL, value->'escalation'->'turn' "
        "FROM incident WHERE group_key = :group",
        group=group,
    )
    told = await intake.rows(
        "SELECT channel, kind, reason, loud FROM delivery WHERE number > :newest AND incident_id = :id ORDER BY number",
        newest=newest,
        id=number,
    )
    return told, held, parent, None if turn is None else PEOPLE[turn % 3]


@pytest.mark.parametrize("number", range(9))
async def test_is_what_happens_then(alert_database: Database, number: int) -> None:
    """The first are told, each to another person; the fourth begins a storm, the fifth is in it, unless it is critical.
    Some are on a lost node, and one is being healed."""
    intake = Intake(alert_database, policy=POLICY)
    await intake.take(a_notice("web-8", intake.clock.now()), source=Source.HEALING)
    if number in (5, 6):
        await intake.take(a_post(NODE, group="node"))
    if number != 8:
        for before in range(number):
            await intake.take(a_post(an_alert(f"web-{before}"), group=f"group {before}"))
    node = {"node": "n1" if number == 5 else "n2"}
    alert = an_alert(f"web-{number}", severity="critical" if number == 7 else "warning", **node)

    said = await foreseen(intake, alert["labels"])
    told, held, parent, person = await happened(intake, alert, "the one")

    explanation = said["explanation"]
    assert [(each["channel"], each["kind"], each["reason"], each["loud"]) for each in said["messages"]] == told
    assert (explanation["suppression"] or {}).get("reason") == held
    assert (explanation["correlation"] is not None) is parent
    assert [each["people"] for each in explanation["escalation"]] == ([[person]] if person else [])
