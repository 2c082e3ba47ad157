"""One request to a vendor: bounded in time and size, not redirected, and every way it fails as a DeliveryError.

Addresses of webhooks are secrets: no error names more than their host.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from alert_service.channels.channel import DeliveryError, DeliveryReason

TIMEOUT_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 5.0  # for the body, once the status is there
_LONGEST_RETRY_AFTER = timedelta(hours=1)
_LONGEST_DETAIL = 200
_MOST_BYTES = 1 << 20  # Slack answers with the whole message
_BAD_STATUS = 400
_SERVER_ERRORS = 500

_REASONS = {
    401: DeliveryReason.CREDENTIALS,
    403: DeliveryReason.CREDENTIALS,
    404: DeliveryReason.NO_CONVERSATION,
    408: DeliveryReason.TIMED_OUT,
    410: DeliveryReason.NO_CONVERSATION,
    413: DeliveryReason.TOO_LARGE,
    429: DeliveryReason.RATE_LIMITED,
}
_RETRYABLE = frozenset({DeliveryReason.RATE_LIMITED, DeliveryReason.TIMED_OUT, DeliveryReason.VENDOR_ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a vendor said, as far as it is read."""

    host: str
    status: int
    retry_after: str | None  # the header
    is_page: bool  # HTML, as proxies and login pages say what goes wrong
    text: str


def a_client() -> httpx.AsyncClient:
    """For all channels together; whoever makes it closes it."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),  # the whole answer has a time of its own
        follow_redirects=False,
        limits=httpx.Limits(max_connections=64, keepalive_expiry=15),
        headers={"user-agent": "k8s-health-checker/alert-service"},
    )


async def post(http: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """The answer, whatever its status. Raises DeliveryError when there is none."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _asked(http, url, body, {"content-type": "application/json", **headers})
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise DeliveryError(DeliveryReason.UNREACHABLE, _no_answer(url, error), retryable=True) from None
    except (httpx.HTTPError, TimeoutError) as error:  # it was on its way: it may have arrived
        raise DeliveryError(DeliveryReason.TIMED_OUT, _no_answer(url, error), retryable=True) from None
    except (httpx.InvalidURL, ValueError):
        detail = "the channel's address or token is not one that can be sent"
        raise DeliveryError(DeliveryReason.REFUSED, detail, retryable=False) from None


async def _asked(http: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    async with http.stream("POST", url, content=body, headers=headers) as answer:
        text = await _text(answer)
    return Answer(
        host=answer.request.url.host,
        status=answer.status_code,
        retry_after=answer.headers.get("retry-after"),
        is_page=answer.headers.get("content-type", "").startswith("text/html"),
        text=text,
    )


async def _text(answer: httpx.Response) -> str:
    """As far as it comes: the status is there, and says most. What never ends must not hold up the channel."""
    said = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_READ_SECONDS):
            async for part in answer.aiter_bytes():
                said += part
                if len(said) > _MOST_BYTES:
                    break
    return said.decode("utf-8", "replace")


def check(answer: Answer) -> None:
    """Raises DeliveryError unless the status says that it was taken."""
    status = answer.status
    if status < 300:
        return
    if status < _BAD_STATUS:
        detail = f"{answer.host} answered {status}: redirects are not followed, give the final address"
        raise DeliveryError(DeliveryReason.NO_CONVERSATION, detail, retryable=False)
    reason = _REASONS.get(status, DeliveryReason.VENDOR_ERROR if status >= _SERVER_ERRORS else DeliveryReason.REFUSED)
    raise failed(answer, reason, said(answer))


def failed(answer: Answer, reason: DeliveryReason, why: str) -> DeliveryError:
    """The error of an answer; whether the same message may be sent again follows from the reason."""
    detail = f"{answer.host} answered {answer.status}" + (f": {why}" if why else "")
    wait = retry_after(answer.retry_after, datetime.now(UTC))
    return DeliveryError(reason, detail, retryable=reason in _RETRYABLE, retry_after=wait)


def said(answer: Answer) -> str:
    """The beginning of what the vendor answered, in one line, without addresses."""
    words = " ".join(answer.text[: 4 * _LONGEST_DETAIL].split())
    return re.sub(r"https?://\S+", "[address]", words)[:_LONGEST_DETAIL]


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """In seconds or as a date (RFC 9110, 10.2.3), an hour at most; None for nonsense."""
    text = (header or "").strip()
    try:
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            wait = timedelta(seconds=float(text))
        else:
            at = parsedate_to_datetime(text)
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except ValueError:
        return None
    return max(timedelta(), min(wait, _LONGEST_RETRY_AFTER))


def _no_answer(url: str, error: Exception) -> str:
    return f"no answer from {httpx.URL(url).host}: {type(error).__name__}"
