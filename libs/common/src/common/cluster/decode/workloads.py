"""Deployments, ReplicaSets, StatefulSets and DaemonSets: one shape, since their fields hardly collide."""

from typing import Any

from common.cluster.decode.meta import (
    ConditionShape,
    Meta,
    SelectorShape,
    Shape,
    annotation,
    conditions_of,
    head,
    selector_of,
    word,
)
from common.cluster.rows import DaemonSetRow, DeploymentRow, ReplicaSetRow, StatefulSetRow

REVISION = "deployment.kubernetes.io/revision"


class RollingUpdateShape(Shape, frozen=True, gc=False, rename="camel"):
    partition: int | None = None
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class StrategyShape(Shape, frozen=True, gc=False, rename="camel"):
    type: str | None = None
    rolling_update: RollingUpdateShape | None = None


class TemplateShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()


class WorkloadSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    replicas: int | None = None
    selector: SelectorShape | None = None
    strategy: StrategyShape | None = None  # Deployment
    update_strategy: StrategyShape | None = None  # StatefulSet, DaemonSet
    volume_claim_templates: tuple[TemplateShape, ...] | None = None
    paused: bool | None = None
    progress_deadline_seconds: int | None = None


class WorkloadStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    observed_generation: int | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    conditions: tuple[ConditionShape, ...] | None = None
    # DaemonSet
    current_number_scheduled: int | None = None
    number_misscheduled: int | None = None
    desired_number_scheduled: int | None = None
    number_ready: int | None = None
    updated_number_scheduled: int | None = None
    number_available: int | None = None


class WorkloadShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: WorkloadSpecShape = WorkloadSpecShape()
    status: WorkloadStatusShape = WorkloadStatusShape()


def deployment_row(item: WorkloadShape) -> DeploymentRow:
    return DeploymentRow(**_shared(item), **_replicas(item), revision=word(annotation(item.metadata, REVISION)))


def replica_set_row(item: WorkloadShape) -> ReplicaSetRow:
    return ReplicaSetRow(**_shared(item), **_replicas(item), revision=word(annotation(item.metadata, REVISION)))


def stateful_set_row(item: WorkloadShape) -> StatefulSetRow:
    return StatefulSetRow(
        **_shared(item),
        **_replicas(item),
        revision=word(item.status.update_revision),
        partition=_partition(item.spec.update_strategy),
        current_revision=word(item.status.current_revision),
        claim_templates=tuple(template.metadata.name for template in item.spec.volume_claim_templates or ()),
    )


def daemon_set_row(item: WorkloadShape) -> DaemonSetRow:
    status = item.status
    return DaemonSetRow(
        **_shared(item),
        replicas=status.desired_number_scheduled or 0,
        ready_replicas=status.number_ready or 0,
        available_replicas=status.number_available or 0,
        updated_replicas=status.updated_number_scheduled or 0,
        current_replicas=status.current_number_scheduled or 0,
        misscheduled=status.number_misscheduled or 0,
    )


def _partition(strategy: StrategyShape | None) -> int:
    return (strategy.rolling_update.partition or 0) if strategy and strategy.rolling_update else 0


def _limit(limit: int | str | None) -> str:
    return "" if limit is None else word(str(limit))


def _shared(item: WorkloadShape) -> dict[str, Any]:
    spec = item.spec
    strategy = spec.strategy or spec.update_strategy
    rolling = (strategy.rolling_update if strategy else None) or RollingUpdateShape()
    return {
        **head(item.metadata),
        "generation": item.metadata.generation or 0,
        "observed_generation": item.status.observed_generation or 0,
        "paused": bool(spec.paused),
        "strategy": word(strategy.type) if strategy else "",
        "max_surge": _limit(rolling.max_surge),
        "max_unavailable": _limit(rolling.max_unavailable),
        "progress_deadline_seconds": spec.progress_deadline_seconds,
        "selector": selector_of(spec.selector),
        "conditions": conditions_of(item.status.conditions),
    }


def _replicas(item: WorkloadShape) -> dict[str, Any]:
    status = item.status
    return {
        "replicas": 1 if item.spec.replicas is None else item.spec.replicas,
        "ready_replicas": status.ready_replicas or 0,
        "available_replicas": status.available_replicas or 0,
        "updated_replicas": status.updated_replicas or 0,
        "current_replicas": status.replicas or 0,
    }
