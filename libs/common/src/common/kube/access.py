"""Asks the API server whose a token is, and what its owner may do."""

from typing import Any

import msgspec

from common.kube.api import Api
from common.kube.errors import Invalid, KubeError
from common.web.kubernetes_tokens import AuthenticationUnavailable, Reviewed

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)


class _AccessStatus(msgspec.Struct):
    allowed: bool = False
    denied: bool = False


class _TokenReview(msgspec.Struct):
    status: _TokenStatus


class _AccessReview(msgspec.Struct):
    status: _AccessStatus


async def review_token(api: Api, token: str) -> Reviewed | None:
    """The owner of the token; None when the API server does not know it. Raises KubeErrors."""
    if not token:
        return None
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    review: _TokenReview = await api.post(TOKEN_REVIEWS, body, type_=_TokenReview)
    user = review.status.user
    if not review.status.authenticated or not user.username:
        return None
    return Reviewed(username=user.username, uid=user.uid, groups=tuple(user.groups or ()), extra=user.extra or {})


async def is_allowed(
    api: Api, user: Reviewed, *, verb: str, group: str, resource: str, namespace: str = "", name: str = ""
) -> bool:
    """Whether RBAC lets the user do this; without a namespace, in the whole cluster. Raises KubeErrors."""
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name}
    spec: dict[str, Any] = {
        "user": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
        "resourceAttributes": {key: value for key, value in attributes.items() if value},
    }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    review: _AccessReview = await api.post(ACCESS_REVIEWS, body, type_=_AccessReview)
    return review.status.allowed and not review.status.denied


class KubeAccessReviews:
    """The same for the web's authentication, which knows no Kubernetes errors."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def review_token(self, token: str) -> Reviewed | None:
        try:
            return await review_token(self._api, token)
        except Invalid:
            return None  # what is no token at all
        except KubeError as error:
            raise AuthenticationUnavailable(str(error)) from error

    async def is_allowed(self, user: Reviewed, *, verb: str, group: str, resource: str) -> bool:
        try:
            return await is_allowed(self._api, user, verb=verb, group=group, resource=resource)
        except KubeError as error:
            raise AuthenticationUnavailable(str(error)) from error
