"""Scores over time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from common.contracts import ObjectKey, ObjectRef
from common.contracts.objects import CLUSTER
from common.web.instant import Instant
from common.web.parts import MAY_READ
from common.web.problems import Mistake, Problem, wrong_request
from health_monitor.api.answers import answer
from health_monitor.api.services import AnyServices, StoredServices
from health_monitor.storage.history import InvalidRange

router = APIRouter(prefix="/api/v1", tags=["history"], dependencies=[MAY_READ])

_DEFAULT_RANGE = timedelta(days=1)
_LONGEST_STEP_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """The score as of an instant."""

    at: datetime
    value: Annotated[float | None, Field(description="null where the object did not exist, or was not yet scored")]
    low: Annotated[float | None, Field(description="Lowest since the point before")]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Scores of one object over time."""

    object: ObjectRef
    step_seconds: Annotated[int, Field(description="Between two points")]
    points: Annotated[list[HistoryPoint], Field(description="The oldest first")]


@router.get("/history", response_model=History)
async def history(
    *,
    services: AnyServices,
    stored: StoredServices,
    subject: Annotated[
        str,
        Query(
            description="Cluster, Zone/name, Node/name, Namespace/name or a workload as kind/namespace/name",
            examples=["Cluster", "Node/worker-1", "Deployment/shop/checkout"],
            max_length=600,
        ),
    ] = CLUSTER,
    start: Annotated[
        Instant | None, Query(alias="from", description="With its offset; a day before `to` by default")
    ] = None,
    end: Annotated[Instant | None, Query(alias="to", description="With its offset; now by default")] = None,
    step: Annotated[int, Query(ge=1, le=_LONGEST_STEP_SECONDS, description="Seconds between two points")] = 300,
) -> Response:
    """Scores of the cluster, a zone, namespace, node or workload. Pods have too many and live too briefly."""
    key = _key(subject)
    end = end or services.now()
    start = start or _day_before(end)
    try:
        found = await stored.history.read(key, start, end, timedelta(seconds=step))
    except InvalidRange as error:
        raise _wrong("/from", str(error)) from None
    points = [HistoryPoint(at=each.at, value=each.value, low=each.low) for each in found]
    return answer(History, History(object=key.ref(), step_seconds=step, points=points))


def _key(subject: str) -> ObjectKey:
    """As events name their subjects: kind, kind/name or kind/namespace/name."""
    kind, *rest = subject.split("/")
    match rest:
        case [] if kind == CLUSTER:
            return ObjectKey(kind, "", "")
        case [name] if kind and name:
            return ObjectKey(kind, "", name)
        case [_, _] if kind == "Pod":
            raise _wrong("/subject", "scores of pods are not kept; ask for its workload, as Deployment/namespace/name")
        case [namespace, name] if kind and namespace and name:
            return ObjectKey(kind, namespace, name)
    raise _wrong("/subject", "write Cluster, Node/name or Deployment/namespace/name")


def _day_before(end: datetime) -> datetime:
    try:
        return end - _DEFAULT_RANGE
    except OverflowError:
        raise _wrong("/to", "lies before every calendar") from None


def _wrong(path: str, message: str) -> Problem:
    return wrong_request(Mistake(location="query", path=path, message=message))
