"""Tokens that Kubernetes vouches for: TokenReview says whose they are, SubjectAccessReview what the owner may do.

A scope is a verb on the virtual resource of a service: RBAC grants `apiGroups: [k8s-health-checker]`,
`resources: [<service>]`, `verbs: [read]`.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from common.web.auth import AuthenticationUnavailable, Identity, Scope

API_GROUP = "k8s-health-checker"
# A revoked token is let in no longer than this.
KNOWN_SECONDS = 30.0
UNKNOWN_SECONDS = 5.0
_REMEMBERED = 2_000
# Whoever sends made-up tokens must not make us a flood on the API server.
_REVIEWS_AT_ONCE = 8
# Kubernetes' own are about 1 KiB, those of identity providers with many groups some more.
_LONGEST_TOKEN = 16 * 1024


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Whose token it is, as TokenReview's status.user has it."""

    username: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


class AccessReviews(Protocol):
    """What is asked of the API server. Both raise AuthenticationUnavailable when it does not answer."""

    async def review_token(self, token: str) -> Reviewed | None:
        """The owner of the token; None when the API server does not know it."""
        ...

    async def is_allowed(self, user: Reviewed, *, verb: str, group: str, resource: str) -> bool:
        """Whether the user may do this in the whole cluster."""
        ...


class KubernetesTokens:
    """An authenticator over the API server, whose answers it remembers by the token's hash, never the token."""

    def __init__(
        self, reviews: AccessReviews, resource: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._reviews = reviews
        self._resource = resource
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, Identity | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._turns = asyncio.Semaphore(_REVIEWS_AT_ONCE)

    async def authenticate(self, token: str) -> Identity | None:
        if len(token) > _LONGEST_TOKEN:
            return None
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (known := self._known.get(key)) and known[0] > self._monotonic():
            return known[1]
        if (asking := self._asking.get(key)) is None:
            asking = self._asking[key] = asyncio.create_task(self._review(key, token))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # Shielded: others wait for the same answer when the first to ask hangs up.
        return await asyncio.shield(asking)

    async def still_has(self, identity: Identity, scope: Scope) -> bool:
        user = Reviewed(identity.name, groups=sorted(identity.groups))
        return scope in (await self._identity(user)).scopes

    async def _review(self, key: bytes, token: str) -> Identity | None:
        async with self._turns:
            user = await self._reviews.review_token(token)
            identity = await self._identity(user) if user else None
        seconds = KNOWN_SECONDS if identity else UNKNOWN_SECONDS
        self._known[key] = (self._monotonic() + seconds, identity)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return identity

    async def _identity(self, user: Reviewed) -> Identity:
        answers = await asyncio.gather(
            *(self._reviews.is_allowed(user, verb=scope, group=API_GROUP, resource=self._resource) for scope in Scope)
        )
        granted = [scope for scope, allowed in zip(Scope, answers, strict=True) if allowed]
        return Identity.of(user.username, granted, user.groups)


__all__ = ["AccessReviews", "AuthenticationUnavailable", "KubernetesTokens", "Reviewed"]
