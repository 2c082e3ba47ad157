"""How much rules have shown, and what they may be trusted with next."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from auto_healing.api.services import AnyServices, StoredServices
from auto_healing.plan import Mode
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.shadow import AutonomyAdvice, Tally, autonomy
from common.web.parts import MAY_READ

router = APIRouter(prefix="/api/v1", tags=["policy"], dependencies=[MAY_READ])

Ratio = Annotated[float | None, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted of one rule within the policy's window."""

    watched: Annotated[int, Field(ge=0, description="Observed cases whose end is known and that no guard would stop")]
    went_away: Annotated[int, Field(ge=0, description="Of those: the trouble ended by itself")]
    misfits: Annotated[int, Field(ge=0, description="Of those: a displaced pod would have found no place")]
    declined: Annotated[int, Field(ge=0, description="Observed cases that a guard would have stopped")]
    open: Annotated[int, Field(ge=0, description="Observed cases whose end is not known yet")]
    runs: Annotated[int, Field(ge=0, description="Runs that acted and were judged")]
    healed: Annotated[int, Field(ge=0, description="Of those: healed, and it did not come back within a day")]
    failures_in_row: Annotated[int, Field(ge=0, description="Newest runs that failed one after another")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutonomyShown:
    """One rule: what it may do, what it has shown, what is recommended and why."""

    rule: str
    mode: Annotated[Mode, Field(description="That holds now, before anybody's opt-in")]
    counts: Counts
    false_need_ratio: Annotated[Ratio, Field(description="Part of the watched that went away by themselves")]
    misfit_ratio: Annotated[Ratio, Field(description="Part of the watched that would not have fitted")]
    success_ratio: Annotated[Ratio, Field(description="Part of the runs that healed for good")]
    advice: AutonomyAdvice
    recommended: Annotated[Mode, Field(description="Set it in the policy file: nothing changes by itself")]
    reasons: Annotated[Sequence[str], Field(description="Sentences with their numbers")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutonomyList:
    items: Sequence[AutonomyShown]


@router.get("/autonomy")
async def list_autonomy(services: AnyServices, stored: StoredServices) -> AutonomyList:
    """For each rule of the policy, in its order: the evidence for letting it do more, or less."""
    policy = services.policy()
    tallies = await stored.shadows.tallies(services.now() - policy.promotion.window)
    found = [
        autonomy(
            rule.name,
            policy.mode_of(rule),
            tallies.get(rule.name, Tally()),
            policy.promotion,
            acts=any(rung.action != CALL_A_HUMAN for rung in rule.ladder),
        )
        for rule in policy.rules
    ]
    return AutonomyList(
        items=[
            AutonomyShown(
                rule=each.rule,
                mode=each.mode,
                counts=Counts(**asdict(each.tally)),
                false_need_ratio=each.false_need_ratio,
                misfit_ratio=each.misfit_ratio,
                success_ratio=each.success_ratio,
                advice=each.advice,
                recommended=each.recommended,
                reasons=each.reasons,
            )
            for each in found
        ]
    )
