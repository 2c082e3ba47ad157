"""Who is told of what: the policy that holds, what is wrong with its file, and a check before one is rolled out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices
from alert_service.policy.parse import parse_policy
from alert_service.policy.schema import policy_json_schema
from common.policy.file import LARGEST_BYTES
from common.web.parts import MAY_READ
from common.web.policy import PolicyChecked, PolicyMistake, checked, mistakes_shown

router = APIRouter(prefix="/api/v1", tags=["policy"], dependencies=[MAY_READ])


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyShown:
    """The policy that holds, whole. While its file has mistakes, it is the last good one."""

    file: Annotated[str | None, Field(description="null: no file, and nobody is told of anything")]
    valid: bool
    mistakes: Sequence[PolicyMistake]
    policy: Annotated[Mapping[str, Any], Field(description="As a policy file would say it, defaults included")]


class PolicyText(BaseModel):
    """A policy to be checked."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[
        str, Field(max_length=LARGEST_BYTES, description="YAML, as in the file", examples=["version: 1\nroutes: []\n"])
    ]


@router.get("/policy")
async def show_policy(services: AnyServices) -> PolicyShown:
    """The policy that holds, and every mistake in its file."""
    file = services.policy_file
    mistakes = mistakes_shown(file.mistakes) if file else []
    return PolicyShown(
        file=str(file.path) if file else None,
        valid=not mistakes,
        mistakes=mistakes,
        policy=services.policy().model_dump(mode="json", by_alias=True),
    )


@router.post("/policy/check")
async def check_policy(wanted: PolicyText) -> PolicyChecked:
    """Read a policy without putting it into force, and tell every mistake in it."""
    return await checked(wanted.text, parse_policy)


@router.get("/policy/schema")
async def policy_schema() -> dict[str, Any]:
    """The JSON Schema of policy files, for editors and pipelines."""
    return policy_json_schema()
