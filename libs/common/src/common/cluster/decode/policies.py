"""What limits other objects: HorizontalPodAutoscalers and PodDisruptionBudgets."""

from common.cluster.decode.meta import (
    ConditionShape,
    Meta,
    SelectorShape,
    Shape,
    conditions_of,
    head,
    selector_of,
    word,
)
from common.cluster.rows import HorizontalPodAutoscalerRow, PodDisruptionBudgetRow


class TargetShape(Shape, frozen=True, gc=False, rename="camel"):
    kind: str | None = None
    name: str | None = None


class HpaSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    scale_target_ref: TargetShape = TargetShape()
    min_replicas: int | None = None
    max_replicas: int | None = None


class HpaStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    current_replicas: int | None = None
    desired_replicas: int | None = None
    conditions: tuple[ConditionShape, ...] | None = None


class HpaShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: HpaSpecShape = HpaSpecShape()
    status: HpaStatusShape = HpaStatusShape()


def hpa_row(hpa: HpaShape) -> HorizontalPodAutoscalerRow:
    spec, status = hpa.spec, hpa.status
    return HorizontalPodAutoscalerRow(
        **head(hpa.metadata),
        target_kind=word(spec.scale_target_ref.kind),
        target_name=word(spec.scale_target_ref.name),
        min_replicas=1 if spec.min_replicas is None else spec.min_replicas,
        max_replicas=spec.max_replicas or 0,
        current_replicas=status.current_replicas or 0,
        desired_replicas=status.desired_replicas or 0,
        conditions=conditions_of(status.conditions),
    )


class PdbSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    min_available: int | str | None = None
    selector: SelectorShape | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str | None = None


class PdbStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    observed_generation: int | None = None
    disruptions_allowed: int | None = None
    current_healthy: int | None = None
    desired_healthy: int | None = None
    expected_pods: int | None = None
    conditions: tuple[ConditionShape, ...] | None = None


class PdbShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: PdbSpecShape = PdbSpecShape()
    status: PdbStatusShape = PdbStatusShape()


def pdb_row(pdb: PdbShape) -> PodDisruptionBudgetRow:
    spec, status = pdb.spec, pdb.status
    return PodDisruptionBudgetRow(
        **head(pdb.metadata),
        selector=selector_of(spec.selector),
        min_available="" if spec.min_available is None else str(spec.min_available),
        max_unavailable="" if spec.max_unavailable is None else str(spec.max_unavailable),
        disruptions_allowed=status.disruptions_allowed or 0,
        current_healthy=status.current_healthy or 0,
        desired_healthy=status.desired_healthy or 0,
        expected_pods=status.expected_pods or 0,
        unready_may_go=spec.unhealthy_pod_eviction_policy == "AlwaysAllow",
        generation=pdb.metadata.generation or 0,
        observed_generation=status.observed_generation or 0,
        conditions=conditions_of(status.conditions),
    )
