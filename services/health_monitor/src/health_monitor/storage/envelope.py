"""The CloudEvents envelope of a health event, with text that PostgreSQL and JSON can hold. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from common.contracts import EventData, HealthEvent, ObjectKey
from common.contracts.health import EVENT_TYPE_PREFIX, Scalar

# PostgreSQL holds no NUL character, and half a surrogate pair is not Unicode.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def enveloped(data: EventData, *, event_id: UUID, cursor: int, source: str) -> HealthEvent:
    return HealthEvent(
        id=str(event_id),
        source=source,
        type=f"{EVENT_TYPE_PREFIX}.finding.{data.change}.v1",
        subject=subject_of(data.finding.object.key),
        time=data.detected_at,
        cursor=cursor,
        data=data,
    )


def subject_of(key: ObjectKey) -> str:
    """As "Pod/shop/checkout-1", "Node/n1" or "Cluster"."""
    return "/".join(part for part in key if part)


def storable(data: EventData) -> EventData:
    """The same data with a replacement character for each one that cannot be stored."""
    finding = data.finding
    clean = replace(
        finding,
        part=_clean(finding.part),
        message=_clean(finding.message),
        evidence=_clean_evidence(finding.evidence),
    )
    return data if clean == finding else data.model_copy(update={"finding": clean})


def _clean_evidence(evidence: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {_clean(name): _clean(value) if isinstance(value, str) else value for name, value in evidence.items()}


def _clean(value: str) -> str:
    return _UNSTORABLE.sub("\ufffd", value)
