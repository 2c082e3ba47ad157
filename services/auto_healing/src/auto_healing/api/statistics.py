"""What healing has brought, and what people should change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from auto_healing.api.services import AnyServices, StoredServices
from auto_healing.recommendations import Recommendation, recommend
from auto_healing.statistics import Statistics, summarise
from auto_healing.storage.run_facts import RunFacts
from common.web.instant import Instant
from common.web.parts import MAY_READ
from common.web.problems import Mistake, Problem, wrong_request

router = APIRouter(prefix="/api/v1", tags=["statistics"], dependencies=[MAY_READ])

_DEFAULT_RANGE = timedelta(days=30)
_LONGEST_RANGE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Range:
    """`since` is included, `until` is not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendations:
    """Those that rest on the most runs first."""

    since: datetime
    until: datetime
    items: Sequence[Recommendation]


def _range(
    services: AnyServices,
    since: Annotated[Instant | None, Query(description="30 days before `until` by default")] = None,
    until: Annotated[Instant | None, Query(description="Now by default")] = None,
) -> Range:
    until = until or services.now()
    try:
        since = since or until - _DEFAULT_RANGE
        length = until - since
    except OverflowError:
        raise _wrong("lies before every calendar") from None
    if not timedelta() < length <= _LONGEST_RANGE:
        raise _wrong(f"has to lie before until, and at most {_LONGEST_RANGE.days} days")
    return Range(since, until)


Ranged = Annotated[Range, Depends(_range)]


@router.get("/statistics")
async def get_statistics(stored: StoredServices, wanted: Ranged) -> Statistics:
    """Success, time to heal, effect per action and per workload, recurrence, refusals by guard."""
    facts = RunFacts(stored.database)
    runs = await facts.runs(wanted.since, wanted.until)
    refusals = await facts.refusals(wanted.since, wanted.until)
    return summarise(runs, refusals, since=wanted.since, until=wanted.until)


@router.get("/recommendations")
async def get_recommendations(stored: StoredServices, wanted: Ranged) -> Recommendations:
    """What healing alone does not end, such as a memory limit that is too low, with the value to try next."""
    facts = RunFacts(stored.database)
    runs = await facts.runs(wanted.since, wanted.until)
    refusals = await facts.refusals_of_rules(wanted.since, wanted.until)
    items = recommend(runs, refusals, await facts.peaks(runs))
    return Recommendations(since=wanted.since, until=wanted.until, items=items)


def _wrong(message: str) -> Problem:
    return wrong_request(Mistake(location="query", path="/since", message=message))
