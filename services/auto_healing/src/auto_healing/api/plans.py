"""What-if over HTTP: the whole plan of an action, a drain or a loss, before anybody acts. It writes nothing."""

import asyncio
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from auto_healing.api.aside import aside
from auto_healing.api.parameters import wrong_action
from auto_healing.api.plan_shapes import PlanShown, Shown, body_of
from auto_healing.api.runs import Name, TargetRequest, Value
from auto_healing.api.services import SyncedServices, world_of
from auto_healing.whatif import WhatIf, what_if_action, what_if_drained, what_if_lost
from auto_healing.world import World
from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, ObjectRef
from common.contracts.objects import ZONE
from common.policy.mistakes import nearest
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["plans"], dependencies=[MAY_READ])

MOST_NODES = 100
NodeName = Annotated[str, Field(min_length=1, max_length=253, description="Name of the node", examples=["node-7"])]
Parameters = Annotated[
    dict[Name, Value], Field(max_length=20, description="Of the action, as the catalogue of actions says")
]


class Question(BaseModel):
    """What every what-if may say."""

    model_config = ConfigDict(extra="forbid")

    pods: Annotated[Shown, Field(description="Which pods the answer lists; the totals count all")] = Shown.ALL


class ActionQuestion(Question):
    """One action on one object, as asked for by hand."""

    scenario: Literal["action"]
    action: Annotated[str, Field(max_length=63, description="Code of the action", examples=["evict-pod"])]
    target: TargetRequest
    parameters: Parameters = {}


class DrainQuestion(Question):
    """Nodes that are cordoned together and drained one after the other."""

    scenario: Literal["drain"]
    nodes: Annotated[list[NodeName], Field(min_length=1, max_length=MOST_NODES, description="In this order")]
    parameters: Parameters = {}


class LostNodeQuestion(Question):
    """A node that is gone at once."""

    scenario: Literal["lost-node"]
    node: NodeName


class LostZoneQuestion(Question):
    """All nodes of a zone, gone at once."""

    scenario: Literal["lost-zone"]
    zone: Annotated[str, Field(min_length=1, max_length=63, description="Name of the zone", examples=["eu-west-1a"])]


AnyQuestion = Annotated[
    ActionQuestion | DrainQuestion | LostNodeQuestion | LostZoneQuestion, Field(discriminator="scenario")
]


def _turn(request: Request) -> asyncio.Lock:
    """One at a time: each may be a whole zone of work on a copy of the cluster; a second would only slow both."""
    state = request.app.state
    if not hasattr(state, "planning"):
        state.planning = asyncio.Lock()
    turn: asyncio.Lock = state.planning
    return turn


@router.post("/plans", response_model=PlanShown, responses=responses(404))
async def plan(
    services: SyncedServices, turn: Annotated[asyncio.Lock, Depends(_turn)], question: AnyQuestion
) -> Response:
    """What would happen, with a destination for every pod that is displaced, or the reason why it fits nowhere.

    Capacity is subtracted from pod to pod, disruption budgets are counted down, and the guards say what they would
    decline now. Nothing is written, neither to the cluster nor to the ledger.
    """
    async with turn:
        world = replace(await world_of(services), snapshot=services.snapshot.copy())
        body = await aside(_answer, question, world)
    return Response(body, media_type="application/json")


def _answer(question: AnyQuestion, world: World) -> bytes:
    """In a thread, over a copy of the cluster that nobody changes."""
    return body_of(_what_if(question, world), world.snapshot, world.now, question.pods)


def _what_if(question: AnyQuestion, world: World) -> WhatIf:
    match question:
        case ActionQuestion():
            return _action(question, world)
        case DrainQuestion():
            nodes = [_node(name, world.snapshot) for name in dict.fromkeys(question.nodes)]
            try:
                return what_if_drained(nodes, question.parameters, world)
            except ValueError as error:
                raise wrong_action(error) from None
        case LostNodeQuestion():
            node = _node(question.node, world.snapshot)
            return what_if_lost(node.key.ref(node.uid), [node], world)
        case LostZoneQuestion():
            return what_if_lost(
                ObjectKey(ZONE, "", question.zone).ref(), _nodes_of(question.zone, world.snapshot), world
            )


def _action(question: ActionQuestion, world: World) -> WhatIf:
    target = ObjectRef(**question.target.model_dump())
    try:
        answer = what_if_action(question.action, target, question.parameters, world)
    except ValueError as error:
        raise wrong_action(error) from None
    row = world.snapshot.find(target.key)
    if row is None or target.uid not in {"", row.uid}:
        raise Problem(404, f"there is no {target.key}{f' with uid {target.uid}' if row else ''}")
    return answer


def _node(name: str, snapshot: ClusterSnapshot) -> NodeRow:
    node = snapshot.node(name)
    if node is None:
        raise Problem(404, f"there is no node {name}{nearest(name, (key.name for key in snapshot.rows(NodeRow)))}")
    return node


def _nodes_of(zone: str, snapshot: ClusterSnapshot) -> list[NodeRow]:
    zones = snapshot.zones()
    if zone not in zones:
        raise Problem(404, f"no node is in zone {zone}; there are {', '.join(sorted(zones)) or 'no zones'}")
    return [_node(name, snapshot) for name in zones[zone]]
