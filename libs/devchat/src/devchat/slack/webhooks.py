"""Incoming webhooks: answered in plain text, and nothing tells which message it became."""

import json
import time

from aiohttp import web

from devchat import limits
from devchat.record import Message
from devchat.slack.content import Refused, apply, checked
from devchat.state import STATE

_FIELDS = {"text", "blocks", "attachments", "thread_ts", "unfurl_links", "unfurl_media", "metadata", "mrkdwn"}


def path(channel: str) -> str:
    return f"/slack/services/T0DEVCHAT/B0{channel.upper()}/{channel}-secret"


async def handle(request: web.Request) -> web.Response:
    state = request.app[STATE]
    channel = request.match_info["secret"].removesuffix("-secret")
    if channel not in state.settings.channels or request.path != path(channel):
        return web.Response(status=404, text="no_service")
    if channel in state.archived:
        return web.Response(status=410, text="channel_is_archived")
    if wait := state.limited(f"webhook {channel}", lambda: limits.Bucket(limits.SLACK_BURST, limits.SLACK_PER_SECOND)):
        answer = {"retry_after": wait, "ok": False, "error": "rate_limited"}
        return web.json_response(answer, status=429, headers={"Retry-After": str(wait)})
    try:
        arguments = json.loads(await request.text())
    except ValueError:
        return web.Response(status=400, text="invalid_payload")
    if not isinstance(arguments, dict) or set(arguments) - _FIELDS:
        return web.Response(status=400, text="invalid_payload")
    try:
        content = checked(arguments)
    except Refused as refused:
        return web.Response(status=400, text=refused.error)
    message = Message(vendor="slack", channel=channel, id=state.record.next_ts(), at=time.time(), by="webhook")
    state.post(apply(message, content))
    return web.Response(text="ok")
