"""A healer is killed at every boundary of a run: whoever leads next brings it to its end, and nothing is done twice."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.healing_cluster import a_workload, ref_of
from tests.support.healing_database import healing_rows
from tests.support.healing_execution import Execution, a_step
from tests.support.healing_killed import Deadly, a_leader
from tests.support.healing_store import a_plan
from tests.support.waiting import eventually

from auto_healing.fault import Fault, FaultLevel
from auto_healing.marks import CORDONED_BY
from auto_healing.plan import Plan
from auto_healing.run import RunState
from auto_healing.storage.plan_json import to_json
from auto_healing.storage.run_reading import RunFilter
from common.clock import SystemClock
from common.cluster.watch import ClusterWatch
from common.contracts import ObjectRef
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from devcluster import DevCluster
from devcluster.api import collection

pytestmark = [pytest.mark.cluster, pytest.mark.database]

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "healing_killed.py"
DELETION = [
    "propose:before",
    "propose:after",
    "start_step:before",
    "start_step:after",
    "save_evidence:after",
    "delete:before",
    "delete:after",
    "end_step:before",
    "end_step:after",
    "event:after",
    "end:before",
]
# A node is cordoned, which is taken back again when it has healed.
CORDON = ["lease:after", "patch:before", "patch:after", "end_step:before"]
UNDO = ["start_undo:after", "release:before", "end_undo:before"]


def a_plan_for(target: ObjectRef, action: str) -> Plan:
    return a_plan(
        target=target,
        fault=Fault(level=FaultLevel.POD, subject=target.key, findings=()),
        steps=(a_step(action, target),),
        verify_window=timedelta(seconds=30),
    )


async def die(cluster: DevCluster, url: str, deaths: Mapping[str, Plan], *, undo: bool = False) -> None:
    """One leader after another dies, each at its point."""
    task = {
        "kubeconfig": str(cluster.kubeconfig),
        "url": url,
        "undo": undo,
        "deaths": {point: to_json(plan) for point, plan in deaths.items()},
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(PROGRAM), json.dumps(task)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == dict.fromkeys(deaths, signal.SIGKILL), done.stderr[-3000:]


@asynccontextmanager
async def watching(cluster: DevCluster, namespace: str, seen: set[str]) -> AsyncIterator[None]:
    """`seen` gets the uid of every pod that there ever is in the namespace."""
    async with await connect(KubeSettings(kubeconfig=cluster.kubeconfig)) as api:
        watch = ClusterWatch(api, clock=SystemClock())

        async def note() -> None:
            async for batch in watch.changes():
                for change in batch.changes:
                    row = change.after or change.before
                    if change.kind == "Pod" and row is not None and row.namespace == namespace:
                        seen.add(row.uid)

        tasks = [asyncio.create_task(watch.run()), asyncio.create_task(note())]
        try:
            await watch.synced.wait()
            seen |= {pod.uid for pod in watch.store.pods_in(namespace)}
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def all_ended(execution: Execution, *states: RunState) -> None:
    async def ended() -> bool:
        return not [run for run in await execution.runs.search(RunFilter()) if run.state not in states]

    try:
        await eventually(ended)
    except AssertionError as error:
        runs = await execution.runs.search(RunFilter())
        left = [(run.state, run.reason, await execution.told(run.id)) for run in runs if run.state not in states]
        raise AssertionError(f"not ended: {left}") from error


async def pods_of(cluster: DevCluster, namespace: str) -> list[dict[str, Any]]:
    found = await asyncio.to_thread(cluster.api.items, collection("v1/pods", namespace))
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


async def test_a_deletion_is_done_once_wherever_its_healer_is_killed(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    count = len(DELETION)
    devcluster_shared.api.create(a_workload(namespace, replicas=count))

    async def all_ready() -> bool:
        pods = await pods_of(devcluster_shared, namespace)
        return len(pods) == count and all(pod["status"].get("phase") == "Running" for pod in pods)

    await eventually(all_ready)
    targets = [ref_of(pod) for pod in await pods_of(devcluster_shared, namespace)]
    seen: set[str] = set()
    async with watching(devcluster_shared, namespace, seen):
        plans = dict(zip(DELETION, (a_plan_for(target, "delete-pod") for target in targets), strict=True))
        await die(devcluster_shared, healing_url, plans)
        async with (
            a_leader(devcluster_shared.kubeconfig, healing_url, Deadly("never")) as execution,
            execution.working(),
        ):
            await all_ended(execution, RunState.HEALED, RunState.FAILED)  # as on a slow machine, without a new pod
            runs = await execution.runs.search(RunFilter())
            assert len(runs) == count - 1  # of the one killed before it was stored nothing was done
            gone = {run.plan.target.uid for run in runs}
            assert {ref.uid for ref in targets} - gone == {plans["propose:before"].target.uid}

            async def all_replaced() -> bool:
                there = {pod["metadata"]["uid"] for pod in await pods_of(devcluster_shared, namespace)}
                return len(there) == count and not there & gone

            await eventually(all_replaced)
            assert len(seen) == count + len(runs)  # each deletion has made one new pod
            for run in runs:
                told = await execution.told(run.id)
                assert told[0] == "proposed approved"
                assert told.count("verifying") == 1
                assert told.count("step-started") >= 1
                kept = await healing_rows(execution.database, "SELECT 1 FROM evidence WHERE run_id = :id", id=run.id)
                assert kept
            assert (await execution.ledger.verify()).broken is None


async def test_no_node_stays_cordoned_wherever_its_healer_is_killed(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    names = [f"{namespace}-{number}" for number in range(len(CORDON) + len(UNDO))]
    nodes = [devcluster_shared.api.create(a_lone_node(name)) for name in names]
    plans = [a_plan_for(ref_of(node | {"kind": "Node"}), "cordon") for node in nodes]
    try:
        begun = dict(zip(CORDON, plans[: len(CORDON)], strict=True))
        undone = dict(zip(UNDO, plans[len(CORDON) :], strict=True))
        await die(devcluster_shared, healing_url, begun)
        await die(devcluster_shared, healing_url, undone, undo=True)
        async with (
            a_leader(devcluster_shared.kubeconfig, healing_url, Deadly("never")) as execution,
            execution.working(),
        ):
            await all_ended(execution, RunState.HEALED, RunState.UNDONE)
            runs = {run.plan.target.name: run for run in await execution.runs.search(RunFilter())}
            for name, run in runs.items():
                node = devcluster_shared.api.get(f"/api/v1/nodes/{name}")
                told = await execution.told(run.id)
                cordoned = bool(node["spec"].get("unschedulable"))
                assert cordoned is (run.state is RunState.HEALED), (run.reason, told)
                mark = node["metadata"].get("annotations", {}).get(CORDONED_BY, "")
                assert mark.startswith(str(run.id)) is cordoned, (run.reason, told)
                # A leader may also have died at its point while it took up the run of the one before.
                assert (run.state is RunState.UNDONE) is ("undo-asked" in told), (run.reason, told)
            held = await healing_rows(execution.database, "SELECT name FROM change WHERE state = 'held'")
            assert {name for (name,) in held} == {name for name, run in runs.items() if run.state is RunState.HEALED}
            assert RunState.UNDONE in {run.state for run in runs.values()}
    finally:
        for name in names:
            devcluster_shared.api.delete(f"/api/v1/nodes/{name}")


def a_lone_node(name: str) -> dict[str, Any]:
    """One that nothing runs on and no kubelet keeps."""
    taint = {"key": "test", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"taints": [taint]},
    }
