"""What nobody uses goes in two phases, and what somebody uses stays: on a real API server and a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cleanup import (
    HOUR,
    a_claim_of,
    a_config_map,
    a_user_of,
    evicted_pile,
    names_of,
    summary,
    tidying,
)
from tests.support.healing_cluster import a_workload
from tests.support.healing_database import healing_rows
from tests.support.waiting import eventually

from auto_healing import marks
from auto_healing.actions.cleanup.keeping import changed_at
from auto_healing.kube.restorable import restorable
from auto_healing.run import RunState
from common.contracts import ObjectRef
from devcluster import DevCluster
from devcluster.api import collection

pytestmark = [pytest.mark.cluster, pytest.mark.database]

DAY = timedelta(days=1)
PILE: dict[str, Any] = {"min_age": "1h", "grace": "1h", "scans": 3, "keep": 3, "most_objects": 100}
MAPS: dict[str, Any] = {"min_age": "1d", "grace": "1d", "scans": 3}


async def test_an_evicted_pile_goes_but_for_its_newest(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    async with tidying(devcluster_shared, namespace, healing_url, clean_evicted_pods=PILE) as tidy:
        names = evicted_pile(tidy.place, 12)
        young = await tidy.look("clean-evicted-pods")
        assert young.found.candidates == ()
        tidy.clock.step(2 * HOUR)
        first = await tidy.look("clean-evicted-pods")
        assert len(first.found.candidates) == 9
        assert not first.due
        assert len(tidy.events("MarkedUnused")) == 1  # of the workload, not one of each pod
        assert tidy.counted("cleanup_objects_total", rule="clean-evicted-pods", outcome="marked") == 9
        assert tidy.counted("cleanup_unused", rule="clean-evicted-pods", state="waiting") == 9
        told_at = tidy.clock.now().timestamp()
        assert tidy.counted("cleanup_oldest_timestamp_seconds", rule="clean-evicted-pods") == told_at
        scan = await tidy.ripen("clean-evicted-pods", every=HOUR)
        assert len(scan.due) == 9
        assert tidy.counted("cleanup_unused", rule="clean-evicted-pods", state="due") == 9
        assert tidy.counted("cleanup_objects_total", rule="clean-evicted-pods", outcome="marked") == 9
        assert len(tidy.names("v1/pods")) == 12
        run = await tidy.carry_out()
        assert run.state is RunState.VERIFYING
        left = tidy.names("v1/pods")
        assert len(left) == 3
        gone = sorted(set(names) - set(left))
        assert await tidy.ledger("deleting") == gone
        assert await tidy.kept() == gone
        assert sorted(await tidy.ledger("marked")) == gone
        again = await tidy.look("clean-evicted-pods")
        assert not again.stones
        assert tidy.counted("cleanup_unused", rule="clean-evicted-pods", state="waiting") == 0
        assert tidy.counted("cleanup_oldest_timestamp_seconds", rule="clean-evicted-pods") is None
        await tidy.judged()
        assert (await tidy.execution.found(run.id)).state is RunState.HEALED


async def test_what_was_first_seen_before_the_clock_was_set_back_was_seen_when_it_is_looked_at(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    async with tidying(devcluster_shared, namespace, healing_url, clean_config_maps=MAPS) as tidy:
        tidy.place.cluster.api.create(a_config_map(namespace, "orphan-cm"))
        tidy.clock.step(9 * DAY)
        (before,) = (await tidy.look("clean-config-maps")).stones
        tidy.clock.step(-7 * DAY)
        (stone,) = (await tidy.look("clean-config-maps")).stones
        assert (stone.first_seen_at, stone.scans) == (before.first_seen_at - 7 * DAY, before.scans + 1)


async def test_unused_config_maps_go_and_used_ones_stay(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    async with tidying(devcluster_shared, namespace, healing_url, clean_config_maps=MAPS) as tidy:
        api = tidy.place.cluster.api
        for name in ("orphan-cm", "mounted-cm", "named-cm"):
            api.create(a_config_map(namespace, name))
        api.create(a_config_map(namespace, "helm-cm", annotations={"meta.helm.sh/release-name": "shop"}))
        api.create(a_config_map(namespace, "kept-cm", annotations={marks.HEAL: "off"}))
        api.create(a_user_of(namespace, config_map="mounted-cm"))
        namer = a_user_of(namespace, name="namer")
        namer["spec"]["template"]["spec"]["containers"][0]["args"] = [f"--config-map={namespace}/named-cm"]
        api.create(namer)
        tidy.clock.step(2 * DAY)
        first = await tidy.look("clean-config-maps")
        assert summary(first) == (["orphan-cm"], ["helm-cm", "named-cm"])
        path = f"{collection('v1/configmaps', namespace)}/orphan-cm"
        assert marks.UNUSED_SINCE in api.get(path)["metadata"]["annotations"]
        assert [each["involvedObject"]["name"] for each in tidy.events("MarkedUnused")] == ["orphan-cm"]
        tidy.clock.step(HOUR)
        assert not (await tidy.look("clean-config-maps")).due
        scan = await tidy.ripen("clean-config-maps")
        assert names_of(scan.due) == ["orphan-cm"]
        run = await tidy.carry_out()
        assert run.state is RunState.VERIFYING
        assert tidy.names("v1/configmaps") == [
            "helm-cm",
            "kept-cm",
            "kube-root-ca.crt",
            "mounted-cm",
            "named-cm",
        ]
        assert await tidy.kept() == ["orphan-cm"]
        ((manifest_id, manifest),) = await healing_rows(tidy.execution.database, "SELECT id, content FROM manifest")
        body, _ = restorable(manifest, manifest_id, alive=())
        await tidy.place.live.create(body)
        assert api.get(path)["data"] == {"key": "value"}
        assert marks.UNUSED_SINCE not in api.get(path)["metadata"]["annotations"]


async def test_what_is_used_again_or_changed_loses_its_mark(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    maps = {**MAPS, "min_age": "0s"}
    async with tidying(devcluster_shared, namespace, healing_url, clean_config_maps=maps) as tidy:
        api = tidy.place.cluster.api
        for name in ("used-cm", "edited-cm", "late-cm"):
            api.create(a_config_map(namespace, name))
        await tidy.look("clean-config-maps")
        path = f"{collection('v1/configmaps', namespace)}/edited-cm"
        told_at = tidy.clock.now()

        async def edited_after_it_was_marked() -> bool:
            edited = api.patch(path, {"data": {"key": uuid4().hex}})
            changed = changed_at(edited)
            return changed is not None and changed > told_at

        await eventually(edited_after_it_was_marked)
        api.create(a_user_of(namespace, config_map="used-cm"))
        tidy.clock.step(HOUR)
        assert names_of((await tidy.look("clean-config-maps")).stones) == ["late-cm"]
        assert marks.UNUSED_SINCE not in api.get(path)["metadata"].get("annotations", {})
        assert sorted(await tidy.ledger("unmarked")) == ["edited-cm", "used-cm"]


async def test_a_claim_nobody_mounts_goes_and_a_mounted_one_stays(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    async with tidying(
        devcluster_shared, namespace, healing_url, clean_volume_claims={"min_age": "1h", "grace": "1d"}
    ) as tidy:
        for name in ("orphan-pvc", "mounted-pvc"):
            tidy.place.cluster.api.create(a_claim_of(namespace, name))
        tidy.place.cluster.api.create(a_user_of(namespace, claim="mounted-pvc"))
        tidy.clock.step(2 * HOUR)
        scan = await tidy.ripen("clean-volume-claims")
        assert names_of(scan.due) == ["orphan-pvc"]
        run = await tidy.carry_out()
        assert run.state is RunState.VERIFYING
        assert tidy.names("v1/persistentvolumeclaims") == ["mounted-pvc"]
        assert await tidy.kept() == ["orphan-pvc"]


async def test_the_cap_stops_all_of_it(devcluster_shared: DevCluster, namespace: str, healing_url: str) -> None:
    capped = {**PILE, "most_objects": 5, "scans": 1, "grace": "0s"}
    async with tidying(devcluster_shared, namespace, healing_url, clean_evicted_pods=capped) as tidy:
        evicted_pile(tidy.place, 10)
        tidy.clock.step(2 * HOUR)
        await tidy.ripen("clean-evicted-pods", every=HOUR)
        (answer,) = tidy.answers
        assert answer.run is None
        assert [decline.guard for decline in answer.declined] == ["blast-radius"]
        assert answer.declined[0].numbers == {"due": 7, "most": 5, "total": 10}
        assert tidy.counted("cleanup_declines_total", rule="clean-evicted-pods", guard="blast-radius") == 1
        assert len(tidy.names("v1/pods")) == 10


class Hanging:
    """A way to the cluster that gets no further after some deletions, until the process is killed."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self.lets_through: int | None = None
        self.begun = self.done = 0
        self.hangs = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    async def delete(self, ref: ObjectRef, **options: Any) -> bool:
        self.begun += 1
        if self.lets_through is not None and self.begun > self.lets_through:
            await asyncio.Event().wait()
        deleted: bool = await self._live.delete(ref, **options)
        self.done += 1
        if self.done == self.lets_through:
            self.hangs.set()
        return deleted


