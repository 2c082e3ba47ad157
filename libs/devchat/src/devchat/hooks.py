"""A receiver of generic webhooks, signed as Standard Webhooks says. It checks with none of the sender's code.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
import time

from aiohttp import web

from devchat.record import Message
from devchat.state import STATE

TOLERANCE_SECONDS = 300


async def handle(request: web.Request) -> web.Response:
    state = request.app[STATE]
    channel = request.match_info["channel"]
    if channel not in state.settings.channels:
        return web.Response(status=404, text="no such hook")
    body = await request.read()
    if (complaint := _complaint(state.settings.hook_secret, request, body)) is not None:
        return web.Response(status=401, text=complaint)
    try:
        content = json.loads(body)
    except ValueError:
        return web.Response(status=400, text="not JSON")
    message = Message(vendor="hook", channel=channel, id=request.headers["webhook-id"], at=time.time(), by="webhook")
    message.body = content
    if (before := state.record.find(channel, message.id)) is not None:
        before.body, before.versions = content, before.versions + 1  # a retry has the id of what it repeats
        state.record.changed(before)
    else:
        state.post(message)
    return web.Response(status=204)


def _complaint(secret: str, request: web.Request, body: bytes) -> str | None:
    try:
        message_id, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signatures = request.headers["webhook-signature"].split(" ")
    except KeyError as missing:
        return f"no header {missing}"
    if not at.isdigit() or abs(int(at) - time.time()) > TOLERANCE_SECONDS:
        return f"signed at {at}, which is not now"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    return None if f"v1,{expected}" in signatures else "no signature fits"
