"""Amounts of CPU, memory and storage, and what a pod asks for as the scheduler counts it."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import field

from common.cluster.decode.meta import Shape
from common.cluster.quantity import millicores, whole
from common.cluster.rows import Resources

Amount = tuple[int, int, int]  # millicores, bytes of memory, bytes of ephemeral storage
NOTHING: Amount = (0, 0, 0)


class AmountsShape(Shape, frozen=True, gc=False, rename="camel"):
    """One resource list. Numbers are quantities too, though the API server always writes strings."""

    cpu: str | int | float | None = None
    memory: str | int | float | None = None
    ephemeral: str | int | float | None = field(name="ephemeral-storage", default=None)
    pods: str | int | float | None = None


class ResourcesShape(Shape, frozen=True, gc=False, rename="camel"):
    limits: AmountsShape | None = None
    requests: AmountsShape | None = None


@lru_cache(maxsize=4096)
def resources_of(shape: AmountsShape | None) -> Resources:
    cpu, memory, ephemeral = amount_of(shape)
    pods = whole(str(shape.pods)) if shape is not None and shape.pods is not None else 0
    return Resources(cpu_millicores=cpu, memory_bytes=memory, ephemeral_bytes=ephemeral, pods=pods)


def amount_of(shape: AmountsShape | None) -> Amount:
    if shape is None:
        return NOTHING
    return (
        0 if shape.cpu is None else millicores(str(shape.cpu)),
        0 if shape.memory is None else whole(str(shape.memory)),
        0 if shape.ephemeral is None else whole(str(shape.ephemeral)),
    )


def effective(
    containers: Iterable[Amount],
    init_containers: Iterable[tuple[Amount, bool]],
    pod_level: AmountsShape | None,
    overhead: AmountsShape | None,
) -> Amount:
    """What a pod takes of a node: the larger of its containers together and the greediest moment of its start.

    A sidecar (True: an init container that keeps running) counts from its start on. A pod-level amount replaces the
    sum of the containers for its resource; the overhead of the runtime class comes on top. As
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers says.
    """
    running = _combine(sum, containers)
    sidecars = peak = NOTHING
    for amount, sidecar in init_containers:
        if sidecar:
            running = _add(running, amount)
            sidecars = _add(sidecars, amount)
            peak = _combine(max, (peak, sidecars))
        else:
            peak = _combine(max, (peak, _add(sidecars, amount)))
    total = _combine(max, (running, peak))
    if pod_level is not None:
        stated = (pod_level.cpu, pod_level.memory, pod_level.ephemeral)
        own = amount_of(pod_level)
        total = _each(lambda index: own[index] if stated[index] is not None else total[index])
    return _add(total, amount_of(overhead))


def _add(one: Amount, other: Amount) -> Amount:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _combine(how: Callable[[Iterable[int]], int], amounts: Iterable[Amount]) -> Amount:
    rows = list(amounts) or [NOTHING]
    return _each(lambda index: how(row[index] for row in rows))


def _each(value: Callable[[int], int]) -> Amount:
    return (value(0), value(1), value(2))
