"""Where a pod may run, as its spec says. Pods of one template share one value, found by the bytes of its parts."""

from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw, field
from msgspec.json import Decoder

from common.cluster.decode.meta import ExpressionShape, SelectorShape, Shape, labels_of, selector_of, word
from common.cluster.rows import ANYWHERE, Expression, HostPort, NodeTerm, PodTerm, Scheduling, Spread


class NodeTermShape(Shape, frozen=True, gc=False, rename="camel"):
    match_expressions: tuple[ExpressionShape, ...] | None = None
    match_fields: tuple[ExpressionShape, ...] | None = None


class NodeSelectorShape(Shape, frozen=True, gc=False, rename="camel"):
    node_selector_terms: tuple[NodeTermShape, ...] | None = None


class PreferredNodesShape(Shape, frozen=True, gc=False, rename="camel"):
    weight: int = 0
    preference: NodeTermShape = NodeTermShape()


class NodeAffinityShape(Shape, frozen=True, gc=False):
    required: NodeSelectorShape | None = field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)
    preferred: tuple[PreferredNodesShape, ...] | None = field(
        name="preferredDuringSchedulingIgnoredDuringExecution", default=None
    )


class PodTermShape(Shape, frozen=True, gc=False, rename="camel"):
    label_selector: SelectorShape | None = None
    namespaces: tuple[str, ...] | None = None
    namespace_selector: SelectorShape | None = None
    topology_key: str = ""


class PodAffinityShape(Shape, frozen=True, gc=False):
    required: tuple[PodTermShape, ...] | None = field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )


class AffinityShape(Shape, frozen=True, gc=False, rename="camel"):
    node_affinity: NodeAffinityShape | None = None
    pod_affinity: PodAffinityShape | None = None
    pod_anti_affinity: PodAffinityShape | None = None


class SpreadShape(Shape, frozen=True, gc=False, rename="camel"):
    max_skew: int = 1
    topology_key: str = ""
    when_unsatisfiable: str = ""
    label_selector: SelectorShape | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: tuple[str, ...] | None = None


class GateShape(Shape, frozen=True, gc=False, rename="camel"):
    name: str = ""


class PortShape(Shape, frozen=True, gc=False, rename="camel"):
    host_port: int | None = None
    host_ip: str | None = field(name="hostIP", default=None)
    protocol: str | None = None


class Plain(NamedTuple):
    """The parts that need no decoding."""

    host_ports: tuple[HostPort, ...]
    gates: tuple[str, ...]
    priority: int


NOTHING = Plain((), (), 0)


def scheduling_of(node_selector: Raw, affinity: Raw, spread: Raw, plain: Plain = NOTHING) -> Scheduling:
    if not (node_selector or affinity or spread) and plain is NOTHING:
        return ANYWHERE
    return _scheduling(bytes(node_selector), bytes(affinity), bytes(spread), plain)


@lru_cache(maxsize=4096)
def _scheduling(node_selector: bytes, affinity: bytes, spread: bytes, plain: Plain) -> Scheduling:
    shape = (_AFFINITY.decode(affinity) if affinity else None) or AffinityShape()
    nodes = shape.node_affinity or NodeAffinityShape()
    constraints = (_SPREAD.decode(spread) if spread else None) or ()
    return Scheduling(
        node_selector=labels_of(Raw(node_selector)),
        node_terms=node_terms_of(nodes.required),
        preferred_nodes=tuple((each.weight, _node_term(each.preference)) for each in nodes.preferred or ()),
        affinity=_pod_terms(shape.pod_affinity),
        anti_affinity=_pod_terms(shape.pod_anti_affinity),
        spread=tuple(_spread(each) for each in constraints if each.when_unsatisfiable == "DoNotSchedule"),
        **plain._asdict(),
    )


def host_port_of(shape: PortShape) -> HostPort:
    return word(shape.protocol) or "TCP", word(shape.host_ip), shape.host_port or 0


def _pod_terms(shape: PodAffinityShape | None) -> tuple[PodTerm, ...]:
    return tuple(_pod_term(term) for term in (shape.required if shape else None) or ())


def _pod_term(shape: PodTermShape) -> PodTerm:
    return PodTerm(
        topology_key=word(shape.topology_key),
        selector=selector_of(shape.label_selector),
        namespaces=tuple(word(name) for name in shape.namespaces or ()),
        namespace_selector=None if shape.namespace_selector is None else selector_of(shape.namespace_selector),
    )


def _spread(shape: SpreadShape) -> Spread:
    return Spread(
        topology_key=word(shape.topology_key),
        selector=selector_of(shape.label_selector),
        max_skew=shape.max_skew,
        min_domains=shape.min_domains or 1,
        heeds_affinity=shape.node_affinity_policy != "Ignore",
        heeds_taints=shape.node_taints_policy == "Honor",
        same_labels=tuple(word(key) for key in shape.match_label_keys or ()),
    )


def node_terms_of(shape: NodeSelectorShape | None) -> tuple[NodeTerm, ...]:
    return tuple(_node_term(term) for term in (shape.node_selector_terms if shape else None) or ())


def _node_term(shape: NodeTermShape) -> NodeTerm:
    return NodeTerm(labels=_expressions(shape.match_expressions), fields=_expressions(shape.match_fields))


def _expressions(shapes: tuple[ExpressionShape, ...] | None) -> tuple[Expression, ...]:
    return tuple((word(shape.key), word(shape.operator), _words(shape.values)) for shape in shapes or ())


def _words(values: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(word(value) for value in values or ())


_AFFINITY = Decoder(AffinityShape | None)
_SPREAD = Decoder(tuple[SpreadShape, ...] | None)
