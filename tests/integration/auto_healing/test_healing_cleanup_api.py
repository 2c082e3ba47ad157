"""Cleanup over HTTP and by its schedule: rules, candidates, looking and running by hand."""

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.support.healing_cleanup import HOUR, Tidying, a_config_map, tidying

from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.api import cleanup
from auto_healing.run import RunState
from auto_healing.storage.tombstones import Ripening
from common.contracts import ObjectKey
from common.kube.errors import Unavailable
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token
from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]

MAPS: dict[str, Any] = {"min_age": "1h", "grace": "1h", "scans": 2, "schedule": "0 * * * *", "mode": "observe"}


def a_client(tidy: Tidying, scope: Scope = Scope.OPERATE) -> httpx.AsyncClient:
    token, entry = new_token("alice", scope)
    app = create_app(
        "auto_healing",
        "1.0",
        routers=[cleanup.router],
        authenticator=StaticTokens.parse(entry),
        probes=(),
        metrics=ServiceMetrics("auto_healing", "1.0"),
        settings=WebSettings(),
    )
    stored = SimpleNamespace(tombstones=tidy.tombstones, runs=tidy)
    app.state.services = SimpleNamespace(
        now=tidy.clock.now,
        synced=lambda: True,
        cluster=tidy.execution.cluster,
        world=tidy.world,
        policy=lambda: tidy.policy,
        storage=SimpleNamespace(stored=stored, reason=""),
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test/api/v1",
        headers={"Authorization": f"Bearer {token}"},
    )


async def test_a_person_looks_marks_and_runs(devcluster_shared: DevCluster, namespace: str, healing_url: str) -> None:
    async with (
        tidying(devcluster_shared, namespace, healing_url, clean_config_maps=MAPS) as tidy,
        a_client(tidy) as api,
    ):
        tidy.place.cluster.api.create(a_config_map(namespace, "orphan-cm"))
        tidy.place.cluster.api.create(
            a_config_map(namespace, "made-cm", labels={"app.kubernetes.io/managed-by": "Helm"})
        )
        tidy.clock.step(2 * HOUR)
        await tidy.see()
        epoch = tidy.execution.epoch
        assert epoch is not None

        shown = (await api.post("/cleanup/clean-config-maps/scan", json={})).json()
        assert [each["name"] for each in shown["waits"]] == ["orphan-cm"]
        assert [(each["name"], "Helm" in each["reason"]) for each in shown["unproven"]] == [("made-cm", True)]
        assert (await api.get("/cleanup/candidates")).json()["items"] == []

        for _ in range(2):  # told, and found again when its time of grace is over
            asked = await api.post("/cleanup/clean-config-maps/scan", json={"dry_run": False})
            assert (asked.status_code, asked.json()["asked"]) == (202, True)
            assert "clean-config-maps" in await tidy.cleaner.once(epoch)
            early = await api.post("/cleanup/clean-config-maps/run", json={"dry_run": False})
            tidy.clock.step(HOUR)
            await tidy.see()
        assert early.status_code == 202

        (marked,) = (await api.get("/cleanup/candidates", params={"namespace": namespace})).json()["items"]
        assert (marked["rule"], marked["object"]["name"]) == ("clean-config-maps", "orphan-cm")
        assert (marked["told"], marked["due"], marked["scans"]) == (True, True, 2)
        would = (await api.post("/cleanup/clean-config-maps/run", json={})).json()
        assert [each["name"] for each in would["goes"]] == ["orphan-cm"]
        run = await tidy.carry_out()
        assert str(run.id) == early.json()["run"]
        assert (run.requested_by, run.state) == ("alice", RunState.VERIFYING)
        assert tidy.names("v1/configmaps") == ["kube-root-ca.crt", "made-cm"]


