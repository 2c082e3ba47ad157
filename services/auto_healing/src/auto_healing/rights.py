"""Whether RBAC allows all that the policy may have done: asked of the API server, and told before it is needed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.plan import Mode
from auto_healing.policy import HealingPolicy
from common.kube.api import Api
from common.kube.errors import KubeError

logger = logging.getLogger(__name__)

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LOOK_SECONDS = 300.0
_ACTING = frozenset({Mode.APPROVE, Mode.AUTO})
_LOOKING = frozenset({"get", "list"})  # what cleanup needs to observe


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource, in all namespaces."""

    group: str
    resource: str  # such as pods or pods/eviction
    verb: str


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """Verbs that RBAC does not allow on a resource, and the actions that need them."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    actions: tuple[str, ...]

    def __str__(self) -> str:
        verbs = ", ".join(f'"{verb}"' for verb in self.verbs)
        rule = f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: [{verbs}]}}'
        return f"{rule}, for {', '.join(self.actions)}"


def needed(policy: HealingPolicy) -> dict[Right, set[str]]:
    """What the actions need that the policy may take by itself or after approval, with their codes."""
    found: dict[Right, set[str]] = {}
    for code, permission in _permissions(policy):
        for verb in permission.verbs:
            found.setdefault(Right(permission.group, permission.resource, verb), set()).add(code)
    return found


def _permissions(policy: HealingPolicy) -> Iterator[tuple[str, Permission]]:
    for rule in policy.rules:
        for rung in rule.ladder if policy.mode_of(rule) in _ACTING else ():
            if (action := ACTIONS_BY_CODE.get(rung.action)) is not None:
                yield from ((action.code, each) for each in action.permissions)
    for code, cleanup in CLEANUP_BY_CODE.items():
        mode = policy.cleanup.rule(code).mode
        for each in cleanup.permissions if mode is not Mode.OFF else ():
            verbs = each.verbs if mode in _ACTING else tuple(verb for verb in each.verbs if verb in _LOOKING)
            yield code, Permission(group=each.group, resource=each.resource, verbs=verbs)


def grouped(lacking: Iterable[tuple[Right, Iterable[str]]]) -> tuple[Missing, ...]:
    """By resource."""
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for right, actions in lacking:
        verbs, codes = found.setdefault((right.group, right.resource), (set(), set()))
        verbs.add(right.verb)
        codes.update(actions)
    return tuple(
        sorted(Missing(*key, tuple(sorted(verbs)), tuple(sorted(codes))) for key, (verbs, codes) in found.items())
    )


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status


class Rights:
    """What was found missing last. Each is told once, until it was there in between."""

    def __init__(self, api: Api, policy: Callable[[], HealingPolicy]) -> None:
        self._api = api
        self._policy = policy
        self.missing: tuple[Missing, ...] = ()

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except KubeError as error:
                logger.debug("the API server cannot be asked what it allows: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Raises KubeErrors; what was found before stays then."""
        before = self.missing
        self.missing = grouped(
            [(right, codes) for right, codes in needed(self._policy()).items() if not await self._has(right)]
        )
        for each in self.missing:
            if each not in before:
                logger.warning("a right is missing: add to a ClusterRole of auto_healing the rule %s", each)

    async def trouble(self) -> str | None:
        """For a probe."""
        return f"missing are the rules {'; '.join(map(str, self.missing))}" if self.missing else None

    async def _has(self, right: Right) -> bool:
        resource, _, subresource = right.resource.partition("/")
        attributes = {"group": right.group, "resource": resource, "verb": right.verb}
        attributes |= {"subresource": subresource} if subresource else {}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        review: _Review = await self._api.post(REVIEWS, body, type_=_Review)
        return review.status.allowed
