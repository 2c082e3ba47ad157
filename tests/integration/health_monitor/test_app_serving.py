"""The whole service against a real control plane and a real PostgreSQL."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import ClusterSettings
from common.web.settings import WebSettings
from devcluster import DevCluster
from health_monitor import app
from health_monitor.settings import (
    MonitorLeaderSettings,
    MonitorSettings,
    StorageSettings,
)

pytestmark = pytest.mark.cluster


def settings_for(kubeconfig: Path, database_url: str | None = None) -> MonitorSettings:
    """Without a URL: without a database."""
    url = None if database_url is None else SecretStr(database_url)
    return MonitorSettings(
        cluster=ClusterSettings(kubeconfig=kubeconfig, name="dev", connect_timeout_seconds=2),
        web=WebSettings(port=0, shutdown_grace_seconds=5),
        database=StorageSettings(url=url, enabled=url is not None, connect_timeout_seconds=1),
    )


@asynccontextmanager
async def running(settings: MonitorSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A service and a client of it that has the token of the run. It has to end in good order."""
    stop, announced = asyncio.Event(), asyncio.get_running_loop().create_future()
    service = asyncio.create_task(app.run(settings, stop, lambda *said: announced.set_result(said)))
    await asyncio.wait((service, announced), return_when=asyncio.FIRST_COMPLETED)
    if service.done():
        await service
    url, token = announced.result()
    try:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=90) as client:
            yield client
    finally:
        stop.set()
        await asyncio.wait_for(service, 60)


async def ready(client: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await eventually(is_ready)


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    found = (await client.get("/readyz")).json()["dependencies"]
    return {each["name"]: each["state"] for each in found}


async def answers(client: httpx.AsyncClient, path: str, condition: Callable[[Any], bool], **parameters: Any) -> Any:
    """The answer, as soon as it is as wanted."""
    last: Any = None

    async def holds() -> bool:
        nonlocal last
        answer = await client.get(f"/api/v1/{path}", params=parameters)
        last = answer.json()
        return answer.status_code == 200 and condition(last)

    await eventually(holds)
    return last


def an_evicted_pod(cluster: DevCluster, namespace: str, name: str) -> str:
    """A pod that no scheduler looks at, with the status that a kubelet leaves behind. Returns its path."""
    container = {"name": "app", "image": "app:1"}
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"schedulerName": "nobody", "containers": [container]},
        }
    )
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    cluster.api.patch(f"{path}/status", {"status": status})
    return path


def told(events: Any, name: str) -> list[str]:
    """The changes that were told of a pod's eviction."""
    return [
        each["data"]["change"]
        for each in events["events"]
        if each["data"]["finding"]["object"]["name"] == name and each["data"]["finding"]["code"] == "pod-evicted"
    ]


@pytest.mark.database
async def test_a_fault_is_found_told_stored_and_resolved(
    devcluster_shared: DevCluster, namespace: str, health_url: str
) -> None:
    async with running(settings_for(devcluster_shared.kubeconfig, health_url)) as client:
        await ready(client)
        path = await asyncio.to_thread(an_evicted_pod, devcluster_shared, namespace, "victim")
        await answers(client, "events", lambda found: told(found, "victim") == ["opened"], namespace=namespace)

        detail = (await client.get(f"/api/v1/pods/{namespace}/victim")).json()
        assert detail["score"]["value"] < 100
        assert "pod-evicted" in {each["code"] for each in detail["findings"]}
        assert [each["data"]["change"] for each in detail["timeline"]["events"]][-1] == "opened"
        listed = (await client.get("/api/v1/pods", params={"namespace": namespace, "code": "pod-evicted"})).json()
        assert [each["object"]["name"] for each in listed["items"]] == ["victim"]

        await asyncio.to_thread(devcluster_shared.api.delete, path)
        await answers(
            client, "events", lambda found: told(found, "victim") == ["opened", "resolved"], namespace=namespace
        )
        assert (await client.get(f"/api/v1/pods/{namespace}/victim")).status_code == 404


