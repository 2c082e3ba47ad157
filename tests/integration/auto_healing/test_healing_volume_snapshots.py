"""A claim goes only after a snapshot of its data is ready: on a real API server that serves volume snapshots."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.support.healing_cleanup import HOUR, Tidying, names_of, tidying
from tests.support.healing_nodes import nodes_cluster
from tests.support.volume_snapshots import GROUP, a_bound_claim, driver_says, install_snapshots, the_snapshot

from auto_healing import marks
from auto_healing.run import RunState
from devcluster import DevCluster
from devcluster.api import collection
from devcluster.testing import fresh_namespace

__all__ = ["nodes_cluster"]
pytestmark = [pytest.mark.cluster, pytest.mark.database]

CLAIMS: dict[str, Any] = {"min_age": "0s", "grace": "1h", "scans": 2, "snapshot_timeout": "5m"}
READY = {"readyToUse": True, "boundVolumeSnapshotContentName": "content-1"}


@asynccontextmanager
async def a_due_claim(cluster: DevCluster, url: str) -> AsyncIterator[Tidying]:
    """A cluster of its own: the new kinds would be news to whoever looks through all kinds at the same time."""
    with fresh_namespace(cluster) as namespace:
        async with tidying(cluster, namespace, url, clean_volume_claims=CLAIMS) as tidy:
            await install_snapshots(tidy.place)
            volume = await a_bound_claim(tidy.place, "orphan-pvc")
            try:
                tidy.clock.step(HOUR)
                scan = await tidy.ripen("clean-volume-claims", every=2 * HOUR)
                assert names_of(scan.due) == ["orphan-pvc"]
                yield tidy
            finally:
                cluster.api.delete(f"{collection('v1/persistentvolumes')}/{volume}")


def claims(tidy: Tidying) -> list[str]:
    return tidy.names("v1/persistentvolumeclaims")


async def test_a_claim_goes_once_its_snapshot_is_ready(nodes_cluster: DevCluster, healing_url: str) -> None:
    async with a_due_claim(nodes_cluster, healing_url) as tidy:
        running = asyncio.create_task(tidy.carry_out())
        snapshot = await the_snapshot(tidy.place)
        assert snapshot["spec"] == {
            "volumeSnapshotClassName": "disks",
            "source": {"persistentVolumeClaimName": "orphan-pvc"},
        }
        assert snapshot["metadata"]["annotations"][marks.OWNED_BY_RUN].startswith(str(tidy.run.id))
        assert claims(tidy) == ["orphan-pvc"]
        driver_says(tidy.place, snapshot, {"readyToUse": False})
        assert claims(tidy) == ["orphan-pvc"]
        driver_says(tidy.place, snapshot, READY)

        assert (await running).state is RunState.VERIFYING
        assert claims(tidy) == []
        assert await tidy.kept() == ["orphan-pvc"]
        assert [each["metadata"]["name"] for each in tidy.place.objects(f"{GROUP}/v1/volumesnapshots")] == [
            snapshot["metadata"]["name"]
        ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param({"readyToUse": False}, "is not ready yet", id="never ready"),
        pytest.param(
            {"readyToUse": False, "error": {"message": "the pool is full"}},
            "failed: the pool is full",
            id="failed, in the driver's words",
        ),
    ],
)
async def test_a_claim_whose_snapshot_is_not_ready_stays_and_is_told(
    status: dict[str, Any], said: str, nodes_cluster: DevCluster, healing_url: str
) -> None:
    async with a_due_claim(nodes_cluster, healing_url) as tidy:
        running = asyncio.create_task(tidy.carry_out())
        snapshot = await the_snapshot(tidy.place)
        driver_says(tidy.place, snapshot, status)
        tidy.clock.step(timedelta(minutes=6))
        run = await running
        name = snapshot["metadata"]["name"]
        outcome = await tidy.outcome(run)
        assert outcome["message"] == f"0 deleted, 1 left because it waits for its VolumeSnapshot {name}, which {said}"
        assert claims(tidy) == ["orphan-pvc"]
        assert await tidy.ledger("deleting") == []

        driver_says(tidy.place, snapshot, READY | {"error": None})
        await tidy.judged()
        await tidy.look("clean-volume-claims")
        assert (await tidy.carry_out()).state is RunState.VERIFYING
        assert claims(tidy) == []
