"""Nodes, namespaces and the leases by which nodes say that they live."""

from msgspec import field

from common.cluster.decode.meta import (
    ConditionShape,
    Meta,
    Shape,
    conditions_of,
    head,
    instant_or_none,
    word,
)
from common.cluster.decode.resources import AmountsShape, resources_of
from common.cluster.rows import LeaseRow, NamespaceRow, NodeRow, Taint


class TaintShape(Shape, frozen=True, gc=False, rename="camel"):
    key: str = ""
    value: str | None = None
    effect: str = ""
    time_added: str | None = None


class NodeSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    provider_id: str | None = field(name="providerID", default=None)
    unschedulable: bool | None = None
    taints: tuple[TaintShape, ...] | None = None


class NodeInfoShape(Shape, frozen=True, gc=False, rename="camel"):
    kubelet_version: str | None = None


class NodeStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    capacity: AmountsShape | None = None
    allocatable: AmountsShape | None = None
    conditions: tuple[ConditionShape, ...] | None = None
    node_info: NodeInfoShape = NodeInfoShape()


class NodeShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: NodeSpecShape = NodeSpecShape()
    status: NodeStatusShape = NodeStatusShape()


def node_row(node: NodeShape) -> NodeRow:
    spec, status = node.spec, node.status
    return NodeRow(
        **head(node.metadata),
        unschedulable=bool(spec.unschedulable),
        taints=tuple(_taint(shape) for shape in spec.taints or ()),
        conditions=conditions_of(status.conditions),
        capacity=resources_of(status.capacity),
        allocatable=resources_of(status.allocatable),
        kubelet_version=word(status.node_info.kubelet_version),
        provider_id=spec.provider_id or "",
    )


def _taint(shape: TaintShape) -> Taint:
    return Taint(
        key=word(shape.key),
        value=word(shape.value),
        effect=word(shape.effect),
        added_at=instant_or_none(shape.time_added),
    )


class NamespaceStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    phase: str | None = None


class NamespaceShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    status: NamespaceStatusShape = NamespaceStatusShape()


def namespace_row(namespace: NamespaceShape) -> NamespaceRow:
    return NamespaceRow(**head(namespace.metadata), phase=word(namespace.status.phase))


class LeaseSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None


class LeaseShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: LeaseSpecShape = LeaseSpecShape()


def lease_row(lease: LeaseShape) -> LeaseRow:
    spec = lease.spec
    return LeaseRow(
        **head(lease.metadata),
        holder=word(spec.holder_identity),
        renewed_at=instant_or_none(spec.renew_time),
        duration_seconds=spec.lease_duration_seconds or 40,
    )
