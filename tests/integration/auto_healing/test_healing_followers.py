"""A replica that does not lead answers by what the leader has done."""

import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.healing_execution import an_execution
from tests.support.healing_facts import a_finding
from tests.support.healing_store import a_healing_client, a_plan
from tests.support.rows import a_deployment, a_namespace, a_node, a_pod, a_replica_set, a_snapshot, owned_by

from auto_healing.api.plans import router
from auto_healing.api.services import world_of
from auto_healing.findings import KnownFinding, OpenFindings
from auto_healing.history import History
from auto_healing.past import Past
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.storage.inbox import Inbox, settle
from auto_healing.world import World

pytestmark = pytest.mark.database

DEPLOYMENT = a_deployment("checkout", replicas=2)
REPLICA_SET = a_replica_set("checkout-7d4b9c", owner=owned_by(DEPLOYMENT), replicas=2)
PODS = [a_pod(f"checkout-{n}", uid=f"uid-checkout-{n}", owner=owned_by(REPLICA_SET)) for n in (1, 2)]
QUESTION = {
    "scenario": "action",
    "action": "delete-pod",
    "target": {"kind": "Pod", "namespace": "shop", "name": "checkout-2"},
}


@pytest.mark.parametrize("acting", [pytest.param(True, id="the leader"), pytest.param(False, id="another replica")])
async def test_a_what_if_knows_the_run_at_work(healing_url: str, acting: bool) -> None:
    snapshot = a_snapshot(a_namespace("shop"), DEPLOYMENT, REPLICA_SET, *PODS, a_node("node-1"))
    async with an_execution(healing_url, clock=SteppedClock(), snapshot=snapshot) as execution:
        (answer,) = await execution.runs.propose([a_plan("checkout-1")], epoch=execution.epoch)
        assert answer.run is not None
        own = execution.past if acting else Past()

        def world(history: History = own) -> World:
            return World(now=NOON, snapshot=snapshot, policy=DEFAULT_POLICY, history=history)

        client = a_healing_client(execution.database, [router], snapshot=snapshot, acting=acting)
        services = client._transport.app.state.services  # type: ignore[attr-defined]
        services.world, services.snapshot = world, snapshot
        services.storage.stored.runs = execution.runs
        services.storage.stored.inbox = Inbox(execution.database)
        async with client:
            told = await client.post("/api/v1/plans", json=QUESTION)
    assert told.status_code == 200, told.text
    (part,) = told.json()["parts"]
    assert str(answer.run.id) in " ".join(each["message"] for each in part["declined"])


async def test_what_health_monitor_told_the_leader_is_known(healing_url: str) -> None:
    """Else a person's wish would be refused by every replica but one: nothing was heard, and nothing is open."""
    snapshot = a_snapshot(*PODS)
    finding = a_finding(PODS[0])
    async with an_execution(healing_url, clock=SteppedClock(), snapshot=snapshot) as execution:
        inbox = Inbox(execution.database)
        await inbox.receive((), NOON, read_up_to=7)
        async with execution.database.begin() as connection:
            await settle(connection, (), [KnownFinding(finding=finding, cursor=7, opened_at=NOON)], NOON)
        client = a_healing_client(execution.database, [router], snapshot=snapshot, acting=False)
        services = client._transport.app.state.services  # type: ignore[attr-defined]
        services.world = lambda history: World(
            now=NOON, snapshot=snapshot, policy=DEFAULT_POLICY, history=history, open_findings=OpenFindings()
        )
        services.storage.stored.runs, services.storage.stored.inbox = execution.runs, inbox
        world = await world_of(services)
        await client.aclose()
    assert world.sight.health_monitor_heard_at == NOON
    assert world.open_findings is not None
    assert finding.key in world.open_findings
