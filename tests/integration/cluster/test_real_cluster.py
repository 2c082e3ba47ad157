"""The view of a real cluster: what its controllers do is seen, in time and in full."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.following import HASTY, following, until

from common.cluster.kinds import KINDS
from common.cluster.rows import DeploymentRow, NodeRow, PodRow, ReplicaSetRow, Row
from common.cluster.scan import scan_cluster
from common.cluster.snapshot import SourceState
from common.cluster.watch import ClusterWatch
from common.contracts.objects import ObjectKey
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from devcluster import DevCluster, Settings

pytestmark = pytest.mark.cluster


@pytest.fixture
async def api(devcluster_shared: DevCluster) -> AsyncIterator[Api]:
    async with await connect(KubeSettings(kubeconfig=devcluster_shared.kubeconfig)) as api:
        yield api


def deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "app", "image": "example/app:1", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def budget(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}}}


def rows_in(watch: ClusterWatch, kind: type[Row], namespace: str) -> list[Any]:
    return [row for key, row in watch.store.rows(kind).items() if key.namespace == namespace]


async def test_a_deployment_is_followed_from_its_birth_to_its_end(api: Api, namespace: str) -> None:
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    async with following(api, KINDS) as watch:
        await until(watch.synced.is_set)
        await api.post(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", budget("web"))
        await api.post(deployments, deployment("web", 3))
        key = ObjectKey("Deployment", namespace, "web")
        await until(lambda: len(watch.store.pods_of(key)) == 3 and all(p.ready for p in watch.store.pods_of(key)))
        pod = next(iter(watch.store.pods_of(key)))
        assert watch.store.top_owner(pod) == key
        assert pod in watch.store.pods_on(pod.node)
        assert watch.store.requested_on(pod.node).cpu_millicores >= 50
        assert [pdb.name for pdb in watch.store.pdbs_of(pod)] == ["web"]
        assert pod.generation > 0
        node = watch.store.node(pod.node)
        assert node is not None
        assert node.ready
        assert watch.store.lease(pod.node) is not None
        await until(lambda: rows_in(watch, DeploymentRow, namespace)[0].ready_replicas == 3)
        await api.delete(f"{deployments}/web")
        await until(lambda: not any(rows_in(watch, kind, namespace) for kind in (DeploymentRow, ReplicaSetRow, PodRow)))
        assert all(
            source.state is SourceState.SYNCED
            for kind, source in watch.store.sources.items()
            if kind not in {"NodeUsage", "PodUsage"}
        )
        assert watch.store.server_version == "v1.36.3"
        assert sum(statistics.malformed for statistics in watch.statistics.values()) == 0


async def test_a_watch_that_the_server_ends_is_resumed_without_a_gap(api: Api, namespace: str) -> None:
    kind = [kind for kind in KINDS if kind.row is PodRow]
    async with following(api, kind, replace(HASTY, watch_seconds=(1, 1))) as watch:
        await until(watch.synced.is_set)
        await api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", 2))
        await until(lambda: watch.statistics["Pod"].watches >= 3)
        await until(lambda: sum(pod.ready for pod in rows_in(watch, PodRow, namespace)) == 2)
        assert (watch.statistics["Pod"].lists, watch.statistics["Pod"].errors) == (1, 0)


async def test_a_scan_sees_what_a_watch_sees(api: Api, namespace: str) -> None:
    await api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", 2))
    async with following(api, KINDS) as watch:
        await until(lambda: sum(pod.ready for pod in rows_in(watch, PodRow, namespace)) == 2)
        await until(watch.synced.is_set)
        store = await scan_cluster(api)
        here = {row.uid: row for row in rows_in(watch, PodRow, namespace)}
        assert {row.uid: row for row in store.rows(PodRow).values() if row.namespace == namespace} == here
        assert store.rows(NodeRow).keys() == watch.store.rows(NodeRow).keys()
        assert store.sources["Pod"].state is SourceState.SYNCED
        only = await scan_cluster(api, namespace=namespace)
        assert {key.namespace for key in only.rows(PodRow)} == {namespace}


async def test_missing_permissions_are_told_with_verb_and_resource(
    api: Api, namespace: str, devcluster_shared: DevCluster, tmp_path: Path
) -> None:
    """A service account that may list pods and nothing else."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    name = f"pods-only-{namespace}"
    await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "few"}})
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    await api.post(f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "few", "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    await api.post(f"{rbac}/clusterrolebindings", binding)
    try:
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/few/token", request)
        file = tmp_path / "few"
        file.write_text(token_kubeconfig(api.host, answer["status"]["token"]))
        async with await connect(KubeSettings(kubeconfig=file)) as few, following(few, KINDS) as watch:
            await until(watch.synced.is_set)
            assert watch.store.sources["Pod"].state is SourceState.SYNCED
            nodes = watch.store.sources["Node"]
            assert nodes.state is SourceState.UNSEEN
            assert "nodes" in nodes.reason
            assert f"system:serviceaccount:{namespace}:few" in nodes.reason
    finally:
        await api.delete(f"{rbac}/clusterrolebindings/{name}")
        await api.delete(f"{rbac}/clusterroles/{name}")


def token_kubeconfig(host: str, token: str) -> str:
    return f"""
clusters: [{{name: c, cluster: {{server: "{host}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: "{token}"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
current-context: c
"""


@pytest.mark.parametrize("private_cluster", [Settings(nodes=3)], indirect=True)
async def test_an_api_server_that_stops_and_comes_back(private_cluster: DevCluster) -> None:
    async with (
        await connect(KubeSettings(kubeconfig=private_cluster.kubeconfig)) as api,
        following(api, KINDS) as watch,
    ):
        await until(watch.synced.is_set)
        await asyncio.to_thread(private_cluster.stop, "kube-apiserver")
        await until(lambda: watch.store.sources["Pod"].state is SourceState.STALE)
        await until(lambda: watch.store.api.unreachable_since is not None)
        assert len(watch.store.rows(NodeRow)) == 3
        await asyncio.to_thread(private_cluster.start)
        await until(
            lambda: all(
                source.state is SourceState.SYNCED
                for kind, source in watch.store.sources.items()
                if kind not in {"NodeUsage", "PodUsage"}
            )
        )
        await until(lambda: watch.store.api.unreachable_since is None)
        await api.post("/apis/apps/v1/namespaces/default/deployments", deployment("web", 2))
        await until(lambda: sum(pod.ready for pod in rows_in(watch, PodRow, "default")) == 2)
