"""What Alertmanager posts, read into a post. Pure; tolerant of what is new, missing or null.

Payload version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.fingerprint import fingerprint_of

_QUOTED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")  # Go's QuoteMeta, which Alertmanager sends receivers through
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_FRACTION = re.compile(r"\.(\d{6})\d+")
_TEXTS = dict[str, Any] | None


class PayloadInvalid(ValueError):
    """It is no payload of Alertmanager's; the message says what is wrong with it."""


class _Alert(msgspec.Struct):
    status: str | None = None
    labels: _TEXTS = None
    annotations: _TEXTS = None
    startsAt: str | None = None  # noqa: N815 - Alertmanager's name
    endsAt: str | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815
    fingerprint: str | None = None


class _Payload(msgspec.Struct):
    alerts: list[_Alert]
    groupKey: str | None = None  # noqa: N815
    truncatedAlerts: int | None = None  # noqa: N815
    receiver: str | None = None
    externalURL: str | None = None  # noqa: N815
    groupLabels: _TEXTS = None  # noqa: N815


_DECODER = msgspec.json.Decoder(_Payload)


def check_post(body: bytes) -> None:
    """Raises PayloadInvalid for what `parse_post` could not read."""
    _decoded(body)


def parse_post(body: bytes, *, received_at: datetime) -> Post:
    """Raises PayloadInvalid. An alert that says not when it began is taken to begin now."""
    payload = _decoded(body)
    group_labels = _texts(payload.groupLabels)
    return Post(
        source=Source.ALERTMANAGER,
        group_key=_text(payload.groupKey) or _named(group_labels),
        receiver=_QUOTED.sub(r"\1", _text(payload.receiver)),
        external_url=_text(payload.externalURL),
        group_labels=group_labels,
        alerts=tuple(_alert(each, received_at) for each in payload.alerts),
        truncated=max(payload.truncatedAlerts or 0, 0),
    )


def _decoded(body: bytes) -> _Payload:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadInvalid(f"is no payload of Alertmanager's webhook: {error}") from None


def _alert(each: _Alert, received_at: datetime) -> Alert:
    labels = _texts(each.labels)
    resolved = each.status == AlertStatus.RESOLVED
    return Alert(
        fingerprint=given if _FINGERPRINT.fullmatch(given := each.fingerprint or "") else fingerprint_of(labels),
        status=AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
        labels=labels,
        annotations=_texts(each.annotations),
        starts_at=instant_of(each.startsAt) or received_at,
        ends_at=(instant_of(each.endsAt) or received_at) if resolved else None,
        generator_url=_text(each.generatorURL),
    )


@lru_cache(maxsize=4096)  # the alerts of a group often began at the same time
def instant_of(text: str | None) -> datetime | None:
    """In UTC. None for what is missing or unreadable, and for Go's year 1, which means that there is none."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r".\1", text))
        if at.year <= 1:
            return None
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _texts(given: dict[str, Any] | None) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in given.items()} if given else {}


def _text(value: Any) -> str:
    """PostgreSQL holds no NUL, and nobody reads one."""
    if type(value) is str and "\0" not in value:
        return value
    return "" if value is None else str(value).replace("\0", "")


def _named(labels: dict[str, str]) -> str:
    """A group key for payloads of others than Alertmanager, who may leave it out."""
    return "{}:{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
