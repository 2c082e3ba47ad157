"""What is looked for and with which thresholds, and what is wrong with the policy file."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from common.web.paging import Page
from common.web.parts import MAY_READ
from common.web.policy import PolicyMistake, mistakes_shown
from health_monitor.api.answers import answer, answer_items
from health_monitor.api.services import AnyServices
from health_monitor.catalogue import CatalogueEntry, catalogue

router = APIRouter(prefix="/api/v1", tags=["checks"], dependencies=[MAY_READ])


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """Whether the policy file is in force. While it has mistakes, the last good one is."""

    file: Annotated[str | None, Field(description="null: no file, the defaults hold")]
    valid: bool
    mistakes: tuple[PolicyMistake, ...]


@router.get("/checks", response_model=Page[CatalogueEntry])
async def checks(
    services: AnyServices,
    namespace: Annotated[str, Query(description="With the thresholds that hold in this namespace")] = "",
) -> Response:
    """All checks, with the severity and thresholds that hold for them."""
    entries = catalogue(services.current_policy(), runbook=services.runbook, namespace=namespace)
    return answer_items(Page[CatalogueEntry], entries)


@router.get("/policy", response_model=PolicyStatus)
async def policy(services: AnyServices) -> Response:
    """Whether the policy file is in force, and every mistake in it."""
    file = services.policy_file
    if file is None:
        return answer(PolicyStatus, PolicyStatus(file=None, valid=True, mistakes=()))
    mistakes = mistakes_shown(file.mistakes)
    return answer(PolicyStatus, PolicyStatus(file=str(file.path), valid=not mistakes, mistakes=mistakes))
