"""What all kinds share: metadata, times, conditions, selectors; and the sharing of values that repeat."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from common.cluster.rows import Condition, Labels, OwnerRef, Selector

MESSAGE_LENGTH = 500
ABSENT = Raw()
KEPT_ANNOTATIONS = (
    "k8s-health-checker/",
    "argocd.argoproj.io/tracking-id",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "descheduler.alpha.kubernetes.io/eviction-in-progress",
    "karpenter.sh/do-not-",
    "weave.works/kured-reboot-in-progress",
)
NO_LABELS: Labels = {}
NAMELESS = "an object without name or uid"


class Shape(Struct, frozen=True, gc=False, rename="camel"):
    """Base of the shapes. Frozen, so that equal ones can be looked up."""


class OwnerShape(Shape, frozen=True, gc=False, rename="camel"):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(Shape, frozen=True, gc=False, rename="camel"):
    """What repeats from object to object stays raw: equal bytes are looked up instead of being decoded again."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Raw = ABSENT
    annotations: Raw = ABSENT
    owner_references: Raw = ABSENT
    finalizers: tuple[str, ...] | None = None


class ConditionShape(Shape, frozen=True, gc=False, rename="camel"):
    type: str = ""
    status: str = ""
    last_heartbeat_time: str | None = None
    last_transition_time: str | None = None
    reason: str | None = None
    message: str | None = None


class ExpressionShape(Shape, frozen=True, gc=False, rename="camel"):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class SelectorShape(Shape, frozen=True, gc=False, rename="camel"):
    match_labels: Raw = ABSENT
    match_expressions: tuple[ExpressionShape, ...] | None = None


@lru_cache(maxsize=16_384)
def instant(text: str) -> datetime:
    """An RFC 3339 time, aware. Objects of one rollout share their times."""
    return datetime.fromisoformat(text)


def instant_or_none(text: str | None) -> datetime | None:
    return instant(text) if text else None


def cut(text: str | None) -> str:
    return text[:MESSAGE_LENGTH] if text else ""


def word(text: str | None) -> str:
    """A string that few objects differ in, shared by all of them."""
    return intern(text) if text else ""


def labels_of(raw: Raw) -> Labels:
    """Pods of one owner share one dict."""
    return _labels(bytes(raw)) if raw else NO_LABELS


@lru_cache(maxsize=16_384)
def _labels(text: bytes) -> Labels:
    return {intern(key): intern(value) for key, value in _pairs(text).items()}


def owner_of(raw: Raw) -> OwnerRef | None:
    return _owner(bytes(raw)) if raw else None


@lru_cache(maxsize=16_384)
def _owner(text: bytes) -> OwnerRef | None:
    for owner in _OWNERS.decode(text) or ():
        if owner.controller:
            return OwnerRef(kind=intern(owner.kind), name=intern(owner.name), uid=owner.uid)
    return None


def kept_annotations(text: bytes) -> Labels:
    """Of the raw annotations, those that are kept. Most objects have none, which a search of the bytes tells."""
    for key in _KEPT:
        if key in text:
            return _kept(text)
    return NO_LABELS


@lru_cache(maxsize=1024)
def _kept(text: bytes) -> Labels:
    return {key: value[:MESSAGE_LENGTH] for key, value in _pairs(text).items() if key.startswith(KEPT_ANNOTATIONS)}


def annotation(meta: Meta, key: str) -> str:
    return _pairs(bytes(meta.annotations)).get(key, "")


def _pairs(text: bytes) -> dict[str, str]:
    return (_PAIRS.decode(text) or {}) if text else {}


_KEPT = tuple(key.encode() for key in KEPT_ANNOTATIONS)
_PAIRS = Decoder(dict[str, str] | None)
_OWNERS = Decoder(tuple[OwnerShape, ...] | None)


def head(meta: Meta) -> dict[str, Any]:
    """The fields that every row has."""
    if not meta.name or not meta.uid:
        raise ValueError(NAMELESS)
    return {
        "uid": meta.uid,
        "namespace": word(meta.namespace),
        "name": meta.name,
        "resource_version": meta.resource_version,
        "created_at": instant_or_none(meta.creation_timestamp),
        "deleted_at": instant_or_none(meta.deletion_timestamp),
        "labels": labels_of(meta.labels),
        "annotations": kept_annotations(bytes(meta.annotations)),
        "owner": owner_of(meta.owner_references),
    }


def condition_of(shape: ConditionShape) -> Condition:
    return Condition(
        type=word(shape.type),
        status=word(shape.status),
        reason=word(shape.reason),
        message=cut(shape.message),
        changed_at=instant_or_none(shape.last_transition_time),
        seen_at=instant_or_none(shape.last_heartbeat_time),
    )


def conditions_of(shapes: Iterable[ConditionShape] | None) -> tuple[Condition, ...]:
    return tuple(condition_of(shape) for shape in shapes or ())


def selector_of(shape: SelectorShape | None) -> Selector:
    """None selects nothing; an empty selector selects everything."""
    if shape is None:
        return Selector(labels=NO_LABELS)
    expressions = tuple((item.key, item.operator, item.values or ()) for item in shape.match_expressions or ())
    labels = labels_of(shape.match_labels)
    return Selector(labels=labels, expressions=expressions, everything=not labels and not expressions)
