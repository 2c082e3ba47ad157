"""What is asked of health_monitor over its REST API. Whoever answers in its place, no answer is endless."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from common.contracts import Finding, HealthEvent

_TIMEOUT_SECONDS = 10.0
_FINDINGS_PER_PAGE = 500
_MOST_PAGES = 2000  # of findings: a million, more than the largest clusters have objects in trouble
_MOST_BYTES = 32 << 20  # of one answer: 500 findings or events with the longest messages are some megabytes
_BETWEEN = "look for a cache or a proxy between it and us"
_FINDINGS: TypeAdapter[list[Finding]] = TypeAdapter(list[Finding])


class MonitorUnavailable(Exception):
    """It does not answer, or not as it should; the message says what to look at."""


class CursorExpired(Exception):
    """Events after the cursor are not kept any more, or the stream was set back."""


Cursor = Annotated[int, Field(ge=0, le=2**63 - 1)]  # what PostgreSQL holds


class EventPage(BaseModel):
    """Events after a cursor, oldest first."""

    events: list[HealthEvent]
    next_cursor: Cursor
    head: Cursor
    more: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """Every open finding, at least as new as the event with cursor `head`."""

    head: int
    findings: tuple[Finding, ...]


class MonitorClient:
    """Made once; closes its connections with `close`. `variable` is the setting that holds the token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        variable: str = "MONITOR__TOKEN",
        timeout_seconds: float = _TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._variable = variable
        self._timeout_seconds = timeout_seconds
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(None, connect=timeout_seconds),  # the whole answer has one of its own
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
            wait_seconds=wait_seconds,
        )
        try:
            page = EventPage.model_validate_json(body)
        except ValidationError as error:
            raise self._nonsense("/api/v1/events", error) from error
        if after is not None:
            self._check(page, after)
        return page

    async def cluster(self) -> str:
        """Its name, as in the source of the events. Raises MonitorUnavailable."""
        try:
            return _Cluster.model_validate_json(await self._get("/api/v1/cluster", {})).name
        except ValidationError as error:
            raise self._nonsense("/api/v1/cluster", error) from error

    async def listing(self) -> Listing:
        """The head is read first, so what happens meanwhile comes again as an event. Raises MonitorUnavailable."""
        head = (await self.events(None, limit=1)).head
        return Listing(head, tuple([finding async for finding in self._findings()]))

    async def _findings(self) -> AsyncIterator[Finding]:
        params = {"limit": str(_FINDINGS_PER_PAGE)}
        for _ in range(_MOST_PAGES):
            body = await self._get("/api/v1/findings", params)
            try:
                page = _Findings.model_validate_json(body)
                for finding in _FINDINGS.validate_python(page.items):
                    yield finding
            except ValidationError as error:
                raise self._nonsense("/api/v1/findings", error) from error
            if page.next_cursor is None:
                return
            if page.next_cursor == params.get("cursor"):
                break
            params = params | {"cursor": page.next_cursor}
        raise MonitorUnavailable(f"{self._url}/api/v1/findings has no last page: {_BETWEEN}")

    def _check(self, page: EventPage, after: int) -> None:
        """Raises CursorExpired for a stream that ends before the cursor, MonitorUnavailable for one that turns."""
        if page.head < after:
            raise CursorExpired(f"{self._url} has events up to {page.head} only, where {after} was read before")
        if page.next_cursor < after or (page.events and page.next_cursor == after):
            raise MonitorUnavailable(
                f"{self._url}/api/v1/events leads from cursor {after} on to {page.next_cursor}: {_BETWEEN}"
            )

    async def _get(self, path: str, params: dict[str, str], *, wait_seconds: float = 0) -> bytes:
        patience = wait_seconds + self._timeout_seconds
        try:
            async with asyncio.timeout(patience):
                answer = await self._read(path, params)
        except TimeoutError as error:
            raise MonitorUnavailable(f"{self._url}{path} was not answered to its end within {patience:g} s") from error
        except httpx.HTTPError as error:
            raise MonitorUnavailable(f"{self._url} does not answer: {error or type(error).__name__}") from error
        if answer.status_code == httpx.codes.GONE:
            raise CursorExpired(answer.text[:200])
        if answer.status_code in {401, 403}:
            raise MonitorUnavailable(
                f"{self._url} refuses the token ({answer.status_code}); {self._variable} needs the scope read"
            )
        if answer.is_error:
            raise MonitorUnavailable(f"{self._url}{path} answers {answer.status_code}: {answer.text[:200]}")
        return answer.content

    async def _read(self, path: str, params: dict[str, str]) -> httpx.Response:
        """The answer with its whole body. Raises MonitorUnavailable for one that is too long."""
        async with self._http.stream("GET", path, params=params) as answer:
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise MonitorUnavailable(f"{self._url}{path} answers with more than {_MOST_BYTES >> 20} MiB")
            return httpx.Response(answer.status_code, content=bytes(body))

    def _nonsense(self, path: str, error: ValidationError) -> MonitorUnavailable:
        first = error.errors()[0]
        return MonitorUnavailable(
            f"{self._url}{path} is no health_monitor of this version: {first['loc']}: {first['msg']}"
        )


class _Cluster(BaseModel):
    name: str


class _Findings(BaseModel):
    items: list[dict[str, object]]
    next_cursor: str | None = None