@pytest.mark.database
async def test_a_restart_tells_only_what_is_different(
    devcluster_shared: DevCluster, namespace: str, health_url: str
) -> None:
    settings = settings_for(devcluster_shared.kubeconfig, health_url)
    paths = [await asyncio.to_thread(an_evicted_pod, devcluster_shared, namespace, name) for name in ("stays", "goes")]
    async with running(settings) as client:
        await answers(
            client, "events", lambda found: bool(told(found, "stays") and told(found, "goes")), namespace=namespace
        )

    await asyncio.to_thread(devcluster_shared.api.delete, paths[1])
    async with running(settings) as client:
        found = await answers(
            client, "events", lambda found: told(found, "goes") == ["opened", "resolved"], namespace=namespace
        )
        everything = (await client.get("/api/v1/events", params={"limit": 1000})).json()

    assert told(found, "stays") == ["opened"]
    cursors = [each["cursor"] for each in everything["events"]]
    assert cursors == list(range(1, len(cursors) + 1))


async def leads(client: httpx.AsyncClient) -> bool:
    return "\nhealth_monitor_leader 1.0" in (await client.get("/metrics")).text


@pytest.mark.database
async def test_a_standby_takes_over_and_nothing_is_lost_or_told_twice(
    devcluster_shared: DevCluster, namespace: str, health_url: str
) -> None:
    settings = settings_for(devcluster_shared.kubeconfig, health_url)
    settings = settings.model_copy(update={"leader": MonitorLeaderSettings(election="lease", namespace=namespace)})
    async with running(settings) as standby:
        async with running(settings) as other:
            await ready(other)
            first, second = standby, other

            async def one_leads() -> bool:
                return await leads(first) != await leads(second)

            await eventually(one_leads)
            if await leads(second):
                first, second = second, first
            path = await asyncio.to_thread(an_evicted_pod, devcluster_shared, namespace, "victim")
            await answers(second, "events", lambda found: told(found, "victim") == ["opened"], namespace=namespace)
            await ready(standby)
        # One of the two has ended now; the other leads, whichever led before.
        await asyncio.to_thread(devcluster_shared.api.delete, path)
        found = await answers(
            standby, "events", lambda found: "resolved" in told(found, "victim"), namespace=namespace, limit=1000
        )
        assert await leads(standby)

    assert told(found, "victim") == ["opened", "resolved"]


async def test_without_a_database_scores_and_metrics_are_served(devcluster_shared: DevCluster) -> None:
    async with running(settings_for(devcluster_shared.kubeconfig)) as client:
        await ready(client)
        cluster = (await client.get("/api/v1/cluster")).json()
        events = await client.get("/api/v1/events")
        exposition = (await client.get("/metrics")).text

    assert cluster["name"] == "dev"
    assert cluster["objects"]["nodes"] >= 1
    assert events.status_code == 503
    for series in (
        "cluster_score",
        'store_objects{kind="Node"}',
        'source_synced{kind="Pod"}',
        'api_request_duration_seconds_count{code="200",verb="get"}',
        "evaluation_duration_seconds_count",
    ):
        assert re.search(rf"^health_monitor_{re.escape(series)} [1-9]", exposition, re.MULTILINE), series
    assert 'health_monitor_outbox_dropped_total{reason="overflow"} 0.0' in exposition  # its first rise must show


