"""Pods. This is the path that decides how many events a second fit one core: what repeats is looked up, not built."""

from functools import lru_cache
from sys import intern
from typing import NamedTuple

from msgspec import Raw
from msgspec.json import Decoder

from common.cluster.decode.meta import (
    ABSENT,
    NAMELESS,
    ConditionShape,
    Meta,
    Shape,
    condition_of,
    cut,
    instant_or_none,
    kept_annotations,
    labels_of,
    owner_of,
    word,
)
from common.cluster.decode.resources import (
    AmountsShape,
    ResourcesShape,
    amount_of,
    effective,
    resources,
    resources_of,
)
from common.cluster.decode.scheduling import NOTHING, GateShape, Plain, PortShape, host_port_of, scheduling_of
from common.cluster.rows import (
    Condition,
    Container,
    ContainerStatus,
    HostPort,
    PodRow,
    Resources,
    Scheduling,
    Toleration,
)

MIRROR = b"kubernetes.io/config.mirror"


class Present(Shape, frozen=True, gc=False):
    """Something of which only the presence matters."""


class ContainerShape(Shape, frozen=True, gc=False, rename="camel"):
    name: str = ""
    resources: ResourcesShape | None = None
    ports: tuple[PortShape, ...] | None = None
    restart_policy: str | None = None
    liveness_probe: Present | None = None
    readiness_probe: Present | None = None


class TolerationShape(Shape, frozen=True, gc=False, rename="camel"):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class ClaimShape(Shape, frozen=True, gc=False, rename="camel"):
    claim_name: str = ""


class VolumeShape(Shape, frozen=True, gc=False, rename="camel"):
    name: str = ""
    persistent_volume_claim: ClaimShape | None = None
    ephemeral: Present | None = None


class PodSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    volumes: tuple[VolumeShape, ...] | None = None
    init_containers: tuple[ContainerShape, ...] | None = None
    containers: tuple[ContainerShape, ...] | None = None
    node_name: str | None = None
    tolerations: tuple[TolerationShape, ...] | None = None
    priority_class_name: str | None = None
    overhead: AmountsShape | None = None
    resources: ResourcesShape | None = None
    priority: int | None = None
    node_selector: Raw = ABSENT
    affinity: Raw = ABSENT
    topology_spread_constraints: Raw = ABSENT
    scheduling_gates: tuple[GateShape, ...] | None = None


class EndShape(Shape, frozen=True, gc=False, rename="camel"):
    exit_code: int | None = None
    reason: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class WaitShape(Shape, frozen=True, gc=False, rename="camel"):
    reason: str | None = None
    message: str | None = None


class StateShape(Shape, frozen=True, gc=False, rename="camel"):
    waiting: WaitShape | None = None
    running: Present | None = None
    terminated: EndShape | None = None


class StatusShape(Shape, frozen=True, gc=False, rename="camel"):
    name: str = ""
    state: StateShape | None = None
    last_state: StateShape | None = None
    ready: bool | None = None
    restart_count: int | None = None


class PodStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    phase: str | None = None
    conditions: tuple[ConditionShape, ...] | None = None
    message: str | None = None
    reason: str | None = None
    start_time: str | None = None
    init_container_statuses: tuple[StatusShape, ...] | None = None
    container_statuses: tuple[StatusShape, ...] | None = None
    qos_class: str | None = None


class PodShape(Shape, frozen=True, gc=False, rename="camel"):
    """The spec stays raw: it seldom changes, and then what is known of it is taken from the row before."""

    metadata: Meta = Meta()
    spec: Raw = ABSENT
    status: PodStatusShape = PodStatusShape()


class SpecPart(NamedTuple):
    """What a row takes from the spec, named as in the row."""

    node: str
    containers: tuple[Container, ...]
    requests: Resources
    limits: Resources
    tolerations: tuple[Toleration, ...]
    claims: tuple[str, ...]
    priority_class: str
    scheduling: Scheduling


