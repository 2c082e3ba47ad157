"""Why people are told or not, over HTTP: of an alert that is there, and of one that might fire at any time."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices, Services, Stored, StoredServices
from alert_service.explaining.gathering import AlertExplained, Explaining, Foreseeing
from alert_service.storage.explanations import Explanations
from common.web.instant import Instant
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["explain"], dependencies=[MAY_READ])


def _of_our_time(at: datetime) -> datetime:
    if not 2000 <= at.year < 2100:
        raise ValueError("must be within the years 2000 to 2099")
    return at


LabelName = Annotated[str, Field(min_length=1, max_length=200)]
LabelValue = Annotated[str, Field(max_length=2000)]


class Hypothesis(BaseModel):
    """An alert that might fire."""

    model_config = ConfigDict(extra="forbid")

    labels: Annotated[
        dict[LabelName, LabelValue],
        Field(
            min_length=1,
            max_length=100,
            description="As Prometheus would give it",
            examples=[{"alertname": "KubePodCrashLooping", "namespace": "shop", "severity": "critical"}],
        ),
    ]
    annotations: Annotated[
        dict[LabelName, LabelValue], Field(default_factory=dict, max_length=100, description="As the rule gives them")
    ]
    at: Annotated[
        Annotated[Instant, AfterValidator(_of_our_time)] | None,
        Field(description="When it fires; null: now", examples=["2026-03-01T03:00:00+01:00"]),
    ] = None


@router.get("/alerts/{fingerprint}/explain", responses=responses(404))
async def explain_alert(
    services: AnyServices,
    stored: StoredServices,
    fingerprint: Annotated[
        str, Path(pattern="^[0-9a-f]{16}$", description="As lists of alerts tell it", examples=["0e7ff8ea0d1f3b5c"])
    ],
) -> AlertExplained:
    """Route, grouping, silence, inhibition, correlation, timers and next action of one alert."""
    found = await _explaining(services, stored).alert(fingerprint, now=services.now())
    if found is None:
        raise Problem(404, f"there is no alert {fingerprint}; what has resolved is kept for some time only")
    return found


@router.post("/explain")
async def explain_hypothesis(services: AnyServices, stored: StoredServices, wanted: Hypothesis) -> Foreseeing:
    """Who would be told, and when, if an alert with these labels fired then: on Sunday at three, for instance.

    Changes nothing and tells nobody. It is decided as for a real alert that is alone in its group.
    """
    now = services.now()
    explaining = _explaining(services, stored)
    return await explaining.what_if(wanted.labels, wanted.annotations, at=wanted.at or now, now=now)


def _explaining(services: Services, stored: Stored) -> Explaining:
    return Explaining(
        Explanations(stored.database),
        None if stored.silencing is None else stored.silencing.alertmanager,
        policy=services.policy(),
        routes=services.routes(),
    )
