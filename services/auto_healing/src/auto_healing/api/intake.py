"""Where health_monitor's webhooks arrive. The signature is the credential; it is checked on the raw body."""

import logging

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from auto_healing.api.services import AnyServices, StoredServices
from common.contracts import HealthEvent
from common.web.problems import Problem, responses
from common.web.signatures import SignatureRefused, verify

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["intake"])

_TYPES = "io.k8s-health-checker.health.finding."


@router.post(
    "/events",
    status_code=204,
    responses=responses(401, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/cloudevents+json": {"schema": HealthEvent.model_json_schema()}},
        }
    },
)
async def receive(request: Request, services: AnyServices, stored: StoredServices) -> Response:
    """Take one health event, signed as Standard Webhooks says. 204 once it is stored, also when it was known before."""
    body = await request.body()
    secrets = services.webhook_secrets
    if not secrets:
        raise Problem(401, "no webhook secret is configured: set AUTO_HEALING_MONITOR__WEBHOOK_SECRETS")
    try:
        message_id = verify(request.headers, body, secrets, services.now())
    except SignatureRefused as error:
        logger.warning("a webhook was refused: %s", error)
        raise Problem(401, f"the signature does not hold: {error}", reason=error.reason) from None
    try:
        event = HealthEvent.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Problem(422, f"the body is no health event: {where}: {first['msg']}") from None
    if event.id != message_id:
        raise Problem(422, "webhook-id is not the id of the event")
    if event.type.startswith(_TYPES):
        await stored.inbox.receive([event], services.now())
    return Response(status_code=204)
