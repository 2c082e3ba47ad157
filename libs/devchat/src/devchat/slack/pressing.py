"""A press of a button: what Slack posts to the app, signed, and what it makes of the answer.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp

from devchat.record import Message, Press
from devchat.slack.blocks import interactive
from devchat.slack.web_api import conversation, shown
from devchat.state import Response, State

PATIENCE_SECONDS = 3.0


class NoButton(Exception):
    """The message has none like that; the text names those it has."""


def find(message: Message, named: str) -> dict[str, Any]:
    """The action that a press makes, by the action_id, the text of the button, or the text of an option."""
    seen = []
    for block, element in interactive(message.all_blocks):
        base = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        if element["type"] == "button":
            seen.append(label := element["text"]["text"])
            if named in (label, element["action_id"]):
                return {**base, "text": element["text"], **({"value": element["value"]} if "value" in element else {})}
        for option in element.get("options", []):
            seen.append(label := option["text"]["text"])
            if named in (label, option["value"]):
                return {**base, "selected_option": option}
    raise NoButton(f"no button {named!r}; there are {', '.join(seen) or 'none'}")


def payload(state: State, message: Message, named: str, user: str) -> dict[str, Any]:
    """As Slack makes it. A new response_url belongs to it."""
    settings = state.settings
    name = settings.users.get(user, user.lower())
    channel = {"id": conversation(state, message.channel), "name": message.channel.lstrip("@")}
    secret = secrets.token_urlsafe(18)
    state.responses[secret] = Response(message, user)
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": settings.team},
        "api_app_id": settings.app,
        "token": "deprecated",
        "container": {
            "type": "message",
            "message_ts": message.id,
            "channel_id": channel["id"],
            "is_ephemeral": bool(message.only_for),
            **({"thread_ts": message.thread} if message.thread else {}),
        },
        "trigger_id": f"{time.time_ns()}.{secrets.token_hex(8)}",
        "team": {"id": settings.team, "domain": "devchat"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": channel,
        **({} if message.only_for else {"message": shown(state, message)}),
        "state": {"values": {}},
        "response_url": f"{state.url}/slack/actions/{settings.team}/{secret}",
        "actions": [{**find(message, named), "action_ts": f"{time.time():.6f}"}],
    }


def signed(body: str, secret: str, at: float) -> dict[str, str]:
    """The headers of a request of Slack's."""
    base = f"v0:{int(at)}:{body}".encode()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": str(int(at)),
        "X-Slack-Signature": "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest(),
    }


def prepare(state: State, message: Message, named: str, user: str) -> Press:
    body = urlencode({"payload": json.dumps(payload(state, message, named, user))})
    return Press(
        url=state.settings.interactivity_url,
        headers=signed(body, state.settings.signing_secret, time.time()),
        body=body,
    )


async def send(state: State, press: Press) -> Press:
    """Posts it once: presses are not tried again. Slack shows an error to the person if it takes 3 seconds."""
    state.record.presses.append(press)
    if not press.url:
        press.complaints.append("the app has no interactivity URL")
        return press
    start = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
            http.post(press.url, data=press.body.encode(), headers=press.headers, allow_redirects=False) as answer,
        ):
            press.status, press.answer = answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        press.complaints.append(f"no answer: {error!r}")
    press.seconds = time.monotonic() - start
    if press.seconds > PATIENCE_SECONDS:
        press.complaints.append(f"answered after {press.seconds:.1f} s, which is too late")
    if press.status and not 200 <= press.status < 300:
        press.complaints.append(f"answered {press.status}")
    elif press.answer:
        press.complaints.append("the answer has a body, which Slack ignores")
    return press
