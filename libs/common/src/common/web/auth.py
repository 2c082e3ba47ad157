"""Who is asking, and what they may do. How a token is checked is left to an authenticator."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from common.web.problems import Problem

logger = logging.getLogger(__name__)
REALM = "k8s-health-checker"


class Scope(StrEnum):
    """What a caller may do."""

    READ = "read"  # see everything
    APPROVE = "approve"  # say yes or no to what waits for a person
    OPERATE = "operate"  # change what the service does: subscriptions, silences, pauses
    DELEGATE = "delegate"  # say yes or no in the name of people, for whom the caller vouches
    ADMIN = "admin"  # all of it but delegate


# A new scope is one member above and one line here.
INCLUDES: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset(),
    Scope.APPROVE: frozenset({Scope.READ}),
    Scope.OPERATE: frozenset({Scope.READ}),
    Scope.DELEGATE: frozenset(),  # and part of no other: a person never speaks for another one
    Scope.ADMIN: frozenset({Scope.READ, Scope.APPROVE, Scope.OPERATE}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token belongs to; `scopes` holds the included ones too."""

    name: str
    groups: frozenset[str]
    scopes: frozenset[Scope]

    @classmethod
    def of(cls, name: str, scopes: Iterable[Scope], groups: Iterable[str] = ()) -> "Identity":
        granted = frozenset(scopes)
        return cls(name, frozenset(groups), granted.union(*(INCLUDES[scope] for scope in granted)))


class Authenticator(Protocol):
    """Turns a bearer token into an identity."""

    async def authenticate(self, token: str) -> Identity | None:
        """None when the token is not known. Raises AuthenticationUnavailable when that cannot be found out."""
        ...


class Rights(Protocol):
    """Says what somebody may do who is not asking now: whoever approved something may have lost the right since."""

    async def still_has(self, identity: Identity, scope: Scope) -> bool:
        """By the identity's name and groups. Raises AuthenticationUnavailable when that cannot be found out."""
        ...


class AuthenticationUnavailable(Exception):
    """Whoever checks tokens does not answer; the message says who and why, never the token."""


class AnyOf:
    """Asks several authenticators in turn; one that is unavailable matters only when no other knows the token."""

    def __init__(self, *authenticators: Authenticator) -> None:
        self._authenticators = authenticators

    async def authenticate(self, token: str) -> Identity | None:
        unavailable: AuthenticationUnavailable | None = None
        for authenticator in self._authenticators:
            try:
                if identity := await authenticator.authenticate(token):
                    return identity
            except AuthenticationUnavailable as error:
                unavailable = error
        if unavailable:
            raise unavailable
        return None


bearer = HTTPBearer(auto_error=False, description="A static token of the service, or a Kubernetes bearer token.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]

_basic = HTTPBasic(auto_error=False, realm=REALM, description="Any user name, with the same token as the password.")
_BasicCredentials = Annotated[HTTPBasicCredentials | None, Depends(_basic)]


@cache
def requires(scope: Scope) -> Callable[..., Awaitable[Identity]]:
    """A dependency that lets in whoever has the scope: `caller: Annotated[Identity, Depends(requires(Scope.READ))]`."""

    async def check(request: Request, credentials: Credentials) -> Identity:
        identity = await identify(request, credentials)
        if scope not in identity.scopes:
            raise Problem(403, f"{identity.name} lacks the scope {scope}", scope=scope)
        return identity

    return check


@cache
def requires_also_basic(scope: Scope) -> Callable[..., Awaitable[Identity]]:
    """As `requires`, for routes that are called by what knows basic authentication alone: its password is the token."""

    async def check(request: Request, credentials: Credentials, basic: _BasicCredentials) -> Identity:
        if credentials is None and basic is not None:
            credentials = HTTPAuthorizationCredentials(scheme="Bearer", credentials=basic.password)
        return await requires(scope)(request, credentials)

    return check


async def identify(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Identity:
    """Who is asking; remembered in the request's state. Raises a problem of 401 or 503."""
    if credentials is None:
        raise _unauthorized("send a token in the header: Authorization: Bearer <token>", f'Bearer realm="{REALM}"')
    authenticator: Authenticator = request.app.state.authenticator
    try:
        identity = await authenticator.authenticate(credentials.credentials)
    except AuthenticationUnavailable as error:
        logger.warning("tokens cannot be checked: %s", error)
        detail = "tokens cannot be checked at the moment; the log says why"
        raise Problem(503, detail, headers={"Retry-After": "5"}) from error
    if identity is None:
        raise _unauthorized("the token is not known", f'Bearer realm="{REALM}", error="invalid_token"')
    request.state.identity = identity
    return identity


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})
