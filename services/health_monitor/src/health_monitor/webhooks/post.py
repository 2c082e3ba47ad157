"""Sends one webhook: signed, not redirected, in a bounded time, and never to a forbidden address."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from common.contracts import HealthEvent
from common.web.signatures import SIGNATURE, sign
from health_monitor.webhooks.url import GuardedResolver, checked_url
from health_monitor.webhooks.verdict import Answer, retry_after

_TIMEOUT_SECONDS = 10.0
# Of an answer nothing but the status counts; so much is read so that the connection can be used again.
_MOST_ANSWER_BYTES = 16_384
_HEADERS = {"content-type": "application/cloudevents+json", "user-agent": "k8s-health-checker/health-monitor"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where to send, and what to sign with: while secrets are rotated, with the old one too."""

    url: str
    secrets: Sequence[str]


class Poster:
    """Posts over a session of `opened`."""

    def __init__(self, session: aiohttp.ClientSession, *, allow_private: bool) -> None:
        self._session = session
        self._allow_private = allow_private

    @classmethod
    @asynccontextmanager
    async def opened(cls, *, allow_private: bool, timeout_seconds: float = _TIMEOUT_SECONDS) -> AsyncIterator["Poster"]:
        """A pool of connections, until the end of the block."""
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(allow_private=allow_private), limit_per_host=16)
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=_HEADERS) as session:
            yield cls(session, allow_private=allow_private)

    async def post(self, receiver: Receiver, event: HealthEvent, now: datetime) -> Answer:
        """Send the event. Whatever goes wrong is an answer, too."""
        body = event.model_dump_json().encode()
        try:
            url = checked_url(receiver.url, allow_private=self._allow_private)
            headers = signed_headers(receiver.secrets, event.id, now, body)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await response.content.read(_MOST_ANSWER_BYTES)
                return Answer(response.status, None, retry_after(response.headers.get("retry-after"), now))
        except TimeoutError:
            return Answer(None, f"no answer within {self._session.timeout.total:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # the last: an address or a secret is refused
            return Answer(None, str(error) or type(error).__name__)


def signed_headers(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks, with one signature for each secret."""
    signed = [sign(secret, message_id, at, body) for secret in secrets]
    return {**signed[0], SIGNATURE: " ".join(headers[SIGNATURE] for headers in signed)}
