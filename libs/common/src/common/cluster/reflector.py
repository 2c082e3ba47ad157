"""Keeps one kind of the store true to the API server: lists it, watches it, and starts over when the watch is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from common.clock import Clock
from common.cluster.changes import RowChange
from common.cluster.frames import BROKEN, LineSplitter
from common.cluster.intake import Intake
from common.cluster.kinds import Kind
from common.cluster.sight import Sight
from common.cluster.snapshot import SourceState
from common.cluster.store import Store
from common.kube.api import Api
from common.kube.errors import Forbidden, Gone, Invalid, KubeError, NotFound, Unavailable
from common.kube.retry import Backoff

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=10.0)
SHORTEST_WATCH_SECONDS = 1.0
SLICE_SECONDS = 0.005  # of work between two turns of the event loop
SLICE_ITEMS = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a reflector is. The defaults are for real clusters."""

    page: int = 500  # as kubectl and client-go page
    watch_seconds: tuple[int, int] = (300, 600)  # as client-go asks for: spread, so that not all watches end together
    silence_seconds: float = 150.0  # a bookmark comes about every minute, so two were missed
    unseen_seconds: tuple[float, float] = (120.0, 240.0)  # until what is forbidden or not served is tried again
    backoff: Backoff = BACKOFF


DEFAULT_PACE = Pace()


class Reflector:
    """`sink` is given the changes after each slice of work."""

    def __init__(
        self,
        api: Api,
        kind: Kind,
        store: Store,
        clock: Clock,
        *,
        sink: Callable[[list[RowChange]], None],
        outage_ended: Callable[[str], None] = lambda _kind: None,
        streaming: bool = True,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self.kind = kind
        self.settled = asyncio.Event()  # seen, or known to be unseen
        self._api = api
        self._clock = clock
        self._sink = sink
        self._streaming = streaming
        self._intake = Intake(kind, store, clock)
        self._sight = Sight(kind.name, store, clock, outage_ended)
        self.statistics = self._intake.statistics
        self._slice_ends = 0.0
        self._failures = 0
        self._random = Random()  # noqa: S311 - it spreads requests and guards no secret
        self._pace = pace

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._list_and_watch()
            except Gone as error:
                self._intake.version = ""
                await self._failed(error)
            except (Forbidden, NotFound) as error:
                await self._unseen(error)
            except KubeError as error:
                await self._failed(error)

    async def list_once(self) -> None:
        """List, and be done. Raises KubeErrors; a kind that is forbidden or not served is unseen."""
        try:
            await self._list()
        except (Forbidden, NotFound) as error:
            self._sight.unseen(str(error))
            self.settled.set()

    async def _list_and_watch(self) -> None:
        if self._intake.version:
            await self._watch()
        elif self._streaming:
            await self._stream_list()
        else:
            await self._list()
            await self._watch()

    async def _stream_list(self) -> None:
        """The objects come as if they were just added, a bookmark says that these were all, and the watch goes on."""
        self._intake.begin_list()
        try:
            await self._watch({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"})
        except Invalid:
            self._streaming = False  # the server has no such thing
            return
        if self._intake.listing:
            raise Unavailable(f"list {self.kind.resource}: the stream ended before all objects came")

    async def _list(self) -> None:
        """In pages; a page that has expired starts the list over, which Gone leads to."""
        self._intake.begin_list()
        token = ""
        while True:
            paging = {"limit": str(self._pace.page)} | ({"continue": token} if token else {})
            body = await self._api.request("GET", self.kind.path, {**self.kind.params, **paging})
            self._begin_slice()
            try:
                items, version, token = self._intake.page(body, self._clock.monotonic())
            except BROKEN as error:
                raise Unavailable(f"list {self.kind.resource}: the answer is no list: {error}") from error
            await self._take(items)
            if not token:
                break
        self._intake.end_list(version)
        self._listed()

    async def _take(self, items: list[Any]) -> None:
        for start in range(0, len(items), SLICE_ITEMS):
            self._intake.take(items[start : start + SLICE_ITEMS])
            await self._turn()
        self._flush()

    async def _watch(self, listing: dict[str, str] | None = None) -> None:
        """Returns when the server ends the watch in good order."""
        params = {"watch": "1", "allowWatchBookmarks": "true", **self.kind.params, **(listing or {})}
        params["timeoutSeconds"] = str(self._random.randint(*self._pace.watch_seconds))
        if self._intake.version:
            params["resourceVersion"] = self._intake.version
        started = self._clock.monotonic()
        heard = False
        self.statistics.watches += 1
        async with self._api.stream(self.kind.path, params, silence_seconds=self._pace.silence_seconds) as content:
            if not self._intake.listing:
                self._sight.synced()
            splitter = LineSplitter()
            while chunk := await content.readany():
                heard = True
                await self._read(chunk, splitter)
        if not heard and self._clock.monotonic() - started < SHORTEST_WATCH_SECONDS:
            raise Unavailable(f"watch {self.kind.resource}: the server ends it at once")

    async def _read(self, chunk: bytes, splitter: LineSplitter) -> None:
        received_at = self._begin_slice()
        self._sight.heard()
        self._failures = 0
        listing = self._intake.listing
        oversized = splitter.dropped
        try:
            for block in splitter.blocks(chunk):
                self._intake.block(block, received_at)
                await self._turn()
        finally:
            self._flush()
        self.statistics.oversized += splitter.dropped - oversized
        if listing and not self._intake.listing:
            self._listed()

    def _listed(self) -> None:
        self._flush()
        self._sight.synced()
        self.settled.set()

    def _begin_slice(self) -> float:
        now = self._clock.monotonic()
        self._slice_ends = now + SLICE_SECONDS
        return now

    async def _turn(self) -> None:
        """Let others run when this slice has lasted long enough: data that is there already never makes us wait."""
        if self._clock.monotonic() >= self._slice_ends:
            self._flush()
            await asyncio.sleep(0)
            self._begin_slice()

    def _flush(self) -> None:
        changes = self._intake.drain()
        if changes:
            self._sink(changes)

    async def _failed(self, error: KubeError) -> None:
        self.statistics.errors += 1
        self._sight.broken(str(error), silent=isinstance(error.__cause__, TimeoutError))
        tell = log.warning if self._failures else log.info  # one broken connection is no news
        tell("out of sight", kind=self.kind.name, reason=str(error), failures=self._failures + 1)
        delay = self._pace.backoff.delay(self._failures, self._random, error.retry_after_seconds)
        self._failures += 1
        await asyncio.sleep(delay)

    async def _unseen(self, error: KubeError) -> None:
        if self._sight.state is not SourceState.UNSEEN:
            log.warning("unseen", kind=self.kind.name, reason=str(error))
        self.statistics.errors += 1
        self._intake.version = ""
        self._sight.unseen(str(error))
        self.settled.set()
        await asyncio.sleep(self._random.uniform(*self._pace.unseen_seconds))
