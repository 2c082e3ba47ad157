"""A Slack app: posts, changes what it posted, and replies below it.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

import json
from typing import Any

import httpx

from alert_service.cards.dialects.slack import SLACK
from alert_service.channels import posting
from alert_service.channels.blocks import block_kit, notification
from alert_service.channels.channel import (
    Abilities,
    Buttons,
    DeliveryError,
    DeliveryReason,
    Message,
    MessageRef,
    Receipt,
    Window,
)

# About one message per second and channel, with short bursts; 50 updates per minute in a workspace (tier 3).
# https://docs.slack.dev/apis/web-api/rate-limits
ABILITIES = Abilities(
    updates=True,
    threads=True,
    buttons=Buttons.NATIVE,
    limits=(Window.of(4, seconds=4),),
    update_limits=(Window.of(45, seconds=60),),
)
METADATA = "k8s_health_checker_delivery"

_REASONS = {
    DeliveryReason.RATE_LIMITED: ("ratelimited", "rate_limited", "message_limit_exceeded"),
    DeliveryReason.VENDOR_ERROR: (
        "fatal_error",
        "internal_error",
        "service_unavailable",
        "team_added_to_org",
        "accesslimited",
    ),
    DeliveryReason.TIMED_OUT: ("request_timeout",),
    DeliveryReason.CREDENTIALS: (
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "no_permission",
        "missing_scope",
        "not_allowed_token_type",
        "ekm_access_denied",
        "org_login_required",
        "access_denied",
        "team_access_not_granted",
    ),
    DeliveryReason.NO_CONVERSATION: (
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "is_inactive",
    ),
    DeliveryReason.MESSAGE_GONE: (
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "invalid_thread_ts",
    ),
    DeliveryReason.TOO_LARGE: ("msg_too_long", "msg_blocks_too_long", "too_many_attachments"),
}
_REINSTALL = "install the app again, and give its new token in ALERT_SERVICE_SLACK__TOKEN"
_INVITE = "invite the app into the channel: /invite @ and its name"
# What people have to do, where a person has to do something. docs/slack.md has more.
_TO_DO = {
    "not_authed": "give the bot token (xoxb-...) in ALERT_SERVICE_SLACK__TOKEN",
    "invalid_auth": "the bot token (xoxb-...) in ALERT_SERVICE_SLACK__TOKEN is not one of Slack's",
    "not_allowed_token_type": "ALERT_SERVICE_SLACK__TOKEN takes a bot token (xoxb-...), not one of a user or an app",
    "token_revoked": _REINSTALL,
    "token_expired": _REINSTALL,
    "account_inactive": _REINSTALL,
    "missing_scope": "give the app the scopes of docs/slack-manifest.yaml, and reinstall it to the workspace",
    "channel_not_found": f"there is no such channel, or it is private: {_INVITE}, or give the channel's id (C...)",
    "not_in_channel": _INVITE,
    "is_archived": "the channel is archived: name another one in the policy",
}
_REASON_OF = {error: reason for reason, errors in _REASONS.items() for error in errors}


class Slack:
    """One conversation. All channels of one app share `http` and the token."""

    kind = "slack"
    abilities = ABILITIES
    dialect = SLACK

    def __init__(self, name: str, http: httpx.AsyncClient, *, api_url: str, token: str, conversation: str) -> None:
        self.name = name
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"}
        self._conversation = conversation

    async def send(self, message: Message) -> Receipt:
        """A message in place of one, below one, or by itself."""
        content = self._content(message)
        if message.update is not None:
            at = message.update
            answer = await self._call("chat.update", {**content, "channel": at.conversation, "ts": at.id})
        else:
            # A phone shows no preview of links for an alert, and previews would open signed links.
            looks = {"unfurl_links": False, "unfurl_media": False}
            answer = await self._call("chat.postMessage", {**content, **looks, **self._place(message)})
        ref = MessageRef(conversation=str(answer.get("channel", "")), id=str(answer.get("ts", "")))
        return Receipt(posted=True, ref=ref if ref.conversation and ref.id else None)

    async def close(self) -> None:
        """`http` is closed by whoever made it."""

    def _content(self, message: Message) -> dict[str, Any]:
        """By the metadata a message can be told from its repetition."""
        return {
            "text": self.dialect.escape(notification(message.card)),
            "blocks": block_kit(message.card),
            "metadata": {"event_type": METADATA, "event_payload": {"id": message.delivery_id}},
        }

    def _place(self, message: Message) -> dict[str, Any]:
        thread = message.thread
        if thread is None:
            return {"channel": self._conversation}
        # Only a reply can be sent to the whole channel too.
        return {"channel": thread.conversation, "thread_ts": thread.id, "reply_broadcast": message.broadcast}

    async def _call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Slack says with HTTP 200 what went wrong."""
        body = json.dumps(arguments, ensure_ascii=False).encode()
        answer = await posting.post(self._http, f"{self._api_url}/{method}", body, self._headers)
        posting.check(answer)
        try:
            found = json.loads(answer.text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise posting.failed(answer, DeliveryReason.VENDOR_ERROR, "what it said is not JSON")
        if found.get("ok") is not True:
            raise self._refused(answer, found)
        return found

    def _refused(self, answer: posting.Answer, found: dict[str, Any]) -> DeliveryError:
        """An error that is not known may pass by itself no more than one that is malformed."""
        error = str(found.get("error", "no error named"))
        details = found.get("response_metadata")
        messages = details.get("messages", []) if isinstance(details, dict) else []
        missing = f", the app needs the scope {found['needed']}" if found.get("needed") else ""
        to_do = [_TO_DO[error]] if error in _TO_DO else []
        why = "; ".join([error + missing, *to_do, *map(str, messages)])[:400]
        return posting.failed(answer, _REASON_OF.get(error, DeliveryReason.REFUSED), why)
