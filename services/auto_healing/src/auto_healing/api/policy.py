"""What may be healed and how: the policy that holds, what is wrong with its file, and what it can name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from auto_healing.actions import ACTIONS
from auto_healing.api.services import AnyServices
from auto_healing.guards import GUARDS
from auto_healing.plan import Harm
from auto_healing.policy.parse import parse_policy
from auto_healing.policy.schema import policy_json_schema
from auto_healing.policy.shown import shown
from common.web.parts import MAY_READ
from common.web.policy import PolicyChecked, PolicyShown, PolicyText, checked

router = APIRouter(prefix="/api/v1", tags=["policy"], dependencies=[MAY_READ])


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionShown:
    """What RBAC must allow."""

    group: Annotated[str, Field(description="API group; empty for the core group")]
    resource: str
    verbs: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionShown:
    """One remedy that a ladder may name."""

    code: str
    title: str
    harm: Annotated[Harm, Field(description="harmful: guards may stop it; restoring: hardly anything does")]
    kinds: Annotated[Sequence[str], Field(description="Kinds of object that it can be applied to")]
    expects: Annotated[str, Field(description="What should be true afterwards")]
    undoable: Annotated[str, Field(description="How it is undone; empty: it cannot be")]
    parameters: Annotated[Mapping[str, str], Field(description="Name to meaning, with unit and default")]
    permissions: Sequence[PermissionShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardShown:
    """One question that is asked before every step."""

    code: str
    title: str
    looks_at: str
    stops_restoring: Annotated[bool, Field(description="Whether it stops what restores as well, such as an uncordon")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionList:
    items: Sequence[ActionShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardList:
    items: Sequence[GuardShown]


@router.get("/policy")
async def show_policy(services: AnyServices) -> PolicyShown:
    """The policy that holds, and every mistake in its file."""
    return PolicyShown.of(services.policy_file, shown(services.policy()))


@router.post("/policy/check")
async def check_policy(wanted: PolicyText) -> PolicyChecked:
    """Read a policy without putting it into force, and tell every mistake in it."""
    return await checked(wanted.text, parse_policy)


@router.get("/policy/schema")
async def policy_schema() -> dict[str, Any]:
    """The JSON Schema of policy files, for editors and pipelines."""
    return policy_json_schema()


@router.get("/actions")
async def list_actions() -> ActionList:
    """Every remedy."""
    return ActionList(
        items=[
            ActionShown(
                code=action.code,
                title=action.title,
                harm=action.harm,
                kinds=sorted(action.kinds),
                expects=action.expects,
                undoable=action.undoable,
                parameters=action.parameters,
                permissions=[
                    PermissionShown(group=each.group, resource=each.resource, verbs=each.verbs)
                    for each in action.permissions
                ],
            )
            for action in ACTIONS
        ]
    )


@router.get("/guards")
async def list_guards() -> GuardList:
    """Every guard, in the order in which they are asked."""
    return GuardList(
        items=[
            GuardShown(
                code=guard.code, title=guard.title, looks_at=guard.looks_at, stops_restoring=guard.stops_restoring
            )
            for guard in GUARDS
        ]
    )
