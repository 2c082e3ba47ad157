"""Tells whoever pressed a button what came of it, by the address that Slack gave with the press.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

import logging
from urllib.parse import urlsplit

import httpx

from alert_service.slack_requests import Click

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 5.0
_SLACK = "hooks.slack.com"
_LONGEST = 3000


class SlackAnswers:
    """`api_url` is that of the Web API: its host may give such addresses too. Ends with `close`."""

    def __init__(self, api_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        api = urlsplit(api_url)
        self._trusted = {("https", _SLACK), (api.scheme, api.netloc)}
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, transport=transport)

    async def tell(self, click: Click, text: str) -> None:
        """Only they see it. What goes wrong is logged: the press took effect, and the card shows that."""
        url = urlsplit(click.response_url)
        if (url.scheme, url.netloc) not in self._trusted:
            logger.warning("a press of %s gave no address of Slack's for an answer", click.action)
            return
        body = {"response_type": "ephemeral", "replace_original": False, "text": _escaped(text)[:_LONGEST]}
        try:
            answer = await self._http.post(click.response_url, json=body)
        except httpx.HTTPError as error:
            logger.warning("%s was not told what came of %s: %s", click.user_id, click.action, type(error).__name__)
            return
        if answer.is_error:
            logger.warning("%s was not told what came of %s: %d", click.user_id, click.action, answer.status_code)

    async def close(self) -> None:
        await self._http.aclose()


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
