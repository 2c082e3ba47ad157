"""A Slack incoming webhook: it posts, and that is all. Nothing is changed or replied to, and buttons are links.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json

import httpx

from alert_service.cards.dialects.slack import SLACK
from alert_service.channels import posting
from alert_service.channels.blocks import block_kit, notification
from alert_service.channels.channel import (
    Abilities,
    Buttons,
    DeliveryReason,
    Message,
    Receipt,
    Window,
)

ABILITIES = Abilities(
    updates=False,
    threads=False,
    buttons=Buttons.LINKS,
    limits=(Window.of(4, seconds=4),),
)
# https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
_TAKEN = "ok"  # all that Slack says; whatever else comes with a good status is somebody else's word
_REASONS = {
    "action_prohibited": DeliveryReason.NO_CONVERSATION,
    "channel_is_archived": DeliveryReason.NO_CONVERSATION,
    "channel_not_found": DeliveryReason.NO_CONVERSATION,
    "posting_to_general_channel_denied": DeliveryReason.NO_CONVERSATION,
    "invalid_token": DeliveryReason.CREDENTIALS,
    "no_active_hooks": DeliveryReason.CREDENTIALS,
    "no_service": DeliveryReason.CREDENTIALS,
    "no_service_id": DeliveryReason.CREDENTIALS,
    "no_team": DeliveryReason.CREDENTIALS,
    "team_disabled": DeliveryReason.CREDENTIALS,
    "msg_too_long": DeliveryReason.TOO_LARGE,
    "msg_blocks_too_long": DeliveryReason.TOO_LARGE,
}


class SlackWebhook:
    """One webhook. Its address is the secret."""

    kind = "slack-webhook"
    abilities = ABILITIES
    dialect = SLACK

    def __init__(self, name: str, http: httpx.AsyncClient, *, url: str) -> None:
        self.name = name
        self._http = http
        self._url = url

    async def send(self, message: Message) -> Receipt:
        content = {
            "text": self.dialect.escape(notification(message.card)),
            "blocks": block_kit(message.card, buttons_as_links=True),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        answer = await posting.post(self._http, self._url, json.dumps(content, ensure_ascii=False).encode(), {})
        if (reason := _REASONS.get(answer.text.strip())) is not None:
            raise posting.failed(answer, reason, posting.said(answer))
        posting.check(answer)
        return Receipt(posted=answer.text.strip() == _TAKEN)

    async def close(self) -> None:
        """`http` is closed by whoever made it."""
