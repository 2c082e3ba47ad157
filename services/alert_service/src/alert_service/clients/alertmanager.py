"""Alertmanager's API v2: its alerts, and the silences that are made in it.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from alert_service.clients.asking import Asking, Refused, Unavailable
from alert_service.routing.matchers import Matcher, matcher

_VARIABLE = "ALERT_SERVICE_ALERTMANAGER__TOKEN"
_NOT_FOUND = 404


class _Answer(BaseModel):
    """What is not known is ignored: newer versions say more."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class AlertStanding(_Answer):
    """What Alertmanager makes of an alert. The ids are those of silences, the fingerprints those of alerts."""

    state: Literal["unprocessed", "active", "suppressed"]
    silenced_by: tuple[str, ...] = Field((), alias="silencedBy")
    inhibited_by: tuple[str, ...] = Field((), alias="inhibitedBy")
    muted_by: tuple[str, ...] = Field((), alias="mutedBy")  # names of time intervals


class _Receiver(_Answer):
    name: str


class GettableAlert(_Answer):
    """One that fires there. `ends_at` lies ahead: then it would count as resolved if nobody told of it again."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime = Field(alias="startsAt")
    ends_at: datetime = Field(alias="endsAt")
    updated_at: datetime = Field(alias="updatedAt")
    generator_url: str = Field("", alias="generatorURL")
    status: AlertStanding
    receivers: tuple[_Receiver, ...] = ()


class GroupedStanding(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """As `AlertStanding`, of an alert in a group."""

    state: str
    muted_by: tuple[str, ...] = ()


class GroupedAlert(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One that fires, as its group has it. Lean: ten thousand are read at once, while others wait for the loop."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime
    generator_url: str = msgspec.field(name="generatorURL", default="")
    status: GroupedStanding


class GroupReceiver(msgspec.Struct, frozen=True):
    """Whom it is told."""

    name: str


class AlertGroup(msgspec.Struct, frozen=True):
    """The alerts of one group, as a receiver gets them."""

    labels: dict[str, str]
    receiver: GroupReceiver
    alerts: tuple[GroupedAlert, ...]


class _Matcher(_Answer):
    name: str
    value: str
    is_regex: bool = Field(False, alias="isRegex")
    is_equal: bool = Field(True, alias="isEqual")


class _SilenceStatus(_Answer):
    state: Literal["active", "expired", "pending"]


class GettableSilence(_Answer):
    """A silence as it stands there."""

    id: str
    matcher_parts: tuple[_Matcher, ...] = Field(alias="matchers")
    starts_at: datetime = Field(alias="startsAt")
    ends_at: datetime = Field(alias="endsAt")
    updated_at: datetime | None = Field(None, alias="updatedAt")
    created_by: str = Field("", alias="createdBy")
    comment: str = ""
    status: _SilenceStatus

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """ValueError when it has a pattern that is none here."""
        return tuple(
            matcher(each.name, each.value, is_regex=each.is_regex, is_equal=each.is_equal)
            for each in self.matcher_parts
        )

    @property
    def matcher_texts(self) -> list[str]:
        """For people, whatever its patterns are."""
        return [str(Matcher(each.name, each.value, each.is_regex, each.is_equal)) for each in self.matcher_parts]

    @property
    def over(self) -> bool:
        return self.status.state == "expired"


class _Config(_Answer):
    original: str = ""


class _Version(_Answer):
    version: str = ""


class AlertmanagerStatus(_Answer):
    """`config.original` is its configuration as YAML, with the secrets left out."""

    config: _Config = _Config()
    version_info: _Version = Field(_Version(), alias="versionInfo")


class _Made(_Answer):
    silence_id: str = Field(alias="silenceID")


_ALERT: TypeAdapter[GettableAlert] = TypeAdapter(GettableAlert)
_SILENCE: TypeAdapter[GettableSilence] = TypeAdapter(GettableSilence)
_STATUS: TypeAdapter[AlertmanagerStatus] = TypeAdapter(AlertmanagerStatus)
_MADE: TypeAdapter[_Made] = TypeAdapter(_Made)


class Alertmanager:
    """Every method raises Unavailable when asking again may help, and Refused when it will not. Ends with `close`."""

    def __init__(self, url: str, token: str = "", *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._asking = Asking(url, token, name=f"Alertmanager at {url}", variable=_VARIABLE, transport=transport)

    async def alerts(
        self,
        *,
        matchers: Sequence[Matcher] = (),
        active: bool = True,
        silenced: bool = True,
        inhibited: bool = True,
        unprocessed: bool = True,
    ) -> list[GettableAlert]:
        """All that fire, of the kinds asked for."""
        params: dict[str, str | Sequence[str]] = {
            "active": _word(active),
            "silenced": _word(silenced),
            "inhibited": _word(inhibited),
            "unprocessed": _word(unprocessed),
            "filter": [str(each) for each in matchers],
        }
        return await self._asking.ask_for_each(_ALERT, "/api/v2/alerts", params=params)

    async def groups(self) -> list[AlertGroup]:
        """Those that fire, by group and receiver, silenced and inhibited ones included."""
        return self._asking.decoded(list[AlertGroup], await self._asking.ask("GET", "/api/v2/alerts/groups"))

    async def silences(self, *, matchers: Sequence[Matcher] = ()) -> list[GettableSilence]:
        """Pending, active and expired ones. `matchers`: only those that have these very matchers."""
        return await self._asking.ask_for_each(
            _SILENCE, "/api/v2/silences", params={"filter": [str(each) for each in matchers]}
        )

    async def silence(self, silence_id: str) -> GettableSilence | None:
        """None when it is not there, or not any more."""
        try:
            return await self._asking.ask_for(_SILENCE, f"/api/v2/silence/{silence_id}")
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    async def create(
        self,
        matchers: Sequence[Matcher],
        *,
        starts_at: datetime,
        ends_at: datetime,
        created_by: str,
        comment: str,
        silence_id: str | None = None,
    ) -> str:
        """Makes one, or changes that of the id. The returned id holds from then on: a change may give another.

        Raises Refused with status 404 when the one to be changed is not there any more.
        """
        content: dict[str, Any] = {
            "matchers": [each.to_api() for each in matchers],
            "startsAt": starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
            "createdBy": created_by,
            "comment": comment,
        }
        if silence_id is not None:
            content["id"] = silence_id
        body = await self._asking.ask("POST", "/api/v2/silences", content=content)
        return self._asking.read(_MADE, body).silence_id

    async def expire(self, silence_id: str) -> None:
        """Ends it. One that has ended, or is not there any more, is as wanted."""
        try:
            await self._asking.ask("DELETE", f"/api/v2/silence/{silence_id}")
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                raise

    async def status(self) -> AlertmanagerStatus:
        return await self._asking.ask_for(_STATUS, "/api/v2/status")

    async def trouble(self) -> str | None:
        """Why it is not ready, for a probe."""
        try:
            await self._asking.ask("GET", "/-/ready", timeout_seconds=2.0)
        except (Unavailable, Refused) as error:
            return str(error)
        return None

    async def close(self) -> None:
        await self._asking.close()


def _word(value: bool) -> str:
    return "true" if value else "false"
