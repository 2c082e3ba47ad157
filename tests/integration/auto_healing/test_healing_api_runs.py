"""Runs over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.healing_execution import Execution, an_execution
from tests.support.healing_store import VOUCHING_TOKEN, a_healing_client, a_plan
from tests.support.rows import a_deployment, a_namespace, a_node, a_pod, a_replica_set, a_snapshot, owned_by

from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.api.runs import router
from auto_healing.plan import Mode, Plan
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.run import Run
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.inbox import Inbox
from auto_healing.world import World
from common.web.auth import Scope

pytestmark = pytest.mark.database

DEPLOYMENT = a_deployment("checkout", replicas=2, ready_replicas=1)
REPLICA_SET = a_replica_set("checkout-7d4b9c", owner=owned_by(DEPLOYMENT), replicas=2, ready_replicas=1)
BAD = a_pod("checkout-1", uid="uid-checkout-1", ready=False, owner=owned_by(REPLICA_SET))


@dataclass
class Api:
    """The routes over what carries out runs."""

    execution: Execution
    client: httpx.AsyncClient

    async def stored(self, plan: Plan | None = None) -> Run:
        (answer,) = await self.execution.runs.propose([plan or a_plan()], epoch=self.execution.epoch)
        assert answer.run is not None
        return answer.run

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(f"/api/v1/runs{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(f"/api/v1/runs{path}", json=body)


@asynccontextmanager
async def an_api(url: str, scope: Scope | None = Scope.ADMIN, **changes: Any) -> AsyncIterator[Api]:
    snapshot = a_snapshot(a_namespace("shop"), DEPLOYMENT, REPLICA_SET, BAD, a_node("node-1"))
    async with an_execution(url, clock=SteppedClock(), snapshot=snapshot, **changes) as execution:
        client = a_healing_client(execution.database, [router], scope=scope, snapshot=snapshot)
        services = client._transport.app.state.services  # type: ignore[attr-defined]
        services.world = lambda: World(now=NOON, snapshot=snapshot, policy=DEFAULT_POLICY, history=execution.past)
        services.storage.stored.runs = execution.runs
        services.storage.stored.inbox = Inbox(execution.database)
        async with client:
            yield Api(execution, client)


async def test_runs_are_listed_by_what_they_are_page_by_page(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        made = []
        for number in range(3):
            made.append(await api.stored(a_plan(f"checkout-{number}", mode=Mode.APPROVE if number else Mode.AUTO)))
            api.execution.clock.step(1)  # type: ignore[attr-defined]
        first = await api.get("", limit=2)
        assert [each["id"] for each in first["items"]] == [str(made[2].id), str(made[1].id)]
        rest = await api.get("", limit=2, cursor=first["next_cursor"])
        assert [each["id"] for each in rest["items"]] == [str(made[0].id)]
        assert rest["next_cursor"] is None
        waiting = await api.get("", state=["awaiting-approval", "running"], namespace="shop", action="delete-pod")
        assert len(waiting["items"]) == 2
        assert (await api.get("", name="nobody"))["items"] == []


async def test_one_run_is_shown_with_all_that_is_known_of_it(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        run = await api.stored()
        assert (await api.get(f"/{run.id}"))["run"]["reason"] == run.plan.steps[0].reason != ""
        evidence = EvidenceStore(api.execution.database)
        kept = await evidence.save(run.plan.target, {"logs": "x"}, run_id=run.id, at=NOON, epoch=api.execution.epoch)
        await api.execution.carry_out(run)
        shown = await api.get(f"/{run.id}")
        assert shown["run"]["state"] == "verifying"
        assert shown["fault"]["subject"] == {"kind": "Pod", "namespace": "shop", "name": "checkout-1", "uid": ""}
        assert shown["fault"]["findings"][0]["code"] == "pod-crash-loop"
        (step,) = shown["steps"]
        assert (step["state"], step["result"], step["tries"]) == ("done", "done", 1)
        assert [moment["event"] for moment in shown["timeline"]] == [entry["event"] for entry in shown["ledger"]]
        assert (shown["ledger"][0]["event"], shown["timeline"][0]["by"]) == ("proposed", "policy")
        assert [each["id"] for each in shown["evidence"]] == [str(kept)]


async def test_a_person_says_yes_or_no_once(healing_url: str) -> None:
    async with an_api(healing_url, Scope.APPROVE) as api:
        yes, no = await api.stored(a_plan("a", mode=Mode.APPROVE)), await api.stored(a_plan("b", mode=Mode.APPROVE))
        approved = await api.post(f"/{yes.id}/approve")
        assert (approved.status_code, approved.json()["approved_by"]) == (200, "approve")
        denied = await api.post(f"/{no.id}/deny", {"reason": "not today"})
        assert (denied.status_code, denied.json()["state"]) == (200, "declined")
        assert (await api.post(f"/{no.id}/approve")).status_code == 409
        assert (await api.post(f"/{uuid4()}/approve")).status_code == 404


async def test_a_service_passes_on_what_people_decide_and_the_ledger_names_both(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        yes, no = await api.stored(a_plan("a", mode=Mode.APPROVE)), await api.stored(a_plan("b", mode=Mode.APPROVE))
        api.client.headers.update({"Authorization": f"Bearer {VOUCHING_TOKEN}", "On-Behalf-Of": "ana@example.com"})
        approved = (await api.post(f"/{yes.id}/approve")).json()
        assert (approved["approved_by"], approved["vouched_by"]) == ("ana@example.com", "alerts")
        denied = (await api.post(f"/{no.id}/deny", {})).json()
        assert (denied["state"], denied["reason"]) == ("declined", "denied by ana@example.com")
        for run in (yes, no):
            shown = await api.get(f"/{run.id}")
            entry, moment = shown["ledger"][-1], shown["timeline"][-1]
            assert (entry["actor"], entry["data"]) == ("ana@example.com", {"vouched_by": "alerts"})
            assert moment["by"] == "ana@example.com via alerts"


@pytest.mark.parametrize(
    ("scope", "person", "status", "why"),
    [
        pytest.param(Scope.APPROVE, "ana", 403, "lacks the scope delegate", id="who may only speak for itself"),
        pytest.param(Scope.ADMIN, "ana", 403, "lacks the scope delegate", id="an administrator"),
        pytest.param(None, "policy", 422, "policy is no person", id="in the name of the policy"),
        pytest.param(None, "auto_healing", 422, "auto_healing is no person", id="in the name of the service itself"),
        pytest.param(None, " ", 422, "On-Behalf-Of", id="in the name of nobody"),
    ],
)
async def test_nobody_speaks_for_others(
    healing_url: str, scope: Scope | None, person: str, status: int, why: str
) -> None:
    async with an_api(healing_url, scope or Scope.ADMIN) as api:
        run = await api.stored(a_plan(mode=Mode.APPROVE))
        if scope is None:
            api.client.headers["Authorization"] = f"Bearer {VOUCHING_TOKEN}"
        api.client.headers["On-Behalf-Of"] = person
        answer = await api.post(f"/{run.id}/approve")
        assert answer.status_code == status
        assert why in answer.text
        assert (await api.execution.found(run.id)).state is run.state


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        pytest.param(None, "", 401, id="nobody may read"),
        pytest.param(Scope.READ, "/approve", 403, id="a reader may not approve"),
        pytest.param(Scope.OPERATE, "/approve", 403, id="an operator may not approve"),
        pytest.param(Scope.APPROVE, "/undo", 403, id="an approver may not undo"),
    ],
)
async def test_who_may_do_what(healing_url: str, scope: Scope | None, path: str, status: int) -> None:
    async with an_api(healing_url, scope) as api:
        run = await api.stored(a_plan(mode=Mode.APPROVE))
        answer = await api.post(f"/{run.id}{path}", {"reason": "x"}) if path else await api.client.get("/api/v1/runs")
        assert answer.status_code == status
        assert (await api.execution.found(run.id)).state == run.state


async def test_a_run_is_taken_back_when_a_person_wants_it(healing_url: str) -> None:
    async with an_api(healing_url, Scope.OPERATE) as api:
        run = await api.stored()
        refused = await api.post(f"/{run.id}/undo", {"reason": "wrong pod"})
        assert (refused.status_code, "nothing to undo" in refused.json()["detail"]) == (409, True)
        await api.execution.carry_out(run)
        asked = await api.post(f"/{run.id}/undo", {"reason": "wrong pod"})
        assert (asked.status_code, asked.json()["undo_by"]) == (202, "operate")


def wish(**changes: Any) -> dict[str, Any]:
    target = {"kind": "Pod", "namespace": "shop", "name": "checkout-1"}
    return {"action": "delete-pod", "target": target, "reason": "it hangs"} | changes


async def test_an_action_asked_for_by_hand_becomes_a_run_or_is_declined_with_the_reason(healing_url: str) -> None:
    async with an_api(healing_url, Scope.OPERATE, actions=(DeletePod(),)) as api:
        answer = await api.post("", wish())
        shown = answer.json()
        if answer.status_code == 202:
            assert (shown["state"], shown["requested_by"], shown["rule"]) == ("approved", "operate", "by-hand")
            assert shown["target"]["uid"] == BAD.uid
            again = await api.post("", wish())
            assert (again.status_code, again.json()["guard"]) == (409, "one-run-per-target")
        else:
            assert (answer.status_code, shown["guard"] != "") == (409, True), shown
            stored = await api.get(f"/{shown['run']}")
            assert stored["run"]["state"] == "declined"
            assert stored["declined"][0]["guard"] == shown["guard"]


async def test_what_a_person_asked_for_and_why_is_known_also_when_it_was_declined(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        await api.post("", wish(target={"kind": "Pod", "namespace": "shop", "name": "nobody"}))
        (run,) = (await api.get("", action="delete-pod", state="declined"))["items"]
        (step,) = (await api.get(f"/{run['id']}"))["steps"]
        assert step["reason"] == "admin asked for it: it hangs"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"action": "delete-everything"}, 422, id="an action that there is not"),
        pytest.param({"action": "cordon"}, 422, id="an action for another kind"),
        pytest.param(
            {"target": {"kind": "Pod", "namespace": "shop", "name": "nobody"}}, 409, id="a pod that is not there"
        ),
        pytest.param({"reason": ""}, 422, id="no reason"),
        pytest.param({"parameters": {"force": True}}, 422, id="a parameter that there is not"),
        pytest.param({"surprise": 1}, 422, id="a field that there is not"),
    ],
)
async def test_wishes_that_make_no_sense(healing_url: str, changes: dict[str, Any], status: int) -> None:
    async with an_api(healing_url) as api:
        answer = await api.post("", wish(**changes))
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_parameter_is_named_and_leaves_no_run(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        answer = await api.post("", wish(parameters={"force": True}))
        (mistake,) = answer.json()["errors"]
        assert mistake["path"] == "/parameters"
        assert "there is no parameter force" in mistake["message"]
        assert (await api.get(""))["items"] == []


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        pytest.param({"kind": "pod"}, "did you mean Pod?", id="a kind in lower case"),
        pytest.param({"kind": "Deployments"}, "did you mean Deployment?", id="kinds"),
        pytest.param({"action": "delete-pods"}, "did you mean delete-pod?", id="an action that there is not"),
    ],
)
async def test_filters_that_nothing_can_match_are_told(healing_url: str, wrong: dict[str, str], meant: str) -> None:
    async with an_api(healing_url) as api:
        answer = await api.client.get("/api/v1/runs", params=wrong)
        assert answer.status_code == 422, answer.text
        assert meant in answer.text
        assert (await api.get("", kind="CloneSet"))["items"] == [], "which may own pods"


async def test_while_the_cluster_is_being_read_nothing_can_be_asked_for(healing_url: str) -> None:
    async with an_api(healing_url) as api:
        api.client._transport.app.state.services.synced = lambda: False  # type: ignore[attr-defined]
        assert (await api.post("", wish())).status_code == 503
        assert (await api.get(""))["items"] == []
