"""Asking a real API server whose a token is and what its owner may do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.apiserver import StandIn
from tests.support.following import connected
from tests.support.waiting import eventually

from common.kube.access import KubeAccessReviews
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from common.web.kubernetes_tokens import AuthenticationUnavailable, Reviewed
from devcluster import DevCluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def api(devcluster_shared: DevCluster) -> AsyncIterator[Api]:
    async with await connect(KubeSettings(kubeconfig=devcluster_shared.kubeconfig)) as api:
        yield api


@pytest.mark.cluster
async def test_a_service_account_is_known_by_its_token_and_allowed_what_rbac_grants(api: Api, namespace: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.post(accounts, {"metadata": {"name": "reader"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await api.post(f"{accounts}/reader/token", request))["status"]["token"]
    reviews = KubeAccessReviews(api)
    user = await reviews.review_token(token)
    assert user is not None
    assert user.username == f"system:serviceaccount:{namespace}:reader"
    assert "system:serviceaccounts" in user.groups
    ask = {"verb": "read", "group": "k8s-health-checker", "resource": "health"}
    assert not await reviews.is_allowed(user, **ask)
    role = f"health-reader-{namespace}"
    rules = [{"apiGroups": ["k8s-health-checker"], "resources": ["health"], "verbs": ["read"]}]
    await api.post(f"{RBAC}/clusterroles", {"metadata": {"name": role}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    binding = {"metadata": {"name": role}, "subjects": [subject], "roleRef": reference}
    await api.post(f"{RBAC}/clusterrolebindings", binding)
    try:
        await until_allowed(reviews, user, ask)
        assert not await reviews.is_allowed(user, **(ask | {"verb": "admin"}))
    finally:
        await api.delete(f"{RBAC}/clusterrolebindings/{role}")
        await api.delete(f"{RBAC}/clusterroles/{role}")


async def until_allowed(reviews: KubeAccessReviews, user: Reviewed, ask: dict[str, str]) -> None:
    async def allowed() -> bool:
        return await reviews.is_allowed(user, **ask)

    await eventually(allowed)  # the authorizer sees new roles a moment later


@pytest.mark.cluster
@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token_belongs_to_nobody(api: Api, token: str) -> None:
    assert await KubeAccessReviews(api).review_token(token) is None


async def test_an_api_server_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    async with StandIn().serving() as server, connected(server, tmp_path, attempts=1) as api:
        reviews = KubeAccessReviews(api)
        server.answer_always("/apis/authentication.k8s.io/v1/tokenreviews", 503)
        server.answer_always("/apis/authorization.k8s.io/v1/subjectaccessreviews", 403)
        with pytest.raises(AuthenticationUnavailable, match="tokenreviews"):
            await reviews.review_token("x")
        with pytest.raises(AuthenticationUnavailable, match="subjectaccessreviews"):
            await reviews.is_allowed(Reviewed(username="x"), verb="read", group="g", resource="r")
