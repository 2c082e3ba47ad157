"""Slack's Web API: the methods that post messages. Failure is HTTP 200 with ok false, as there.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from devchat import limits
from devchat.record import Message
from devchat.slack.content import Refused, apply, checked
from devchat.state import STATE, State

_MESSAGE = {"channel", "text", "blocks", "attachments", "metadata", "mrkdwn", "link_names", "parse"}
_LOOKS = {"unfurl_links", "unfurl_media", "username", "icon_emoji", "icon_url"}
_ARGUMENTS = {
    "auth.test": set[str](),
    "chat.postMessage": _MESSAGE | _LOOKS | {"thread_ts", "reply_broadcast"},
    "chat.update": _MESSAGE | {"ts", "reply_broadcast"},
    "chat.postEphemeral": _MESSAGE | _LOOKS | {"user", "thread_ts"},
}


async def handle(request: web.Request) -> web.Response:
    state = request.app[STATE]
    method = request.match_info["method"]
    try:
        arguments = await _arguments(request)
        _authorize(state, request)
        return web.json_response({"ok": True, **_call(state, method, arguments)})
    except Limited as limited:
        headers = {"Retry-After": str(limited.seconds)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    except Refused as refused:
        return web.json_response(refused.answer())


class Limited(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(f"come again after {seconds} s")
        self.seconds = seconds


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        try:
            found = json.loads(await request.text())
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(found, dict):
            raise Refused("json_not_object")
        return found
    if request.content_type not in ("application/x-www-form-urlencoded", "application/octet-stream"):
        raise Refused("invalid_post_type")
    form = {**request.query, **await request.post()}
    return {name: _from_form(name, str(value)) for name, value in form.items()}


def _from_form(name: str, value: str) -> Any:
    if name not in ("blocks", "attachments", "metadata"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refused("invalid_blocks_format" if name == "blocks" else "invalid_arguments") from None


def _authorize(state: State, request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Refused("not_authed")
    if token != state.settings.token:
        raise Refused("invalid_auth")


def _call(state: State, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if method not in _METHODS:
        raise Refused("unknown_method")
    if unknown := sorted(set(arguments) - _ARGUMENTS[method]):
        raise Refused("invalid_arguments", [f"[ERROR] unknown argument: {each}" for each in unknown])
    return _METHODS[method](state, arguments)


def _auth_test(state: State, arguments: Mapping[str, Any]) -> dict[str, Any]:
    settings = state.settings
    return {
        "url": "https://devchat.slack.com/",
        "team": "devchat",
        "user": "k8s-health-checker",
        "team_id": settings.team,
        "user_id": "U0APP",
        "bot_id": "B0APP",
    }


def _channel(state: State, arguments: Mapping[str, Any]) -> str:
    channel = state.channel_named(str(arguments.get("channel", "")))
    if channel is None:
        raise Refused("channel_not_found")
    if channel in state.archived:
        raise Refused("is_archived")
    if channel in state.left:
        raise Refused("not_in_channel")
    return channel


def conversation(state: State, channel: str) -> str:
    return f"D0{channel[1:]}" if channel.startswith("@") else state.channel_id(channel)


def _post_message(state: State, arguments: dict[str, Any]) -> dict[str, Any]:
    channel = _channel(state, arguments)
    if wait := state.limited(f"post {channel}", lambda: limits.Bucket(limits.SLACK_BURST, limits.SLACK_PER_SECOND)):
        raise Limited(wait)
    content = checked(arguments)
    message = apply(
        Message(vendor="slack", channel=channel, id=state.record.next_ts(), at=time.time(), by="app"), content
    )
    _thread(state, message, arguments)
    state.post(message)
    return {"channel": conversation(state, channel), "ts": message.id, "message": shown(state, message)}


def _thread(state: State, message: Message, arguments: Mapping[str, Any]) -> None:
    """A reply to what is gone is posted to the channel itself, without a word: https://github.com/slack-go/slack/issues/1571"""
    thread = arguments.get("thread_ts")
    if thread is None:
        if arguments.get("reply_broadcast"):
            message.complaints.append("reply_broadcast without thread_ts")
        return
    if not isinstance(thread, str) or not thread.replace(".", "", 1).isdigit() or "." not in thread:
        raise Refused("invalid_thread_ts", [f"[ERROR] {thread} is not a valid thread_ts"])
    parent = state.record.find(message.channel, thread)
    if parent is None:
        message.complaints.append(f"a reply to {thread}, which is not there")
        return
    if parent.thread:
        message.complaints.append("thread_ts is that of a reply")
    message.thread = parent.thread or parent.id
    message.broadcast = bool(arguments.get("reply_broadcast"))


def _update(state: State, arguments: dict[str, Any]) -> dict[str, Any]:
    named = str(arguments.get("channel", ""))
    if named.startswith("#") or named in state.settings.channels:
        raise Refused("channel_not_found")  # unlike chat.postMessage it takes ids alone
    channel = _channel(state, arguments)
    message = state.record.find(channel, str(arguments.get("ts", "")))
    if message is None or message.only_for:
        raise Refused("message_not_found")
    if message.by != "app":
        raise Refused("cant_update_message")
    if wait := state.limited(
        "update", lambda: limits.Bucket(limits.SLACK_TIER_3_BURST, limits.SLACK_TIER_3_PER_SECOND)
    ):
        raise Limited(wait)
    change(state, message, checked(arguments))
    return {"channel": conversation(state, channel), "ts": message.id, "text": message.text}


def change(state: State, message: Message, content: Mapping[str, Any]) -> None:
    """Replaces all of it: without blocks in the new content it has none afterwards."""
    apply(message, content)
    message.versions += 1
    message.edited_at = time.time()
    state.record.changed(message)
    state.on_post(message)


def _post_ephemeral(state: State, arguments: dict[str, Any]) -> dict[str, Any]:
    channel = _channel(state, arguments)
    user = str(arguments.get("user", ""))
    if user not in state.settings.users:
        raise Refused("user_not_in_channel")
    content = checked(arguments)
    ts = state.record.next_ts()
    message = apply(Message(vendor="slack", channel=channel, id=ts, at=time.time(), by="app", only_for=user), content)
    if arguments.get("thread_ts") is not None:
        _thread(state, message, arguments)
    state.post(message)
    return {"message_ts": ts}


def shown(state: State, message: Message) -> dict[str, Any]:
    """A message as Slack's answers and payloads have it."""
    found: dict[str, Any] = {
        "type": "message",
        "subtype": "bot_message",
        "bot_id": "B0APP",
        "app_id": state.settings.app,
        "team": state.settings.team,
        "text": message.text,
        "ts": message.id,
    }
    if message.blocks:
        found["blocks"] = message.blocks
    if message.attachments:
        found["attachments"] = message.attachments
    if message.thread:
        found["thread_ts"] = message.thread
    return found


_METHODS: dict[str, Callable[[State, dict[str, Any]], dict[str, Any]]] = {
    "auth.test": _auth_test,
    "chat.postMessage": _post_message,
    "chat.update": _update,
    "chat.postEphemeral": _post_ephemeral,
}
