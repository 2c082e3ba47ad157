"""Whether a press of a button would come back: the service's public address, asked from outside as the vendor asks it.

Nothing is pressed: Slack's own check of an address is sent, signed, and pages are only looked at.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx
from slack_sdk.signature import SignatureVerifier

SLACK_SECONDS = 3.0  # https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
INTERACTIVITY = "/api/v1/slack/interactivity"
_BODY = "ssl_check=1"
_HTTP_OK = 200
_WHAT_IS_WRONG = {
    401: "ALERT_SERVICE_SLACK__SIGNING_SECRET is not the one that the service has, or a clock is minutes wrong",
    404: "something else answers there: ALERT_SERVICE_LINKS__URL has to lead to alert_service",
    410: "the service has other ALERT_SERVICE_LINKS__KEYS than this rehearsal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`error` is empty when it answered as it should."""

    seconds: float
    error: str = ""


class WayBack:
    """`url` is where people and vendors reach this service; `knows_links`: it signs cards with the same keys."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        signing_secret: str,
        now: Callable[[], datetime],
        *,
        knows_links: bool = True,
    ) -> None:
        self.knows_links = knows_links
        self._http = http
        self._url = url.rstrip("/")
        self._signing_secret = signing_secret
        self._now = now

    def leads_to(self, url: str) -> bool:
        """Whether a link leads to this service."""
        return url.startswith(self._url + "/")

    async def slack(self) -> Looked:
        """As Slack checks an interactivity URL. The answer has to come within 3 seconds."""
        signer = SignatureVerifier(self._signing_secret)
        at = str(int(self._now().timestamp()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signer.generate_signature(timestamp=at, body=_BODY) or "",
        }
        looked = await self._ask("POST", self._url + INTERACTIVITY, content=_BODY, headers=headers)
        if not looked.error and looked.seconds > SLACK_SECONDS:
            return Looked(
                seconds=looked.seconds, error=f"answered after {looked.seconds:.1f} s; Slack gives up after 3"
            )
        return looked

    async def page(self, url: str) -> Looked:
        """Opens a page, as a person does or a link preview."""
        return await self._ask("GET", url)

    async def _ask(
        self, method: str, url: str, *, content: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Looked:
        start = time.monotonic()
        try:
            answer = await self._http.request(method, url, content=content, headers=headers)
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}; is the service up, and ALERT_SERVICE_LINKS__URL its address?"
            what = f"no answer from {self._url}: {why}"
            return Looked(seconds=time.monotonic() - start, error=what)
        seconds = time.monotonic() - start
        if answer.status_code != _HTTP_OK:
            why = _WHAT_IS_WRONG.get(answer.status_code, "")
            said = f"{self._url} answered {answer.status_code}"
            return Looked(seconds=seconds, error=f"{said}: {why}" if why else said)
        return Looked(seconds=seconds)
