"""Where health_monitor's webhooks arrive."""

from fastapi import APIRouter, Request, Response

from auto_healing.api.services import AnyServices, StoredServices
from common.monitor import webhook
from common.web.problems import responses

router = APIRouter(prefix="/api/v1", tags=["intake"])

_TYPES = "io.k8s-health-checker.health.finding."


@router.post("/events", status_code=204, responses=responses(401, 503), openapi_extra=webhook.DESCRIBED)
async def receive(request: Request, services: AnyServices, stored: StoredServices) -> Response:
    """Take one health event, signed as Standard Webhooks says. 204 once it is stored, also when it was known before."""
    now = services.now()
    event = await webhook.received(
        request, secrets=services.webhook_secrets, variable="AUTO_HEALING_MONITOR__WEBHOOK_SECRETS", now=now
    )
    if event.type.startswith(_TYPES):
        await stored.inbox.receive([event], now)
    return Response(status_code=204)
