"""response_url: five uses within half an hour of the press.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

import json
import time
from typing import Any

from aiohttp import web

from devchat.record import Message
from devchat.slack.content import Refused, apply, checked
from devchat.slack.web_api import change
from devchat.state import STATE, Response, State

MOST_USES, SECONDS = 5, 1800
_FIELDS = {
    "text",
    "blocks",
    "attachments",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "metadata",
}


async def handle(request: web.Request) -> web.Response:
    state = request.app[STATE]
    found = state.responses.get(request.match_info["secret"])
    if found is None:
        return web.json_response({"ok": False, "error": "invalid_url"}, status=404)
    if time.time() - found.made_at > SECONDS:
        return web.json_response({"ok": False, "error": "expired_url"}, status=404)
    if found.uses >= MOST_USES:
        return web.json_response({"ok": False, "error": "used_url"}, status=404)
    found.uses += 1
    try:
        arguments = json.loads(await request.text())
        if not isinstance(arguments, dict) or set(arguments) - _FIELDS:
            raise Refused("invalid_payload")
        _respond(state, found, arguments)
    except ValueError:
        return web.json_response({"ok": False, "error": "invalid_payload"}, status=500)
    except Refused as refused:
        return web.json_response(refused.answer())
    return web.json_response({"ok": True})


def _respond(state: State, found: Response, arguments: dict[str, Any]) -> None:
    if arguments.get("delete_original"):
        found.message.deleted = True
        return
    content = checked(arguments)
    if arguments.get("replace_original"):
        change(state, found.message, content)
        return
    message = Message(
        vendor="slack",
        channel=found.message.channel,
        id=state.record.next_ts(),
        at=time.time(),
        by="response",
        only_for="" if arguments.get("response_type") == "in_channel" else found.user,
        thread=str(arguments.get("thread_ts", "")),
    )
    state.post(apply(message, content))
