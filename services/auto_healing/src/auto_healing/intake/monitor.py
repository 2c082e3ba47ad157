"""What is asked of health_monitor over its REST API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from common.contracts import Finding, HealthEvent

_TIMEOUT_SECONDS = 10.0
_FINDINGS_PER_PAGE = 500
_FINDINGS: TypeAdapter[list[Finding]] = TypeAdapter(list[Finding])


class MonitorUnavailable(Exception):
    """It does not answer, or not as it should; the message says what to look at."""


class CursorExpired(Exception):
    """Events after the cursor are not kept any more, or the stream was set back."""


class EventPage(BaseModel):
    """Events after a cursor, oldest first."""

    events: list[HealthEvent]
    next_cursor: int
    head: int
    more: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """Every open finding, at least as new as the event with cursor `head`."""

    head: int
    findings: tuple[Finding, ...]


class MonitorClient:
    """Made once; closes its connections with `close`."""

    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_SECONDS,
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def events(self, after: int | None, *, wait_seconds: float = 0, limit: int = 500) -> EventPage:
        """After a cursor; None: from the oldest kept. Raises MonitorUnavailable, CursorExpired."""
        start = {} if after is None else {"after": str(after)}
        body = await self._get(
            "/api/v1/events",
            {**start, "wait": str(wait_seconds), "limit": str(limit)},
            timeout_seconds=wait_seconds + _TIMEOUT_SECONDS,
        )
        try:
            return EventPage.model_validate_json(body)
        except ValidationError as error:
            raise self._nonsense("/api/v1/events", error) from error

    async def listing(self) -> Listing:
        """The head is read first, so what happens meanwhile comes again as an event. Raises MonitorUnavailable."""
        head = (await self.events(None, limit=1)).head
        return Listing(head, tuple([finding async for finding in self._findings()]))

    async def _findings(self) -> AsyncIterator[Finding]:
        params = {"limit": str(_FINDINGS_PER_PAGE)}
        while True:
            body = await self._get("/api/v1/findings", params)
            try:
                page = _Findings.model_validate_json(body)
                for finding in _FINDINGS.validate_python(page.items):
                    yield finding
            except ValidationError as error:
                raise self._nonsense("/api/v1/findings", error) from error
            if page.next_cursor is None:
                return
            params = params | {"cursor": page.next_cursor}

    async def _get(self, path: str, params: dict[str, str], *, timeout_seconds: float = _TIMEOUT_SECONDS) -> bytes:
        try:
            answer = await self._http.get(path, params=params, timeout=timeout_seconds)
        except httpx.HTTPError as error:
            raise MonitorUnavailable(f"{self._url} does not answer: {error or type(error).__name__}") from error
        if answer.status_code == httpx.codes.GONE:
            raise CursorExpired(answer.text[:200])
        if answer.status_code in {401, 403}:
            raise MonitorUnavailable(
                f"{self._url} refuses the token ({answer.status_code}); "
                "AUTO_HEALING_MONITOR__TOKEN needs the scope read"
            )
        if answer.is_error:
            raise MonitorUnavailable(f"{self._url}{path} answers {answer.status_code}: {answer.text[:200]}")
        return answer.content

    def _nonsense(self, path: str, error: ValidationError) -> MonitorUnavailable:
        first = error.errors()[0]
        return MonitorUnavailable(
            f"{self._url}{path} is no health_monitor of this version: {first['loc']}: {first['msg']}"
        )


class _Findings(BaseModel):
    items: list[dict[str, object]]
    next_cursor: str | None = None
