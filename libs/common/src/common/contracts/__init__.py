"""The types that two services share. Versioned: a field may be added, never renamed or removed within a version.

Frozen dataclasses, so that a service can make thousands a second and FastAPI can still publish and check their shape.
"""

from common.contracts.healing import Notice, NoticeKind
from common.contracts.health import (
    Change,
    Deduction,
    EventData,
    Finding,
    HealthEvent,
    Score,
    Severity,
)
from common.contracts.objects import ObjectKey, ObjectRef

__all__ = [
    "Change",
    "Deduction",
    "EventData",
    "Finding",
    "HealthEvent",
    "Notice",
    "NoticeKind",
    "ObjectKey",
    "ObjectRef",
    "Score",
    "Severity",
]