async def test_nothing_is_run_before_its_time(devcluster_shared: DevCluster, namespace: str, healing_url: str) -> None:
    async with (
        tidying(devcluster_shared, namespace, healing_url, clean_config_maps=MAPS) as tidy,
        a_client(tidy) as api,
    ):
        tidy.place.cluster.api.create(a_config_map(namespace, "orphan-cm"))
        tidy.clock.step(2 * HOUR)
        await tidy.look("clean-config-maps", by="alice")
        refused = await api.post("/cleanup/clean-config-maps/run", json={"dry_run": False})
        assert refused.status_code == 409
        assert "nothing is due" in refused.json()["detail"]
        assert (await api.post("/cleanup/clean-cats/run", json={})).status_code == 422


async def test_candidates_come_page_by_page(devcluster_shared: DevCluster, namespace: str, healing_url: str) -> None:
    async with (
        tidying(devcluster_shared, namespace, healing_url, clean_config_maps=MAPS) as tidy,
        a_client(tidy, Scope.READ) as api,
    ):
        found = [(ObjectKey("ConfigMap", namespace, f"cm-{n}").ref(f"uid-{n}"), "is unused") for n in range(3)]
        ripening = Ripening(scans=1, grace=HOUR, acts=True)
        await tidy.tombstones.seen("clean-config-maps", found, at=tidy.clock.now(), ripening=ripening, epoch=None)
        names, cursor = [], None
        while len(names) < 3:
            params = {"rule": "clean-config-maps", "limit": 1} | ({"cursor": cursor} if cursor else {})
            page = (await api.get("/cleanup/candidates", params=params)).json()
            names += [each["object"]["name"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert (names, cursor) == (["cm-0", "cm-1", "cm-2"], None)
        assert (await api.get("/cleanup/candidates", params={"rule": "clean-jobs"})).json()["items"] == []


async def test_the_rules_say_when_they_look_and_what_they_found(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    rules = {"clean_config_maps": MAPS, "clean_jobs": {"mode": "off"}}
    async with (
        tidying(devcluster_shared, namespace, healing_url, **rules) as tidy,
        a_client(tidy, Scope.READ) as api,
    ):
        tidy.place.cluster.api.create(a_config_map(namespace, "orphan-cm"))
        tidy.clock.step(2 * HOUR)
        await tidy.see()
        assert tidy.execution.epoch is not None
        assert "clean-config-maps" in await tidy.cleaner.once(tidy.execution.epoch)
        assert await tidy.cleaner.once(tidy.execution.epoch) == []
        items = {each["rule"]: each for each in (await api.get("/cleanup")).json()["items"]}
        assert list(items) == list(CLEANUP_BY_CODE)
        assert items["clean-jobs"]["next_look_at"] is None
        maps = items["clean-config-maps"]
        assert (maps["last"]["unused"], maps["last"]["told"], maps["last"]["run"]) == (1, 0, None)
        assert maps["next_look_at"].endswith(":00:00Z")
        assert (await api.post("/cleanup/clean-config-maps/scan", json={})).status_code == 403


class Unreachable:
    """A cluster that does not answer."""

    def __init__(self, live: Any) -> None:
        self._live = live

    def __getattr__(self, name: str) -> Any:
        raise Unavailable("no answer")


async def test_an_api_server_that_is_away_counts_no_look(
    devcluster_shared: DevCluster, namespace: str, healing_url: str
) -> None:
    async with (
        tidying(devcluster_shared, namespace, healing_url, live=Unreachable, clean_config_maps=MAPS) as tidy,
        a_client(tidy) as api,
    ):
        tidy.clock.step(2 * HOUR)
        await tidy.see()
        assert tidy.execution.epoch is not None
        await tidy.cleaner.once(tidy.execution.epoch)
        items = {each["rule"]: each for each in (await api.get("/cleanup")).json()["items"]}
        assert "no answer" in items["clean-config-maps"]["last"]["failed"]
        assert items["clean-config-maps"]["looked_at"] is None
        assert (await api.post("/cleanup/clean-config-maps/scan", json={})).status_code == 503
