"""Microsoft Teams by a Workflows webhook: a flow takes the card and posts it, and nobody tells whether it did.

https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
"""

import httpx

from alert_service.cards.dialects.teams import TEAMS
from alert_service.channels import posting
from alert_service.channels.adaptive import message_of
from alert_service.channels.channel import Abilities, Buttons, DeliveryReason, Message, Receipt, Window

# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
ABILITIES = Abilities(
    updates=False,
    threads=False,
    buttons=Buttons.LINKS,
    limits=(
        Window.of(4, seconds=1),
        Window.of(60, seconds=30),
        Window.of(100, seconds=3600),
        Window.of(150, seconds=7200),
        Window.of(1800, seconds=86_400),
    ),
)
_ACCEPTED, _BAD_STATUS = 202, 400
# Where a flow passes on what Teams says: https://github.com/MicrosoftDocs/msteams-docs/issues/11274
_TOO_LARGE = "MessageSizeExceeded"
_RETIRED = (".webhook.office.com", "outlook.office.com")


def why_not(url: str) -> str | None:
    """Why no card can be posted to this address; None: it may work."""
    host = httpx.URL(url).host
    if host.endswith(_RETIRED) or host == "webhook.office.com":
        return (
            "is an Office 365 connector, which Microsoft has turned off: make a Workflows webhook "
            '("Post to a channel when a webhook request is received") and give its address'
        )
    return None


class Teams:
    """One flow. Its address is the secret."""

    kind = "teams"
    abilities = ABILITIES
    dialect = TEAMS

    def __init__(self, name: str, http: httpx.AsyncClient, *, url: str) -> None:
        self.name = name
        self._http = http
        self._url = url

    async def send(self, message: Message) -> Receipt:
        """202 says that the flow has begun; with a Response action behind the post it is 200, and posted."""
        answer = await posting.post(self._http, self._url, message_of(message.card), {})
        if answer.status >= _BAD_STATUS and _TOO_LARGE in answer.text:
            raise posting.failed(answer, DeliveryReason.TOO_LARGE, posting.said(answer))
        posting.check(answer)
        if answer.is_page:
            raise posting.failed(answer, DeliveryReason.VENDOR_ERROR, "with a page, as proxies do, and no flow does")
        return Receipt(posted=answer.status != _ACCEPTED)

    async def close(self) -> None:
        """`http` is closed by whoever made it."""
