"""What nodes and pods really use: asks metrics.k8s.io, which some clusters do not serve."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random
from typing import Any

import structlog
from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from common.clock import Clock
from common.cluster.changes import NODE_USAGE, POD_USAGE, RowChange
from common.cluster.decode.meta import Meta, Shape, instant, word
from common.cluster.decode.resources import AmountsShape, amount_of
from common.cluster.rows import Usage
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.contracts.objects import ObjectKey
from common.kube.api import Api
from common.kube.errors import KubeError, NotFound

PERIOD_SECONDS = 30.0  # metrics-server measures every 15 s by default
SLICE = 200

log = structlog.get_logger(__name__)


class _ContainerShape(Shape, frozen=True, gc=False):
    name: str = ""
    usage: AmountsShape | None = None


class _MetricsShape(Shape, frozen=True, gc=False):
    """NodeMetrics has `usage`, PodMetrics has `containers`."""

    metadata: Meta = Meta()
    timestamp: str = ""
    usage: AmountsShape | None = None
    containers: tuple[_ContainerShape, ...] | None = None


class _List(Struct, gc=False):
    items: list[Raw] | None = None


class UsagePoller:
    """Reads one of "Node" or "Pod" every half minute. When it cannot, the last figures stay, and the source tells."""

    def __init__(
        self, api: Api, kind: str, store: Store, clock: Clock, sink: Callable[[list[RowChange]], None]
    ) -> None:
        self._api = api
        self._kind = kind
        self._source = NODE_USAGE if kind == "Node" else POD_USAGE
        self._path = f"/apis/metrics.k8s.io/v1beta1/{kind.lower()}s"
        self._store = store
        self._clock = clock
        self._sink = sink
        self._random = Random()  # noqa: S311 - it spreads requests and guards no secret
        self._item = Decoder(_MetricsShape)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(PERIOD_SECONDS * self._random.uniform(0.9, 1.1))

    async def poll(self) -> None:
        try:
            answer = await self._api.get(self._path, type_=_List)
        except KubeError as error:
            self._failed(error)
            return
        received_at = self._clock.monotonic()
        self._tell(SourceState.SYNCED, "", self._clock.now())
        await self._take(answer.items or [], received_at)

    async def _take(self, items: list[Raw], received_at: float) -> None:
        seen: set[ObjectKey] = set()
        for start in range(0, len(items), SLICE):
            usage = dict(self._decoded(items[start : start + SLICE]))
            seen.update(usage)
            self._sink(self._store.put_usage(self._kind, usage, received_at))
            await asyncio.sleep(0)
        self._sink(self._store.prune_usage(self._kind, seen, received_at))

    def _decoded(self, items: list[Raw]) -> Iterable[tuple[ObjectKey, Usage]]:
        for raw in items:
            try:
                item = self._item.decode(raw)
                key = ObjectKey(self._kind, word(item.metadata.namespace), item.metadata.name)
                yield key, _usage_of(item)
            except (MsgspecError, ValueError) as error:
                log.warning("figures skipped, they cannot be read", kind=self._source, reason=str(error)[:300])

    def _failed(self, error: KubeError) -> None:
        reason = str(error)
        if isinstance(error, NotFound):
            reason = "the cluster does not serve metrics.k8s.io; install metrics-server to see usage"
        before = self._store.sources[self._source]
        state = SourceState.STALE if before.heard_at else SourceState.UNSEEN
        if before.state is not state:
            log.warning("no usage figures", kind=self._source, reason=reason)
        self._tell(state, reason, before.heard_at)

    def _tell(self, state: SourceState, reason: str, heard_at: datetime | None) -> None:
        self._store.set_source(Source(kind=self._source, state=state, reason=reason, heard_at=heard_at))


def _usage_of(item: Any) -> Usage:
    measured_at = instant(item.timestamp)
    if item.containers is None:
        cpu, memory = _used(item.usage)
        return Usage(cpu_millicores=cpu, memory_bytes=memory, measured_at=measured_at)
    parts = {word(container.name): _used(container.usage) for container in item.containers}
    return Usage(
        cpu_millicores=sum(cpu for cpu, _ in parts.values()),
        memory_bytes=sum(memory for _, memory in parts.values()),
        measured_at=measured_at,
        containers=parts,
    )


def _used(amounts: AmountsShape | None) -> tuple[int, int]:
    """Millicores and bytes."""
    cpu, memory, *_ = amount_of(amounts)
    return cpu, memory
