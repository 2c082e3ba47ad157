"""Which alerts fire, as Alertmanager says: healing holds while something burns that it is not about."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from auto_healing.facts import FiringAlert
from common.clock import Clock
from common.logs import Complaint

logger = logging.getLogger(__name__)

POLL_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0
_STALE_AFTER_SECONDS = 45.0  # what is older tells nothing


class _Alert(BaseModel):
    labels: dict[str, str]
    starts_at: datetime = Field(alias="startsAt")


_ALERTS: TypeAdapter[list[_Alert]] = TypeAdapter(list[_Alert])


class Alerts:
    """Asks Alertmanager's API v2 for the alerts that are neither silenced nor inhibited. Closed with `close`."""

    def __init__(self, url: str, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_SECONDS, transport=transport)
        self._url = url
        self._clock = clock
        self._firing: Sequence[FiringAlert] = ()
        self._asked_at: float | None = None  # monotonic, of the last answer
        self._complaint = Complaint(logger, clock)
        self.reason = f"{url} has not been asked yet"

    def firing(self) -> Sequence[FiringAlert] | None:
        """None when nothing recent is known."""
        if self._asked_at is None or self._clock.monotonic() - self._asked_at > _STALE_AFTER_SECONDS:
            return None
        return self._firing

    async def trouble(self) -> str | None:
        """For a probe."""
        return self.reason or None

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(POLL_SECONDS)

    async def ask(self) -> None:
        """Whatever Alertmanager answers; without a good answer what was known before grows old."""
        try:
            answer = await self._http.get(
                "/api/v2/alerts", params={"active": "true", "silenced": "false", "inhibited": "false"}
            )
            answer.raise_for_status()
            alerts = _ALERTS.validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            why = next(iter(str(error).splitlines()), type(error).__name__)  # a timeout has no words of its own
            self.reason = f"{self._url} does not tell which alerts fire: {why}"
            self._complaint.warn(self.reason)
            return
        self._firing = tuple(
            FiringAlert(name=each.labels.get("alertname", ""), labels=each.labels, since=each.starts_at)
            for each in alerts
        )
        self._asked_at = self._clock.monotonic()
        self.reason = ""
        self._complaint.over()
