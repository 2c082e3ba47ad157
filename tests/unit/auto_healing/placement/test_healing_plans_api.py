"""What-if over HTTP: the whole plan, and nothing but a plan."""

import json
from typing import Any

import pytest
from tests.support.healing_placement import node, pod, room
from tests.support.healing_plans_api import a_plans_client
from tests.support.rows import a_deployment, a_namespace, a_pdb, a_replica_set, a_snapshot, a_stateful_set, owned_by
from tests.support.web import READ_TOKEN

from auto_healing.api.plan_shapes import CHUNK
from common.cluster.rows import NodeRow, PodRow, Row, Toleration
from common.cluster.store import Store

DEPLOYMENT = a_deployment()
SET = a_replica_set(owner=owned_by(DEPLOYMENT))
PLANS = "/api/v1/plans"
DRAIN = {"scenario": "drain", "nodes": ["n1"]}
EVICTION = {"scenario": "action", "action": "evict-pod", "target": {"kind": "Pod", "namespace": "shop", "name": "p0"}}
PATIENT = (Toleration(key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", seconds=300),)


def a_shop(*rows: Row) -> Store:
    """Two pods on n1, one on n2, nothing on n3, which takes one of them."""
    return a_snapshot(
        a_namespace(labels={"k8s-health-checker/heal": "on"}),
        node("n1", zone="zone-a"),
        node("n2", zone="zone-b", allocatable=room(cpu=100)),
        node("n3", zone="zone-b", allocatable=room(cpu=100)),
        DEPLOYMENT,
        SET,
        *(pod(f"p{number}", on, owner=owned_by(SET)) for number, on in enumerate(("n1", "n1", "n2"))),
        *rows,
    )


async def asked(snapshot: Store, question: dict[str, Any], **settings: Any) -> dict[str, Any]:
    async with a_plans_client(snapshot, **settings) as client:
        answer = await client.post(PLANS, json=question)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def test_a_drain_tells_where_each_pod_goes_and_what_stands_in_its_way() -> None:
    plan = await asked(a_shop(a_pdb(disruptions_allowed=1)), DRAIN)
    assert [(each["pod"]["name"], each["to_node"], each["blocked_by"]) for each in plan["displaced"]] == [
        ("p0", "n3", []),
        ("p1", "", ["checkout"]),
    ]
    assert plan["displaced"][1]["reason"].startswith("0/3 nodes are available: 2 Insufficient cpu")
    assert plan["totals"] == {
        "nodes": 1,
        "pods": 2,
        "placed": 1,
        "fit_nowhere": 1,
        "not_made_again": 0,
        "held_up": 1,
        "outages": 0,
        "reasons": {plan["displaced"][1]["reason"]: 1},
    }
    (budget,) = plan["blocking_budgets"]
    assert (budget["name"], budget["disruptions_allowed"], budget["pods"]) == ("checkout", 1, 1)
    assert "1 at a time" in budget["message"]
    (part,) = plan["parts"]
    assert (part["target"]["name"], part["action"], part["pods"]) == ("n1", "drain", 2)
    assert not plan["allowed"]
    assert "capacity" in [decline["guard"] for decline in part["declined"]]
    assert plan["expected_seconds"] > 0


async def test_a_drain_that_nothing_stops_is_allowed() -> None:
    plan = await asked(a_shop(node("n4", zone="zone-a")), DRAIN)
    assert plan["allowed"], plan["parts"]
    assert plan["totals"]["placed"] == 2


async def test_nodes_drained_in_order_are_all_cordoned_first_and_share_what_room_there_is() -> None:
    plan = await asked(a_shop(), {"scenario": "drain", "nodes": ["n1", "n2", "n1"]})
    assert [part["target"]["name"] for part in plan["parts"]] == ["n1", "n2"]
    assert [each["to_node"] for each in plan["displaced"]] == ["n3", "", ""]
    assert plan["totals"]["nodes"] == 2


@pytest.mark.parametrize(
    ("budgets", "says"),
    [
        pytest.param([a_pdb(disruptions_allowed=0)], ["allows no eviction now"], id="one that allows none"),
        pytest.param(
            [a_pdb(disruptions_allowed=5), a_pdb("more", disruptions_allowed=5)],
            ["can never be evicted"] * 2,
            id="two for the same pods",
        ),
    ],
)
async def test_what_a_blocking_budget_means(budgets: list[Row], says: list[str]) -> None:
    plan = await asked(a_shop(*budgets), DRAIN)
    messages = [budget["message"] for budget in plan["blocking_budgets"]]
    assert len(messages) == len(says)
    assert all(part in message for part, message in zip(says, messages, strict=True))


@pytest.mark.parametrize(
    ("question", "target"),
    [
        pytest.param({"scenario": "lost-node", "node": "n1"}, ("Node", "n1"), id="a node"),
        pytest.param({"scenario": "lost-zone", "zone": "zone-a"}, ("Zone", "zone-a"), id="a zone"),
    ],
)
async def test_a_loss_asks_no_budget_and_no_guard_and_takes_as_long_as_pods_are_patient(
    question: dict[str, Any], target: tuple[str, str]
) -> None:
    patient = pod("q", "n1", tolerations=PATIENT, owner=owned_by(a_stateful_set()))
    plan = await asked(a_shop(a_pdb(disruptions_allowed=0), patient), question)
    (part,) = plan["parts"]
    assert ((part["target"]["kind"], part["target"]["name"]), part["action"], part["declined"]) == (target, "", [])
    assert plan["blocking_budgets"] == []
    assert plan["totals"]["pods"] == 3
    assert plan["expected_seconds"] == 50 + 300 + 30
    assert [note for note in plan["notes"] if "StatefulSet" in note]


async def test_the_loss_of_all_of_a_workload_is_an_outage_with_its_name() -> None:
    plan = await asked(a_shop(), {"scenario": "lost-zone", "zone": "zone-b"})
    assert plan["outages"] == []
    alone = a_snapshot(a_namespace(), node("n1"), node("n2"), DEPLOYMENT, SET, pod("p", "n1", owner=owned_by(SET)))
    plan = await asked(alone, {"scenario": "lost-node", "node": "n1"})
    (outage,) = plan["outages"]
    assert (outage["workload"]["kind"], outage["workload"]["name"], outage["workload"]["uid"]) == (
        "Deployment",
        "checkout",
        DEPLOYMENT.uid,
    )


async def test_an_action_is_planned_as_if_it_were_asked_for_by_hand() -> None:
    plan = await asked(a_shop(), EVICTION)
    (part,) = plan["parts"]
    assert (part["action"], part["target"]["name"], part["pods"]) == ("evict-pod", "p0", 1)
    (only,) = plan["displaced"]
    assert (only["from_node"], only["to_node"] in {"n1", "n3"}) == ("n1", True)


async def test_guards_say_what_they_would_decline() -> None:
    shop = a_shop()
    shop.apply(a_namespace(labels={"k8s-health-checker/heal": "off"}, resource_version="2"))
    (part,) = (await asked(shop, EVICTION))["parts"]
    assert "protected" in [decline["guard"] for decline in part["declined"]]


@pytest.mark.parametrize(
    ("shown", "listed"), [("all", 2), ("troubled", 1), ("none", 0)], ids=["all", "those in trouble", "none"]
)
async def test_an_answer_lists_what_was_asked_for_and_counts_all(shown: str, listed: int) -> None:
    plan = await asked(a_shop(), DRAIN | {"pods": shown})
    assert len(plan["displaced"]) == listed
    assert plan["totals"]["pods"] == 2


async def test_an_answer_in_several_pieces_is_whole() -> None:
    many = [pod(f"many-{number:05d}", "n1") for number in range(CHUNK * 2 + 1)]
    plan = await asked(a_shop(*many), {"scenario": "lost-node", "node": "n1"})
    assert len({each["pod"]["name"] for each in plan["displaced"]}) == CHUNK * 2 + 3 == plan["totals"]["pods"]


@pytest.mark.parametrize(
    ("question", "status", "says"),
    [
        pytest.param(DRAIN | {"nodes": ["n1", "n9"]}, 404, "there is no node n9", id="a node that is not there"),
        pytest.param(
            {"scenario": "lost-zone", "zone": "z"}, 404, "there are zone-a, zone-b", id="a zone that is not there"
        ),
        pytest.param(
            EVICTION | {"target": {"kind": "Pod", "namespace": "shop", "name": "x"}},
            404,
            "there is no Pod shop/x",
            id="a pod that is not there",
        ),
        pytest.param(EVICTION | {"action": "evict"}, 422, "there is no action evict", id="an action that is not there"),
        pytest.param(DRAIN | {"nodes": []}, 422, "at least 1 item", id="no node"),
        pytest.param({"scenario": "flood"}, 422, "must be one of 'action', 'drain'", id="an unknown scenario"),
        pytest.param({}, 422, '"path": "/scenario"', id="no scenario"),
        pytest.param({"scenario": "drain"}, 422, '"path": "/nodes"', id="a drain of nothing"),
        pytest.param(
            EVICTION | {"target": {"kind": "pod", "namespace": "shop", "name": "p0"}},
            422,
            "evict-pod is for a Pod, not for a pod",
            id="a kind as kubectl takes it",
        ),
        pytest.param(
            EVICTION | {"target": {"kind": "Pod", "name": "p0"}},
            422,
            "give its namespace",
            id="a pod without namespace",
        ),
        pytest.param(
            EVICTION | {"target": {"kind": "Node", "name": "n1", "namespace": "shop"}},
            422,
            "leave namespace out",
            id="a node in a namespace",
        ),
        pytest.param(DRAIN | {"node": "n1"}, 422, "not permitted", id="a word that means nothing"),
    ],
)
async def test_a_question_that_cannot_be_answered(question: dict[str, Any], status: int, says: str) -> None:
    async with a_plans_client(a_shop()) as client:
        answer = await client.post(PLANS, json=question)
    assert answer.status_code == status
    assert says in json.dumps(answer.json())


async def test_it_needs_no_more_than_the_right_to_read() -> None:
    for token, status in ((None, 401), (READ_TOKEN, 200)):
        async with a_plans_client(a_shop(), token=token) as client:
            assert (await client.post(PLANS, json=DRAIN)).status_code == status


async def test_it_waits_until_the_cluster_is_known() -> None:
    async with a_plans_client(a_shop(), synced=False) as client:
        assert (await client.post(PLANS, json=DRAIN)).status_code == 503


@pytest.mark.parametrize(
    "question",
    [DRAIN, {"scenario": "lost-node", "node": "n1"}, {"scenario": "lost-zone", "zone": "zone-b"}, EVICTION],
    ids=lambda question: str(question["scenario"]),
)
async def test_nothing_is_written_and_the_cluster_stays_as_it_was_seen(question: dict[str, Any]) -> None:
    """What writes and what stores raise when they are touched; and the store is the same before and after."""
    shop = a_shop(a_pdb())
    before = [dict(shop.rows(kind)) for kind in (NodeRow, PodRow)]
    async with a_plans_client(shop) as client:
        first = await client.post(PLANS, json=question)
        second = await client.post(PLANS, json=question)
    assert first.status_code == 200
    assert first.content == second.content
    assert [dict(shop.rows(kind)) for kind in (NodeRow, PodRow)] == before
