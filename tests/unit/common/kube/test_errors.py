"""Answers become errors that say in one line what was tried and what to do."""

import pytest
from tests.support.apiserver import status_body

from common.kube import errors
from common.kube.target import target_of


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.Gone),
        (415, errors.Invalid),
        (422, errors.Invalid),
        (429, errors.Throttled),
        (500, errors.Unavailable),
        (504, errors.Unavailable),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[errors.KubeError]) -> None:
    error = errors.from_answer(status, status_body(status, "because\n of this"), "list pods", 2.0)
    assert type(error) is kind
    assert str(error).startswith("list pods: because of this")
    assert "\n" not in str(error)
    assert (error.status, error.retry_after_seconds) == (status, 2.0)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"", "HTTP 502", id="an empty body"),
        pytest.param(b"<html>bad gateway</html>", "<html>bad gateway</html>", id="a proxy's page"),
        pytest.param(b"\xff" * 500, "\ufffd", id="rubbish"),
        pytest.param(b'{"message": 7}', '{"message": 7}', id="another shape"),
    ],
)
def test_whatever_the_body_is_there_is_a_message(body: bytes, text: str) -> None:
    assert text in str(errors.from_answer(502, body, "list pods"))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        pytest.param(
            'User "x" cannot patch resource "deployments" in API group "apps" in the namespace "shop"',
            'it lacks the rule {apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch"]}; grant it with RBAC',
            id="a missing right",
        ),
        pytest.param(
            'User "x" cannot create resource "pods/eviction" in API group "" at the cluster scope',
            'it lacks the rule {apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"]}; grant it with RBAC',
            id="one of the core group",
        ),
        pytest.param("exceeded quota", "exceeded quota", id="a quota, which no right helps against"),
        pytest.param(
            'admission webhook "no.example.com" denied the request: not today',
            'admission webhook "no.example.com" denied the request: not today',
            id="an admission webhook, which no right helps against",
        ),
    ],
)
def test_what_is_forbidden_names_the_rule_that_is_missing(said: str, hint: str) -> None:
    assert str(errors.from_answer(403, status_body(403, said), "patch web")).endswith(hint)


@pytest.mark.parametrize(
    ("method", "path", "params", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "pods")),
        ("GET", "/api/v1/pods", {"watch": "1"}, ("watch", "pods")),
        ("GET", "/api/v1/namespaces", {}, ("list", "namespaces")),
        ("GET", "/api/v1/namespaces/shop", {}, ("get", "namespaces")),
        ("GET", "/api/v1/namespaces/shop/pods", {}, ("list", "pods")),
        ("GET", "/api/v1/namespaces/shop/pods/web", {}, ("get", "pods")),
        ("POST", "/api/v1/namespaces/shop/pods/web/eviction", {}, ("create", "pods/eviction")),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", {}, ("patch", "deployments")),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/x/leases/y", {}, ("update", "leases")),
        ("DELETE", "/api/v1/nodes/n", {}, ("delete", "nodes")),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {}, ("create", "tokenreviews")),
        ("GET", "/version", {}, ("get", "/version")),
    ],
)
def test_requests_are_named_as_rbac_names_them(
    method: str, path: str, params: dict[str, str], expected: tuple[str, str]
) -> None:
    assert target_of(method, path, params) == expected


@pytest.mark.parametrize(
    ("details", "causes"),
    [
        pytest.param(b'{"causes": [{"reason": "DisruptionBudget", "message": "m"}]}', ["DisruptionBudget"], id="one"),
        pytest.param(b'{"causes": [{"field": "spec"}]}', [None], id="one without a reason"),
        pytest.param(b'{"causes": null}', [], id="none"),
        pytest.param(b"null", [], id="no details"),
        pytest.param(b'"odd"', [], id="another shape"),
    ],
)
def test_causes_of_a_refusal_are_kept(details: bytes, causes: list[str | None]) -> None:
    error = errors.from_answer(429, b'{"message": "no", "details": %s}' % details, "create pods/eviction")
    assert [cause.reason for cause in error.causes] == causes
    assert str(error).startswith("create pods/eviction: no;")
