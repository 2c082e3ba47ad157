"""Prometheus' HTTP API, as far as it is asked for history.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import yaml
from pydantic import BaseModel, TypeAdapter

from alert_service.clients.asking import Asking

_TIMEOUT_SECONDS = 120.0  # Prometheus' own limit for a query
_VARIABLE = "no setting: Prometheus is asked without one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of an answer, its samples in the order of time."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[datetime, float]]


class _Row(BaseModel):
    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Data(BaseModel):
    resultType: Literal["vector", "matrix"]  # noqa: N815
    result: list[_Row]


class _Body(BaseModel):
    status: Literal["success"]
    data: _Data


class _ConfigText(BaseModel):
    yaml: str


class _Config(BaseModel):
    data: _ConfigText


_BODY: TypeAdapter[_Body] = TypeAdapter(_Body)
_CONFIG: TypeAdapter[_Config] = TypeAdapter(_Config)
# The configuration may have a hundred thousand lines, which take seconds to read: this is all that is needed.
_GLOBAL = re.compile(r"^global:\n(?:[ ].*\n)*", re.MULTILINE)


class Prometheus:
    """Every method raises Unavailable when asking again may help, and Refused for a query that is none or too large.

    Ends with `close`.
    """

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._asking = Asking(url, "", name=f"Prometheus at {url}", variable=_VARIABLE, transport=transport)

    async def query(self, expression: str, at: datetime) -> list[Series]:
        """As of an instant: one sample for each series."""
        return await self._ask("/api/v1/query", {"query": expression, "time": _instant(at)})

    async def query_range(self, expression: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        """At each step. Prometheus refuses more than 11,000 of them."""
        params = {"query": expression, "start": _instant(start), "end": _instant(end)}
        return await self._ask("/api/v1/query_range", params | {"step": f"{step.total_seconds():g}"})

    async def external_labels(self) -> Mapping[str, str]:
        """What it adds to alerts when it sends them, and to nothing that it stores."""
        said = self._asking.read(_CONFIG, await self._asking.ask("GET", "/api/v1/status/config"))
        found = _GLOBAL.search(said.data.yaml)
        part = yaml.safe_load(found[0])["global"] if found else None
        return {name: str(value) for name, value in ((part or {}).get("external_labels") or {}).items()}

    async def close(self) -> None:
        await self._asking.close()

    async def _ask(self, path: str, params: Mapping[str, str]) -> list[Series]:
        body = await self._asking.ask("GET", path, params=params, timeout_seconds=_TIMEOUT_SECONDS)
        return [_series(each) for each in self._asking.read(_BODY, body).data.result]


def _instant(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


def _series(row: _Row) -> Series:
    samples = row.values if row.value is None else [row.value]
    return Series(labels=row.metric, samples=[(datetime.fromtimestamp(at, UTC), float(value)) for at, value in samples])
