"""Who is told of what: the policy that holds, what is wrong with its file, and a check before one is rolled out."""

from typing import Any

from fastapi import APIRouter

from alert_service.api.services import AnyServices
from alert_service.policy.parse import parse_policy
from alert_service.policy.schema import policy_json_schema
from common.web.parts import MAY_READ
from common.web.policy import PolicyChecked, PolicyShown, PolicyText, checked

router = APIRouter(prefix="/api/v1", tags=["policy"], dependencies=[MAY_READ])


@router.get("/policy")
async def show_policy(services: AnyServices) -> PolicyShown:
    """The policy that holds, and every mistake in its file. Without a file nobody is told of anything."""
    return PolicyShown.of(services.policy_file, services.policy().model_dump(mode="json", by_alias=True))


@router.post("/policy/check")
async def check_policy(wanted: PolicyText) -> PolicyChecked:
    """Read a policy without putting it into force, and tell every mistake in it."""
    return await checked(wanted.text, parse_policy)


@router.get("/policy/schema")
async def policy_schema() -> dict[str, Any]:
    """The JSON Schema of policy files, for editors and pipelines."""
    return policy_json_schema()
