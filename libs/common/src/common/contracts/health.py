"""What health_monitor says: findings, scores and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.contracts.instant import Instant
from common.contracts.objects import ObjectKey, ObjectRef

EVENT_TYPE_PREFIX = "io.k8s-health-checker.health"


class Severity(StrEnum):
    """How bad: `critical` breaks users now, `warning` will or may, `info` is worth knowing."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical; for sorting, since the values themselves sort by name."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One detected problem on one object. Its identity is `key`; everything else may change while it stays open."""

    code: Annotated[str, Field(description="Stable id of the check", examples=["pod-crash-loop"])]
    object: ObjectRef
    part: Annotated[str, Field(description="Container, condition or the like that it is about; may be empty")] = ""
    severity: Severity
    message: Annotated[str, Field(description="One sentence for people")]
    since: Annotated[Instant, Field(description="When the condition began, as far as is known (UTC)")]
    evidence: Annotated[Mapping[str, Scalar], Field(description="The numbers and words that it rests on")] = field(
        default_factory=dict
    )

    @property
    def key(self) -> tuple[str, ObjectKey, str]:
        return (self.code, self.object.key, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """Points that one finding, or one family of members, took from a score."""

    points: Annotated[float, Field(ge=0, le=100, description="How much of the 100 it took")]
    code: Annotated[str, Field(description="Check that found it, or the family (`nodes`, `pods`, ...) it sums up")]
    reason: Annotated[str, Field(description="One sentence for people")]
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """0 (broken) to 100 (nothing found). The deductions add up to `100 - value`."""

    value: Annotated[float, Field(ge=0, le=100)]
    confidence: Annotated[
        float, Field(ge=0, le=1, description="1 when all was seen; missing data lowers it, never the value")
    ]
    deductions: tuple[Deduction, ...] = ()


class Change(StrEnum):
    """What an event tells of a finding, or of a storm of them."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"


class EventData(BaseModel):
    """The payload of a health event. A storm tells `count` findings of one code as one event about the cluster."""

    model_config = ConfigDict(frozen=True)

    change: Change
    finding: Finding
    previous_severity: Severity | None = Field(None, description="Before a change of severity")
    flapping: bool = Field(False, description="It opened and resolved so often that it is kept open until it is quiet")
    storm: bool = Field(False, description="Stands for many findings of this code; ask /api/v1/findings for each")
    count: int = Field(1, ge=1, description="Findings that this event stands for")
    object_score: float | None = Field(None, ge=0, le=100, description="Score of the object after the change")
    cluster_score: float | None = Field(None, ge=0, le=100, description="Score of the cluster after the change")
    detected_at: Instant = Field(description="When the change was seen (UTC)")
    object_changed_at: Instant | None = Field(
        None, description="When the API server says the object changed, if it does"
    )


class HealthEvent(BaseModel):
    """A CloudEvents 1.0 event in structured JSON. Delivery is at least once: drop repeats by id."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(description="UUID; the same on every delivery of this event")
    source: str = Field(description="URI of the cluster it is about", examples=["/clusters/prod-eu-1"])
    type: str = Field(
        description="What happened, and in which version", examples=["io.k8s-health-checker.health.finding.opened.v1"]
    )
    subject: str = Field(description="The object, as kind/namespace/name", examples=["Pod/shop/checkout-7d4b9c-x2x9z"])
    time: Instant = Field(description="When it was detected (UTC)")
    datacontenttype: Literal["application/json"] = "application/json"
    cursor: int = Field(ge=1, description="Position in the stream: gap-free and rising; read on with ?after=<cursor>")
    data: EventData
