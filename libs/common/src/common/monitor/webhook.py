"""Takes what health_monitor sends to a webhook. The signature is the credential; it is checked on the raw body."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from common.contracts import HealthEvent
from common.web.app import REFERENCE
from common.web.problems import Problem
from common.web.signatures import SignatureRefused, verify

logger = logging.getLogger(__name__)

# What a route that takes events says of its body, which it reads raw.
DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/cloudevents+json": {"schema": HealthEvent.model_json_schema(ref_template=REFERENCE)}},
    }
}


async def received(request: Request, *, secrets: Sequence[str], variable: str, now: datetime) -> HealthEvent:
    """The event that was sent, signed with one of `secrets`, which the setting `variable` holds.

    Raises a problem of 401 or 422.
    """
    body = await request.body()
    if not secrets:
        raise Problem(401, f"no webhook secret is configured: set {variable}")
    try:
        message_id = verify(request.headers, body, secrets, now)
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
    return event
