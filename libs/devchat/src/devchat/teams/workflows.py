"""A flow that begins with "When a Teams webhook request is received" and posts what it gets to a channel.

It answers 202 before it posts, so what cannot be posted is never told; with a Response action it answers 200 after.
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
"""

import json
import time
from typing import Any

from aiohttp import web

from devchat import limits
from devchat.record import Message
from devchat.state import STATE, State
from devchat.teams import cards

_RESPONDS = "-responds"


def path(channel: str, *, responds: bool = False) -> str:
    """With the signature, which is the secret of it."""
    flow = channel + (_RESPONDS if responds else "")
    query = f"api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={flow}-secret"
    return f"/teams/workflows/{flow}/triggers/manual/paths/invoke?{query}"


async def handle(request: web.Request) -> web.Response:
    state = request.app[STATE]
    flow = request.match_info["flow"]
    channel = flow.removesuffix(_RESPONDS)
    if request.query.get("sig") != f"{flow}-secret":
        return _error(401, "DirectApiAuthorizationRequired", "The request must be authenticated by its signature.")
    if channel not in state.settings.channels or channel in state.archived:
        return _error(404, "WorkflowNotFound", f"The workflow '{flow}' could not be found.")
    if wait := state.limited(f"flow {flow}", limits.Windows):
        return _error(429, "WorkflowTriggerThrottled", "Rate limit is exceeded.", {"Retry-After": str(wait)})
    body = await request.read()
    try:
        message = json.loads(body)
    except ValueError:
        return _error(400, "InvalidRequestContent", "The request content is not valid JSON.")
    complaint = _post(state, channel, body, message)
    if not flow.endswith(_RESPONDS):
        return web.Response(status=202)
    return web.Response(status=200) if complaint is None else _error(502, "ActionFailed", complaint)


def _post(state: State, channel: str, body: bytes, content: Any) -> str | None:
    """Why it was not posted, as nobody is told without a Response action."""
    refused = cards.mistakes(content)
    counted = cards.counted_bytes(body, content)
    if counted > cards.MOST_BYTES:
        refused.insert(0, f"MessageSizeExceeded: Actual {counted} bytes, max {cards.MOST_BYTES}")
    if refused:
        return "; ".join(refused)
    card = content["attachments"][0]["content"]
    message = Message(vendor="teams", channel=channel, id=state.record.next_ts(), at=time.time(), by="flow", card=card)
    message.text = "\n".join(cards.texts(card))
    message.pings = cards.pings(card)
    state.post(message)
    return None


def _error(status: int, code: str, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": text}}, status=status, headers=headers)
