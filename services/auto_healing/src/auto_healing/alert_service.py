"""alert_service, which tells people what happens to runs."""

import asyncio

import httpx

from auto_healing.settings import AlertServiceSettings
from common.contracts import Notice

_TIMEOUT_SECONDS = 10.0
_PATH = "/api/v1/notices"
# It cannot be read there, and will not be later.
_FOR_GOOD = frozenset({400, 413, 422})
_TOKEN = "AUTO_HEALING_ALERTS__TOKEN"  # noqa: S105


class AlertServiceUnavailable(Exception):
    """It does not take notices now; the message says what to look at."""


class AlertService:
    """Made once; closes its connections with `close`."""

    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_SECONDS,
            transport=transport,
        )

    @classmethod
    def of(cls, settings: AlertServiceSettings) -> "AlertService | None":
        """None when nobody is to be told."""
        return cls(settings.url, settings.token.get_secret_value()) if settings.url else None

    async def close(self) -> None:
        await self._http.aclose()

    async def tell(self, notice: Notice) -> str:
        """Returns once it is stored there. A text says why it never will be; empty: it is. Raises
        AlertServiceUnavailable when asking again may help."""
        body = notice.model_dump_json()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await self._http.post(_PATH, content=body, headers={"Content-Type": "application/json"})
        except TimeoutError:
            raise AlertServiceUnavailable(f"{self._url} did not answer within {_TIMEOUT_SECONDS:g} s") from None
        except httpx.HTTPError as error:
            raise AlertServiceUnavailable(f"{self._url} does not answer: {error or type(error).__name__}") from error
        if answer.is_success:
            return ""
        said = f"{self._url}{_PATH} answers {answer.status_code}: {answer.text[:200]}"
        if answer.status_code in _FOR_GOOD:
            return said
        if answer.status_code in {401, 403}:
            said = f"{self._url} refuses the token ({answer.status_code}); {_TOKEN} needs the scope operate"
        raise AlertServiceUnavailable(said)