def pod_row(pod: PodShape, before: PodRow | None = None) -> PodRow:
    """`before` is the row of the same name, if there is one."""
    meta, status = pod.metadata, pod.status
    if not meta.name or not meta.uid:
        raise ValueError(NAMELESS)
    spec = before if before is not None and _same_spec(before, meta) else _spec_part(meta.name, pod.spec)
    ready, scheduled, conditions = _conditions(status.conditions or ())
    annotations = bytes(meta.annotations)
    return PodRow(  # in the order of the fields, and without the dict of `head`: this is the hottest line there is
        uid=meta.uid,
        namespace=word(meta.namespace),
        name=meta.name,
        resource_version=meta.resource_version,
        created_at=instant_or_none(meta.creation_timestamp),
        deleted_at=instant_or_none(meta.deletion_timestamp),
        labels=labels_of(meta.labels),
        annotations=kept_annotations(annotations),
        owner=owner_of(meta.owner_references),
        node=spec.node,
        phase=word(status.phase),
        reason=word(status.reason),
        message=cut(status.message),
        ready=ready is not None and ready.status == "True",
        ready_changed_at=instant_or_none(ready.last_transition_time) if ready else None,
        started_at=instant_or_none(status.start_time),
        scheduled_at=instant_or_none(scheduled.last_transition_time) if scheduled else None,
        conditions=conditions,
        containers=spec.containers,
        statuses=_statuses(status.init_container_statuses, status.container_statuses),
        requests=spec.requests,
        limits=spec.limits,
        tolerations=spec.tolerations,
        claims=spec.claims,
        priority_class=spec.priority_class,
        qos=word(status.qos_class),
        grace_seconds=meta.deletion_grace_period_seconds,
        mirror=MIRROR in annotations,
        finalizers=_shared(meta.finalizers) if meta.finalizers else (),
        generation=meta.generation or 0,
        scheduling=spec.scheduling,
    )


def _same_spec(before: PodRow, meta: Meta) -> bool:
    """Binding to a node is not counted as a generation everywhere, but happens once."""
    return (
        before.generation != 0 and before.generation == meta.generation and before.node != "" and before.uid == meta.uid
    )


def _spec_part(pod: str, raw: Raw) -> SpecPart:
    spec = _SPEC.decode(raw) if raw else PodSpecShape()
    containers, requests, limits, host_ports = _parts(
        spec.init_containers, spec.containers, spec.resources, spec.overhead
    )
    return SpecPart(
        node=word(spec.node_name),
        containers=containers,
        requests=requests,
        limits=limits,
        tolerations=_tolerations(spec.tolerations) if spec.tolerations else (),
        claims=_claims(pod, spec.volumes) if spec.volumes else (),
        priority_class=word(spec.priority_class_name),
        scheduling=scheduling_of(
            spec.node_selector, spec.affinity, spec.topology_spread_constraints, _plain(spec, host_ports)
        ),
    )


def _plain(spec: PodSpecShape, host_ports: tuple[HostPort, ...]) -> Plain:
    if not (host_ports or spec.scheduling_gates or spec.priority):
        return NOTHING
    return Plain(host_ports, tuple(word(gate.name) for gate in spec.scheduling_gates or ()), spec.priority or 0)


_SPEC = Decoder(PodSpecShape)


@lru_cache(maxsize=1024)
def _shared(words: tuple[str, ...]) -> tuple[str, ...]:
    return words


def _conditions(
    shapes: tuple[ConditionShape, ...],
) -> tuple[ConditionShape | None, ConditionShape | None, tuple[Condition, ...]]:
    """Ready, PodScheduled if it is True, and all that are not True."""
    ready = scheduled = None
    others: tuple[Condition, ...] = ()
    for shape in shapes:
        if shape.type == "Ready":
            ready = shape
        elif shape.type == "PodScheduled" and shape.status == "True":
            scheduled = shape
        if shape.status != "True":
            others = (*others, condition_of(shape))
    return ready, scheduled, others


