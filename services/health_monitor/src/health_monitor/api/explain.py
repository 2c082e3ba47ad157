"""Why one object has the score it has."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from common.contracts import ObjectKey
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses
from health_monitor.api.answers import answer
from health_monitor.api.services import StartedServices
from health_monitor.view.explain import Explanation, explain

router = APIRouter(prefix="/api/v1", tags=["objects"], dependencies=[MAY_READ])


class Question(BaseModel):
    """Which object."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(max_length=100, description="Kind of the object", examples=["Pod"])]
    namespace: Annotated[str, Field(max_length=253, description="Empty for cluster-scoped kinds")] = ""
    name: Annotated[str, Field(max_length=253, description="Empty for the cluster itself")] = ""


@router.post("/explain", response_model=Explanation, responses=responses(404))
async def explain_object(services: StartedServices, question: Question) -> Response:
    """What each check says of the object right now: fired, waiting until when, muted, silent, blind.

    And what took how much from its score, and which missing data lowers the confidence.
    """
    key = ObjectKey(question.kind, question.namespace, question.name)
    ref = services.view.describe.ref(key)
    explanation = explain(services.engine, ref, services.now(), runbook=services.runbook)
    if explanation is None:
        raise Problem(404, f"there is no {key}, or it is of a kind that has no score")
    return answer(Explanation, explanation)
