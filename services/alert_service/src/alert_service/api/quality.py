"""How well each rule serves those whom it calls, over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from alert_service.api.services import AnyServices, StoredServices
from alert_service.explaining.quality import RuleQuality, judged
from alert_service.storage import quality
from common.web.parts import MAY_READ

router = APIRouter(prefix="/api/v1", tags=["quality"], dependencies=[MAY_READ])


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityShown:
    """Rules, those that called people in vain most often first."""

    since: datetime
    rules: Annotated[Sequence[RuleQuality], Field(description="Of incidents that opened since")]


@router.get("/quality")
async def get_quality(
    services: AnyServices,
    stored: StoredServices,
    days: Annotated[int, Query(ge=1, le=365, description="How far back; incidents are kept for some time only")] = 7,
    rule: Annotated[str | None, Query(max_length=253, description="Only the rule of this `alertname`")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many rules")] = 100,
) -> QualityShown:
    """What became of each rule's incidents: acknowledged, healed, over by themselves; and what to do about the rule."""
    since = services.now() - timedelta(days=days)
    async with stored.database.begin() as connection:
        found = [judged(each) for each in await quality.tallies(connection, since, rule=rule)]
    worst = sorted(found, key=lambda each: (-each.in_vain, -each.noisy, -each.incidents, each.rule))
    return QualityShown(since=since, rules=worst[:limit])
