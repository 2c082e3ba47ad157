"""The route of what-ifs, in process, over rows; and a cluster on which to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from tests.support.clock import NOON
from tests.support.healing_facts import Told
from tests.support.rows import a_lease
from tests.support.web import READ_TOKEN, TOKENS, client_of

from auto_healing.api import plans
from auto_healing.api.services import Services
from auto_healing.facts import Sight
from auto_healing.policy.parse import parse_policy
from auto_healing.world import World
from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.cluster.store import Store
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings


class Untouchable:
    """Whatever it is asked for, a what-if had no business there."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a what-if reached for {name} of what writes or stores")


def a_plan_world(snapshot: ClusterSnapshot, *, policy: str = "mode: auto") -> World:
    sight = Sight(synced_at=NOON - timedelta(hours=1), health_monitor_heard_at=NOON)
    return World(now=NOON, snapshot=snapshot, policy=parse_policy(f"version: 1\n{policy}"), history=Told(), sight=sight)


def a_plans_app(snapshot: Store, *, policy: str = "mode: auto", synced: bool = True) -> FastAPI:
    """Neither the cluster nor the database can be reached: touching them fails the request."""
    for node in snapshot.rows(NodeRow).values():
        snapshot.apply(a_lease(node.name))
    world = a_plan_world(snapshot, policy=policy)
    app = create_app(
        "auto_healing",
        "1.0",
        routers=[plans.router],
        authenticator=TOKENS,
        probes=(),
        metrics=ServiceMetrics("auto_healing", "1.0"),
        settings=WebSettings(),
    )
    nothing: Any = Untouchable()
    app.state.services = Services(
        cluster_name="test",
        now=lambda: NOON,
        snapshot=snapshot,
        synced=lambda: synced,
        world=lambda: world,
        policy=lambda: world.policy,
        policy_file=None,
        storage=nothing,
        cluster=nothing,
    )
    return app


@asynccontextmanager
async def a_plans_client(
    snapshot: Store, *, token: str | None = READ_TOKEN, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(a_plans_app(snapshot, **settings), token) as client:
        yield client
