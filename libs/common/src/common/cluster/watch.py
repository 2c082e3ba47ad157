"""The whole cluster in a store that follows it: one reflector for each kind, usage figures, and the server's health."""

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import structlog

from common.clock import Clock, SystemClock
from common.cluster.changes import Batch, ChangeQueue, RowChange
from common.cluster.intake import IntakeStatistics
from common.cluster.kinds import KINDS, Kind
from common.cluster.reflector import DEFAULT_PACE, Pace, Reflector
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.cluster.usage import UsagePoller
from common.kube.api import Api
from common.kube.errors import KubeError

PROBE_SECONDS = 10.0
HEALTH_SECONDS = 2.0
EXPIRY_SECONDS = 15.0
# While everything is listed nearly all that is made stays, so looking for garbage finds none and stalls the event loop.
LISTING_THRESHOLDS = (50_000, 20, 1_000)
USUAL_THRESHOLDS = gc.get_threshold()
STREAMING_SINCE = (1, 32)  # streaming lists are on by default since this version

log = structlog.get_logger(__name__)


class Version(msgspec.Struct, rename="camel"):
    """What /version says."""

    git_version: str = ""
    major: str = ""
    minor: str = ""

    @property
    def streams_lists(self) -> bool:
        digits = self.minor.rstrip("+")
        return self.major.isdecimal() and digits.isdecimal() and (int(self.major), int(digits)) >= STREAMING_SINCE


async def ask_version(api: Api) -> Version:
    version: Version = await api.get("/version", type_=Version)
    return version


class ClusterWatch:
    """Decide nothing before `synced`: then every kind is listed, or known to be unseen."""

    def __init__(
        self, api: Api, *, clock: Clock | None = None, kinds: Sequence[Kind] = KINDS, pace: Pace = DEFAULT_PACE
    ) -> None:
        self._api = api
        self._clock = clock or SystemClock()
        self._kinds = kinds
        self._pace = pace
        self._queue = ChangeQueue()
        self._reflectors: dict[str, Reflector] = {}
        self.store = Store(now=self._clock.now)
        self.synced = asyncio.Event()

    @property
    def statistics(self) -> Mapping[str, IntakeStatistics]:
        """By kind."""
        return {kind: reflector.statistics for kind, reflector in self._reflectors.items()}

    async def run(self) -> None:
        """Until cancelled. Whatever the API server does, it goes on; `store.sources` says what is seen."""
        version = await self._first_answer()
        gc.set_threshold(*LISTING_THRESHOLDS)
        for kind in self._kinds:
            self._reflectors[kind.name] = Reflector(
                self._api,
                kind,
                self.store,
                self._clock,
                sink=self._took,
                outage_ended=self._queue.outage_ended,
                streaming=version.streams_lists,
                pace=self._pace,
            )
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors.values():
                tasks.create_task(reflector.run(), name=f"reflect {reflector.kind.name}")
            for kind_name in ("Node", "Pod"):
                poller = UsagePoller(self._api, kind_name, self.store, self._clock, self._took)
                tasks.create_task(poller.run(), name=f"poll usage of {kind_name}")
            tasks.create_task(self._settle(), name="settle")
            tasks.create_task(self._probe(), name="probe the API server")
            tasks.create_task(self._tell_health(), name="tell the health of the API server")
            tasks.create_task(self._expire(), name="expire events")

    async def changes(self) -> AsyncIterator[Batch]:
        """What changes from `synced` on; what came before is in the store. For one consumer."""
        while True:
            yield await self._queue.take()

    def _took(self, changes: list[RowChange]) -> None:
        if self.synced.is_set():
            self._queue.put(changes)

    async def _first_answer(self) -> Version:
        """Waits for the API server as long as it takes."""
        while True:
            try:
                return await self._ask_version()
            except KubeError as error:
                log.warning("the API server does not answer", reason=str(error))
                for kind in self._kinds:
                    self.store.set_source(Source(kind=kind.name, state=SourceState.STARTING, reason=str(error)))
                self.store.api = self._api.statistics.health
            await asyncio.sleep(1.0)

    async def _ask_version(self) -> Version:
        version = await ask_version(self._api)
        self.store.server_version = version.git_version
        return version

    async def _settle(self) -> None:
        for reflector in self._reflectors.values():
            await reflector.settled.wait()
        self.synced.set()
        gc.freeze()  # what is there now mostly stays: no collection needs to look at it again
        gc.set_threshold(*USUAL_THRESHOLDS)
        _give_back_memory()

    async def _probe(self) -> None:
        """A small request now and then: between lists, only watches would know how the server fares."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                await self._ask_version()
            except KubeError as error:
                log.debug("probe failed", reason=str(error))

    async def _tell_health(self) -> None:
        while True:
            self.store.api = self._api.statistics.health
            await asyncio.sleep(HEALTH_SECONDS)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            self._took(self.store.expire_events(self._clock.now(), self._clock.monotonic()))


def _give_back_memory() -> None:
    """What the lists took and the rows do not need; glibc keeps it otherwise, other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