@lru_cache(maxsize=4096)
def _parts(
    init_containers: tuple[ContainerShape, ...] | None,
    containers: tuple[ContainerShape, ...] | None,
    pod_level: ResourcesShape | None,
    overhead: AmountsShape | None,
) -> tuple[tuple[Container, ...], Resources, Resources, tuple[HostPort, ...]]:
    """Containers, effective requests and limits, ports of the host: the same objects for all pods of a template."""
    first, main = init_containers or (), containers or ()
    requests, limits = (
        effective(
            [amount_of(_list(shape.resources, which)) for shape in main],
            [(amount_of(_list(shape.resources, which)), _sidecar(shape)) for shape in first],
            _list(pod_level, which),
            overhead,
        )
        for which in ("requests", "limits")
    )
    rows = (*(_container(shape, init=True) for shape in first), *(_container(shape, init=False) for shape in main))
    ports = (port for shape in (*first, *main) for port in shape.ports or () if port.host_port)
    return rows, resources(requests, pods=1), resources(limits, pods=1), tuple(host_port_of(port) for port in ports)


def _list(resources: ResourcesShape | None, which: str) -> AmountsShape | None:
    return None if resources is None else getattr(resources, which)


def _sidecar(shape: ContainerShape) -> bool:
    return shape.restart_policy == "Always"


def _container(shape: ContainerShape, *, init: bool) -> Container:
    return Container(
        name=intern(shape.name),
        init=init,
        sidecar=init and _sidecar(shape),
        requests=resources_of(_list(shape.resources, "requests")),
        limits=resources_of(_list(shape.resources, "limits")),
        liveness=shape.liveness_probe is not None,
        readiness=shape.readiness_probe is not None,
    )


@lru_cache(maxsize=4096)
def _statuses(
    init_containers: tuple[StatusShape, ...] | None, containers: tuple[StatusShape, ...] | None
) -> tuple[ContainerStatus, ...]:
    """Healthy containers of a template share one tuple."""
    return (
        *(_status(shape, init=True) for shape in init_containers or ()),
        *(_status(shape, init=False) for shape in containers or ()),
    )


def _status(shape: StatusShape, *, init: bool) -> ContainerStatus:
    state, last = shape.state or StateShape(), (shape.last_state or StateShape()).terminated or EndShape()
    waiting, ended = state.waiting, state.terminated
    detail = waiting or ended
    kind = "waiting" if waiting else "terminated" if ended else "running" if state.running else ""
    return ContainerStatus(
        name=intern(shape.name),
        init=init,
        ready=bool(shape.ready),
        restarts=shape.restart_count or 0,
        state=kind,
        reason=word(detail.reason) if detail else "",
        message=cut(detail.message) if detail else "",
        exit_code=ended.exit_code if ended else None,
        finished_at=instant_or_none(ended.finished_at) if ended else None,
        last_reason=word(last.reason),
        last_exit_code=last.exit_code,
        last_started_at=instant_or_none(last.started_at),
        last_finished_at=instant_or_none(last.finished_at),
    )


@lru_cache(maxsize=1024)
def _tolerations(shapes: tuple[TolerationShape, ...]) -> tuple[Toleration, ...]:
    return tuple(
        Toleration(
            key=word(shape.key),
            operator=word(shape.operator) or "Equal",
            value=word(shape.value),
            effect=word(shape.effect),
            seconds=shape.toleration_seconds,
        )
        for shape in shapes
    )


def _claims(pod: str, volumes: tuple[VolumeShape, ...]) -> tuple[str, ...]:
    """Names of the claims. An ephemeral volume's claim is called after the pod and the volume."""
    names: tuple[str, ...] = ()
    for volume in volumes:
        if volume.persistent_volume_claim is not None:
            names = (*names, volume.persistent_volume_claim.claim_name)
        elif volume.ephemeral is not None:
            names = (*names, f"{pod}-{volume.name}")
    return names
