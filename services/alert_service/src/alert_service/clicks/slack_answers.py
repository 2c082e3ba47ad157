"""Tells whoever pressed a button what came of it, by the address that Slack gave with the press.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

import asyncio
import logging

import httpx

from alert_service.clicks.slack_requests import Click

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 5.0
_SLACK = b"hooks.slack.com"
_LONGEST = 3000


class SlackAnswers:
    """`api_url` is that of the Web API: its host may give such addresses too. Ends with `close`."""

    def __init__(self, api_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        api = httpx.URL(api_url)
        self._trusted = {("https", _SLACK), (api.scheme, api.netloc)}
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, transport=transport)

    async def tell(self, click: Click, text: str) -> None:
        """Only they see it. What goes wrong is logged: the press took effect, and the card shows that."""
        if not self._is_slacks(click.response_url):
            logger.warning("a press of %s gave no address of Slack's for an answer", click.action)
            return
        body = {"response_type": "ephemeral", "replace_original": False, "text": _escaped(text[:_LONGEST])}
        try:
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                self._http.stream("POST", click.response_url, json=body) as answer,
            ):
                pass  # nothing that it says beside the status matters
        except (httpx.HTTPError, TimeoutError) as error:
            logger.warning("%s was not told what came of %s: %s", click.user_id, click.action, type(error).__name__)
            return
        if answer.is_error:
            logger.warning("%s was not told what came of %s: %d", click.user_id, click.action, answer.status_code)

    def _is_slacks(self, address: str) -> bool:
        """Whatever else there is, no request is made to it."""
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        return (url.scheme, url.netloc) in self._trusted

    async def close(self) -> None:
        await self._http.aclose()


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
