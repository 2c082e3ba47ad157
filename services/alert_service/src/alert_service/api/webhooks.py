"""Where alerts, notices and health events arrive. Whatever is answered with 2xx is stored.

Back-pressure is always 503: Alertmanager gives up for good on 4xx, 429 included.
"""

import hashlib
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from alert_service.api.services import AnyServices, Services, Stored, StoredServices
from alert_service.incidents.alert import Source
from alert_service.intake.payload import PayloadInvalid, check_post
from alert_service.storage.inbox import InboxFull
from common.contracts import Notice
from common.database.errors import DatabaseError
from common.monitor import webhook
from common.web.app import REFERENCE
from common.web.auth import Scope, requires, requires_also_basic
from common.web.parts import services_of, stored_of
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["intake"])

MAY_POST = Depends(requires(Scope.OPERATE))
MAY_POST_OR_BASIC = Depends(requires_also_basic(Scope.OPERATE))


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    """What a route that reads its body raw says of it."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_PAYLOAD = {
    "type": "object",
    "required": ["alerts"],
    "description": "Alertmanager's webhook payload, version 4; what is not known is ignored",
    "properties": {
        "version": {"description": "4"},
        "groupKey": {"type": ["string", "null"], "description": "Name of the group"},
        "alerts": {"type": "array", "items": {"type": "object"}, "description": "Those of the group"},
    },
}


@router.post(
    "/webhooks/alertmanager",
    status_code=200,
    response_class=Response,
    dependencies=[MAY_POST_OR_BASIC],
    responses=responses(400, 503),
    openapi_extra=_json(_PAYLOAD),
)
async def receive_alerts(request: Request) -> Response:
    """Take what Alertmanager posts. Its credential is a bearer token, or basic auth with the token as the password."""
    services: Services = services_of(request)  # hundreds come in a second: no more is solved than has to be
    stored = stored_of(services.storage)
    body = await request.body()
    try:
        check_post(body)
    except PayloadInvalid as error:
        services.refused(Source.ALERTMANAGER, "unreadable")
        raise _unreadable(request, f"the body {error}") from None
    await _store(stored, Source.ALERTMANAGER, hashlib.sha256(body).hexdigest(), body, services)
    return Response(status_code=200)


@router.post(
    "/notices",
    status_code=204,
    dependencies=[MAY_POST],
    responses=responses(400, 503),
    openapi_extra=_json(Notice.model_json_schema(ref_template=REFERENCE)),
)
async def receive_notice(request: Request, services: AnyServices, stored: StoredServices) -> Response:
    """Take one healing notice. 204 once it is stored, also when it was known before."""
    body = await request.body()
    try:
        notice = Notice.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        services.refused(Source.HEALING, "unreadable")
        place = "".join(f"{each}: " for each in first["loc"])
        raise _unreadable(request, f"the body is no notice: {place}{first['msg']}") from None
    await _store(stored, Source.HEALING, notice.id, body, services)
    return Response(status_code=204)


@router.post("/webhooks/health", status_code=204, responses=responses(401, 503), openapi_extra=webhook.DESCRIBED)
async def receive_health_event(request: Request, services: AnyServices, stored: StoredServices) -> Response:
    """Take one health event, signed as Standard Webhooks says. 204 once it is stored."""
    event = await webhook.received(
        request,
        secrets=services.webhook_secrets,
        variable="ALERT_SERVICE_HEALTH__WEBHOOK_SECRETS",
        now=services.now(),
    )
    await _store(stored, Source.HEALTH, event.id, await request.body(), services)
    return Response(status_code=204)


def _unreadable(request: Request, why: str) -> Problem:
    compressed = "content-encoding" in request.headers
    return Problem(400, f"{why}. Send it without Content-Encoding: it is read as it comes" if compressed else why)


async def _store(stored: Stored, source: Source, key: str, body: bytes, services: AnyServices) -> None:
    try:
        await stored.inbox.put(source, key, body, services.now())
    except (InboxFull, DatabaseError) as error:
        services.refused(source, "full" if isinstance(error, InboxFull) else "database")
        raise Problem(503, f"nothing can be stored now: {error}", headers={"Retry-After": "2"}) from None