async def test_rbac_says_who_may_do_what(devcluster_shared: DevCluster, namespace: str) -> None:
    settings = settings_for(devcluster_shared.kubeconfig)
    settings = settings.model_copy(update={"web": WebSettings(port=0, kubernetes_auth=True)})
    async with (
        await connect(settings.cluster) as api,
        reader(api, namespace) as (may_read, may_nothing),
        running(settings) as client,
    ):
        await ready(client)

        async def status(token: str, method: str, path: str) -> int:
            return (
                await client.request(method, f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
            ).status_code

        assert await status(may_read, "GET", "cluster") == 200
        assert await status(may_read, "POST", "subscriptions") == 403
        assert await status(may_nothing, "GET", "cluster") == 403
        assert await status("made-up", "GET", "cluster") == 401


@asynccontextmanager
async def reader(api: Api, namespace: str) -> AsyncIterator[tuple[str, str]]:
    """Tokens of two service accounts: one may read health_monitor, the other may do nothing."""
    role = {"name": f"health-monitor-reader-{namespace}"}
    rules = [{"apiGroups": ["k8s-health-checker"], "resources": ["health_monitor"], "verbs": ["read"]}]
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    await api.post(f"{rbac}/clusterroles", {"metadata": role, "rules": rules})
    await api.post(
        f"{rbac}/clusterrolebindings",
        {
            "metadata": role,
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["name"]},
        },
    )
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    tokens = []
    for name in ("reader", "nobody"):
        await api.post(accounts, {"metadata": {"name": name}})
        tokens.append((await api.post(f"{accounts}/{name}/token", {"spec": {}}))["status"]["token"])
    try:
        yield tokens[0], tokens[1]
    finally:
        await api.delete(f"{rbac}/clusterrolebindings/{role['name']}")
        await api.delete(f"{rbac}/clusterroles/{role['name']}")


async def test_a_database_that_is_away_is_told_and_holds_up_nothing(devcluster_shared: DevCluster) -> None:
    settings = settings_for(devcluster_shared.kubeconfig, "postgresql://nobody@127.0.0.1:1/none")
    async with running(settings) as client:
        await ready(client)

        assert (await states(client))["database"] == "degraded"
        assert "Connection refused" in (await client.get("/readyz")).text
        assert (await client.get("/api/v1/cluster")).status_code == 200
        assert (await client.get("/api/v1/events")).status_code == 503


@pytest.mark.database
async def test_a_database_that_comes_later_is_taken_up(devcluster_shared: DevCluster, postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.drop_database(url)
    async with running(settings_for(devcluster_shared.kubeconfig, url)) as client:
        await ready(client)
        assert (await client.get("/api/v1/events")).status_code == 503

        await asyncio.to_thread(create_database, url)
        found = await answers(client, "events", lambda found: found["head"] >= 0)
        await eventually(lambda: leads(client))
        assert (await states(client))["database"] == "ready"

    assert found["events"] == [] or found["events"][0]["cursor"] == 1
    postgres.drop_database(url)


def create_database(url: str) -> None:
    name = make_url(url).database
    server = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name or "")))


async def test_an_api_server_that_is_away_is_named_and_the_service_answers(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nusers: [{name: u, user: {token: t}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n",
        encoding="utf-8",
    )
    async with running(settings_for(kubeconfig)) as client:
        live = await client.get("/livez")
        answer = await client.get("/readyz")
        cluster = await client.get("/api/v1/cluster")

    assert live.status_code == 200
    assert answer.status_code == 503
    reasons = {each["name"]: each["reason"] for each in answer.json()["dependencies"]}
    assert "not read yet" in reasons["cluster"]
    assert cluster.status_code == 503


async def test_streams_do_not_hold_up_the_end(devcluster_shared: DevCluster) -> None:
    async with running(settings_for(devcluster_shared.kubeconfig)) as client:
        await ready(client)
        stream = client.stream("GET", "/api/v1/stream", params={"what": "scores"})
        answer = await stream.__aenter__()
        assert answer.status_code == 200
    # `running` has waited for the end, which would else take the stream's whole life.


async def test_the_command_serves_until_it_is_told_to_end(devcluster_shared: DevCluster) -> None:
    command = [sys.executable, "-m", "health_monitor", "serve", "--no-database", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--kubeconfig", str(devcluster_shared.kubeconfig), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            listens, token = (await process.stdout.readline()).decode(), (await process.stdout.readline()).decode()
        url, secret = listens.split()[3].rstrip(";"), token.split()[-1]
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client:
            await ready(client)
            assert (await client.get("/api/v1/cluster")).status_code == 200
    finally:
        process.terminate()
        async with asyncio.timeout(60):
            code = await process.wait()

    assert code == 0
