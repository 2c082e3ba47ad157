"""A drain as a run, from its first step to its undo, on a real control plane and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.following import following, kinds
from tests.support.healing_cluster import a_budget
from tests.support.healing_execution import Execution, a_step, an_execution
from tests.support.healing_nodes import Ground, LateClock, Watching, ground, nodes_cluster
from tests.support.healing_store import a_plan
from tests.support.waiting import eventually

from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.leased import ChangeState
from auto_healing.run import Run, RunState
from auto_healing.storage.changes import ChangeFilter, Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.keeping import Keeping
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.tombstones import Tombstones
from common.database.connections import Database

__all__ = ["ground", "nodes_cluster"]
pytestmark = [pytest.mark.cluster, pytest.mark.database]


@asynccontextmanager
async def a_drain(ground: Ground, database: Database, url: str, *, late: bool) -> AsyncIterator[tuple[Execution, Run]]:
    """A run that drains the node, whose only workload a budget holds. `late`: its deadline passes at that."""
    await ground.run(replicas=2)
    ground.place.cluster.api.create(a_budget(ground.place.namespace, minAvailable=2))
    await ground.budgeted(2)
    clock = LateClock()

    def store_of(run_id: Any, epoch: int) -> Keeping:
        return Keeping(
            database=database,
            evidence=EvidenceStore(database),
            manifests=Manifests(database),
            changes=Changes(database),
            tombstones=Tombstones(database),
            clock=clock,
            run_id=run_id,
            epoch=epoch,
        )

    cluster = Watching(ground.place, when_blocked=clock.be_late if late else lambda: None)
    async with following(ground.place.api, kinds("Node", "Pod", "PodDisruptionBudget")) as watch:
        await watch.synced.wait()
        parts: dict[str, Any] = {"cluster": cluster, "snapshot": watch.store, "clock": clock, "store_of": store_of}
        async with an_execution(url, actions=NODE_ACTIONS, **parts) as execution:
            node = ground.ref(ground.nodes[0])
            plan = a_plan(target=node, steps=(a_step("drain", node),))
            (answer,) = await execution.runs.propose([plan], epoch=execution.epoch)
            assert answer.run is not None
            yield execution, answer.run


async def states(database: Database) -> list[ChangeState]:
    return [each.state for each in await Changes(database).list(ChangeFilter())]


async def test_a_drain_that_a_budget_blocks_is_undone_and_says_by_whom(
    ground: Ground, healing_database: Database, healing_url: str
) -> None:
    async with a_drain(ground, healing_database, healing_url, late=True) as (execution, run):
        ended = await execution.carry_out(run)
        assert ended.state is RunState.UNDONE
        assert "held by PDB web" in ended.reason
        assert not ground.cordoned(ground.nodes[0])
        assert await states(healing_database) == [ChangeState.RETURNED]
        assert len(ground.placed("web")) == 2
        told = await execution.told(run.id)
        assert told.index("change-leased") < told.index("change-returned")


async def test_a_drain_under_way_is_broken_off_and_undone_when_somebody_asks(
    ground: Ground, healing_database: Database, healing_url: str
) -> None:
    async with a_drain(ground, healing_database, healing_url, late=False) as (execution, run):
        carrying = asyncio.create_task(execution.carry_out(run))

        async def cordoned() -> bool:
            return ground.cordoned(ground.nodes[0])

        await eventually(cordoned)
        await execution.runs.ask_undo(run.id, "bob", "stop it")
        assert execution.epoch is not None
        await execution.watch.look(execution.epoch)
        ended = await carrying
        assert (ended.state, ended.reason) == (RunState.UNDONE, "stop it")
        assert not ground.cordoned(ground.nodes[0])
        assert len(ground.placed("web")) == 2
