"""Amounts of CPU, memory and storage, and what a pod asks for as the scheduler counts it."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import add

from msgspec import field

from common.cluster.decode.meta import Shape
from common.cluster.quantity import millicores, whole
from common.cluster.rows import Resources

Amount = tuple[int, ...]  # millicores, bytes of memory, bytes of ephemeral storage, then each of EXTENDED


class AmountsShape(Shape, frozen=True, gc=False, rename="camel"):
    """One resource list. Numbers are quantities too, though the API server always writes strings."""

    cpu: str | int | float | None = None
    memory: str | int | float | None = None
    ephemeral: str | int | float | None = field(name="ephemeral-storage", default=None)
    pods: str | int | float | None = None
    nvidia: str | int | float | None = field(name="nvidia.com/gpu", default=None)
    amd: str | int | float | None = field(name="amd.com/gpu", default=None)
    tpu: str | int | float | None = field(name="google.com/tpu", default=None)
    neuron: str | int | float | None = field(name="aws.amazon.com/neuron", default=None)
    small_hugepages: str | int | float | None = field(name="hugepages-2Mi", default=None)
    large_hugepages: str | int | float | None = field(name="hugepages-1Gi", default=None)


# What devices are counted as, and hugepages: of the names that there may be, the usual ones.
EXTENDED = (
    "nvidia.com/gpu",
    "amd.com/gpu",
    "google.com/tpu",
    "aws.amazon.com/neuron",
    "hugepages-2Mi",
    "hugepages-1Gi",
)
NOTHING: Amount = (0,) * (3 + len(EXTENDED))


class ResourcesShape(Shape, frozen=True, gc=False, rename="camel"):
    limits: AmountsShape | None = None
    requests: AmountsShape | None = None


@lru_cache(maxsize=4096)
def resources_of(shape: AmountsShape | None) -> Resources:
    pods = whole(str(shape.pods)) if shape is not None and shape.pods is not None else 0
    return resources(amount_of(shape), pods=pods)


def resources(amount: Amount, *, pods: int) -> Resources:
    cpu, memory, ephemeral, *others = amount
    extended = tuple((name, number) for name, number in zip(EXTENDED, others, strict=True) if number)
    return Resources(cpu_millicores=cpu, memory_bytes=memory, ephemeral_bytes=ephemeral, pods=pods, extended=extended)


def amount_of(shape: AmountsShape | None) -> Amount:
    if shape is None:
        return NOTHING
    cpu, *others = _stated(shape)
    return (0 if cpu is None else millicores(str(cpu)), *(0 if each is None else whole(str(each)) for each in others))


def _stated(shape: AmountsShape) -> tuple[str | int | float | None, ...]:
    """What it says, in the order of Amount."""
    return (
        shape.cpu,
        shape.memory,
        shape.ephemeral,
        shape.nvidia,
        shape.amd,
        shape.tpu,
        shape.neuron,
        shape.small_hugepages,
        shape.large_hugepages,
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
        own = zip(_stated(pod_level), amount_of(pod_level), total, strict=True)
        total = tuple(mine if said is not None else sum_ for said, mine, sum_ in own)
    return _add(total, amount_of(overhead))


def _add(one: Amount, other: Amount) -> Amount:
    return tuple(map(add, one, other))


def _combine(how: Callable[[Iterable[int]], int], amounts: Iterable[Amount]) -> Amount:
    return tuple(map(how, zip(*amounts, strict=True))) or NOTHING