async def test_after_a_crash_in_the_middle_the_rest_goes_and_nothing_is_stored_twice(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    pile = {**PILE, "scans": 1}
    async with tidying(devcluster_shared, namespace, healing_url, live=Hanging, clean_evicted_pods=pile) as tidy:
        evicted_pile(tidy.place, 10)
        tidy.clock.step(2 * HOUR)
        await tidy.ripen("clean-evicted-pods", every=HOUR)
        tidy.execution.cluster.lets_through = 3
        dying = asyncio.create_task(tidy.carry_out())
        await tidy.execution.cluster.hangs.wait()
        dying.cancel()
        await asyncio.wait([dying])
        assert len(tidy.names("v1/pods")) == 7
        tidy.execution.cluster.lets_through = None
        run = await tidy.carry_out()
        assert run.state is RunState.VERIFYING
        assert len(tidy.names("v1/pods")) == 3
        assert len(await tidy.kept()) == 7
        outcome = await tidy.outcome(run)
        assert outcome["numbers"] == {"deleted": 4, "gone": 3, "left": 0}


async def test_opting_in_is_needed_before_anything_is_written(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    maps = {**MAPS, "scans": 1}
    async with tidying(devcluster_shared, namespace, healing_url, opt_in=True, clean_config_maps=maps) as tidy:
        tidy.place.cluster.api.create(a_config_map(namespace, "orphan-cm"))
        tidy.clock.step(2 * DAY)
        scan = await tidy.ripen("clean-config-maps", every=2 * DAY, most=2)
        assert [(stone.told, stone.due_at) for stone in scan.stones] == [(False, None)]
        assert not tidy.events("MarkedUnused")
        tidy.place.cluster.api.patch(
            f"{collection('v1/namespaces')}/{namespace}", {"metadata": {"labels": {marks.HEAL: "on"}}}
        )
        scan = await tidy.ripen("clean-config-maps", every=2 * DAY)
        assert names_of(scan.due) == ["orphan-cm"]
        assert (await tidy.carry_out()).state is RunState.VERIFYING


async def test_a_crash_loop_is_scaled_to_zero_and_given_back(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    loops = {"restarts": 1, "min_age": "0s", "grace": "0s", "scans": 1}
    async with tidying(devcluster_shared, namespace, healing_url, clean_crash_loops=loops) as tidy:
        tidy.place.cluster.api.create(a_workload(namespace))
        await tidy.place.ready("Deployment", "web", 1)
        (pod,) = tidy.place.pods()
        tidy.place.cluster.fault("crash-loop", target=f"{namespace}/web").on()

        async def due() -> bool:
            return bool((await tidy.look("clean-crash-loops")).due)

        await eventually(due)
        run = await tidy.carry_out()
        assert run.state is RunState.VERIFYING
        assert tidy.place.get("Deployment", "web")["spec"]["replicas"] == 0
        assert await tidy.kept() == [pod["metadata"]["name"]]
        sql = "SELECT kind, name, state, before, after FROM change"
        assert await healing_rows(tidy.execution.database, sql) == [("Deployment", "web", "held", 1, 0)]
        await tidy.execution.runs.ask_undo(run.id, "alice", "it is mended")
        undone = await tidy.execution.carry_out(run)
        assert undone.state is RunState.UNDONE
        assert tidy.place.get("Deployment", "web")["spec"]["replicas"] == 1


async def test_a_secret_goes_without_its_data_having_been_read(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    secrets = {"min_age": "1d", "delete_unrestorable": True}
    async with tidying(devcluster_shared, namespace, healing_url, clean_secrets=secrets) as tidy:
        for name, type_ in (("orphan-secret", "Opaque"), ("sh.helm.release.v1.shop.v1", "helm.sh/release.v1")):
            secret = a_config_map(namespace, name) | {"kind": "Secret", "data": {"key": "aHVudGVyMg=="}, "type": type_}
            tidy.place.cluster.api.create(secret)
        tidy.clock.step(2 * DAY)
        scan = await tidy.ripen("clean-secrets")
        assert names_of(scan.due) == ["orphan-secret"]
        assert (await tidy.carry_out()).state is RunState.VERIFYING
        assert tidy.names("v1/secrets") == ["sh.helm.release.v1.shop.v1"]
        ((manifest,),) = await healing_rows(tidy.execution.database, "SELECT content FROM manifest")
        assert manifest["metadata"]["name"] == "orphan-secret"
        assert "data" not in manifest
        assert "aHVudGVyMg" not in str(manifest)


async def test_a_failed_job_goes_with_its_pods(devcluster_shared: DevCluster, namespace: str, healing_url: str) -> None:
    async with tidying(devcluster_shared, namespace, healing_url, clean_jobs={}) as tidy:
        tidy.place.cluster.fault("failed-jobs", target=f"{namespace}/import").on()

        async def failed() -> bool:
            conditions = [each["status"].get("conditions") or [] for each in tidy.place.objects("batch/v1/jobs")]
            return len(conditions) == 3 and all(
                any(each["type"] == "Failed" and each["status"] == "True" for each in found) for found in conditions
            )

        await eventually(failed)
        await tidy.see()
        assert not (await tidy.look("clean-jobs")).found.candidates
        tidy.clock.step(8 * DAY)
        scan = await tidy.ripen("clean-jobs")
        assert len(scan.due) == 3
        assert (await tidy.carry_out()).state is RunState.VERIFYING
        assert len(await tidy.kept()) == 3

        async def gone() -> bool:
            return not tidy.place.objects("batch/v1/jobs") and not tidy.place.pods()

        await eventually(gone)
