"""Where Slack posts presses of buttons. Whatever is answered with 200 is stored; it is worked off afterwards.

Slack gives up after 3 seconds, and tries no press again.
"""

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from alert_service.api.services import AnyServices, Stored, StoredServices
from alert_service.clicks.slack_requests import PayloadMalformed, SlackRefused, challenge_of, click_of, verify
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1/slack", tags=["intake"])

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"payload": {"type": "string", "description": "Slack's block_actions, as JSON"}},
                }
            }
        },
    }
}


@router.post(
    "/interactivity",
    status_code=200,
    response_class=Response,
    responses=responses(400, 401, 409, 503),
    openapi_extra=_FORM,
)
async def receive_interaction(request: Request, services: AnyServices, stored: StoredServices) -> Response:
    """Take a press of a button. Needs no token: Slack signs it, and it is believed once, within five minutes."""
    began = time.perf_counter()
    body = await request.body()
    try:
        request_id = verify(request.headers, body, services.slack_signing_secrets, services.now())
    except SlackRefused as error:
        services.refused("slack", error.reason)
        raise Problem(401, f"not believed to be Slack's: {error}", reason=error.reason) from None
    answer = await _answer(request_id, body, stored)
    services.on_click_answered(time.perf_counter() - began)
    return answer


async def _answer(request_id: str, body: bytes, stored: Stored) -> Response:
    if (challenge := challenge_of(body)) is not None:
        return JSONResponse({"challenge": challenge})
    try:
        click = click_of(request_id, body)
    except PayloadMalformed as error:
        raise Problem(400, f"the body {error}") from None
    if click is not None and not await stored.clicks.take(click):
        raise Problem(409, "this very request came before, and was taken then")
    return Response(status_code=200)
