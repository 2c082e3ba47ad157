"""From bytes to changes: reads pages and watch frames of one kind into the store. Does no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from common.clock import Clock
from common.cluster.changes import RowChange
from common.cluster.decode.meta import Meta, word
from common.cluster.frames import (
    ADDED,
    BOOKMARK,
    BROKEN,
    DELETED,
    ERROR,
    INITIAL_EVENTS_END,
    MALFORMED,
    FrameDecoder,
)
from common.cluster.kinds import Kind
from common.cluster.rows import EventRow, Row
from common.cluster.store import Store
from common.contracts.objects import ObjectKey

COMPLAINTS = 100  # malformed objects that are told of once each

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class IntakeStatistics:
    """Counted since the start.

    `lag_seconds` is the age of the object created last when it arrived here, by the API server's clock and in whole
    seconds; None until one was created.
    """

    lists: int = 0
    watches: int = 0
    errors: int = 0
    changes: int = 0
    malformed: int = 0
    oversized: int = 0
    lag_seconds: float | None = None


class Intake:
    """`version` is the resourceVersion to watch on from; empty when the kind must be listed first."""

    def __init__(self, kind: Kind, store: Store, clock: Clock) -> None:
        self.kind = kind
        self.version = ""
        self.listing = False
        self.statistics = IntakeStatistics()
        self._store = store
        self._clock = clock
        self._decoder = FrameDecoder(kind)
        self._table: Any = store.rows(kind.row)
        self._to_row: Callable[[Any, Any], Row] = kind.to_row if kind.reuses else _ignoring(kind.to_row)
        self._name = kind.name
        self._seen: set[str] | None = None
        self._changes: list[RowChange] = []
        self._received_at = 0.0
        self._complained: set[ObjectKey] = set()

    def begin_list(self) -> None:
        """What is there already and does not come again before `end_list` will be gone."""
        self.version = ""
        self.listing = True
        self._seen = set() if self._table else None
        self.statistics.lists += 1

    def end_list(self, version: str) -> None:
        if self._seen is not None:
            self._changes += self._store.prune(self.kind.row, self._seen, self._received_at)
        self._seen = None
        self.listing = False
        self.version = version

    def page(self, body: bytes, received_at: float) -> tuple[list[Any], str, str]:
        """Objects of a page for `take`, its resourceVersion, and the token of the next page, empty at the end."""
        self._received_at = received_at
        page = self._decoder.page(body)
        return page.items, page.resource_version, page.continue_

    def take(self, items: list[Any]) -> None:
        """Objects of a page."""
        for item in items:
            if getattr(item, "type", "") == MALFORMED:
                self._malformed(item.metadata, item.reason)
            else:
                self._take(item)
        self._trim()

    def block(self, lines: bytes | memoryview, received_at: float) -> None:
        """Whole lines of a watch. Raises the KubeError that an ERROR frame carries; what came before it is kept."""
        self._received_at = received_at
        for frame in self._decoder.frames(lines):
            kind = frame.type
            if kind == ERROR:
                raise self._decoder.failure(frame)
            if kind == MALFORMED:
                self._malformed(frame.metadata, frame.reason)
                continue
            if kind == BOOKMARK:
                self._bookmark(frame.object.metadata)
                continue
            if kind == DELETED:
                self._remove(frame.object.metadata)
            else:
                self._take(frame.object, live=kind == ADDED and not self.listing)
            if not self.listing:
                self.version = frame.object.metadata.resource_version
        self._trim()

    def drain(self) -> list[RowChange]:
        """The changes since the last call."""
        changes, self._changes = self._changes, []
        self.statistics.changes += len(changes)
        return changes

    def _take(self, item: Any, *, live: bool = False) -> None:
        meta = item.metadata
        key = self._key(meta)
        if self._seen is not None:
            self._seen.add(meta.uid)
        before = self._table.get(key)
        if before is not None and before.resource_version == meta.resource_version and before.uid == meta.uid:
            return
        try:
            row = self._to_row(item, before)
        except BROKEN as error:
            self._malformed(meta, str(error))
            return
        self._changes.append(self._store.put(key, before, row, self._received_at))
        if live and before is None and row.created_at is not None:
            self.statistics.lag_seconds = (self._clock.now() - row.created_at).total_seconds()

    def _remove(self, meta: Meta) -> None:
        change = self._store.remove(self.kind.row, self._key(meta), self._received_at)
        if change is not None:
            self._changes.append(change)

    def _bookmark(self, meta: Meta) -> None:
        if not self.listing:
            self.version = meta.resource_version
        elif INITIAL_EVENTS_END in bytes(meta.annotations):
            self.end_list(meta.resource_version)

    def _trim(self) -> None:
        if self.kind.row is EventRow:
            self._changes += self._store.trim_events(self._received_at)

    def _malformed(self, meta: Meta, reason: str) -> None:
        self.statistics.malformed += 1
        key = self._key(meta)
        if self._seen is not None:
            self._seen.add(meta.uid)
        if key not in self._complained and len(self._complained) < COMPLAINTS:
            self._complained.add(key)
            log.warning("object skipped, it cannot be read", object=str(key), reason=reason[:300])

    def _key(self, meta: Meta) -> ObjectKey:
        return ObjectKey(self._name, word(meta.namespace), meta.name)


def _ignoring(to_row: Callable[..., Row]) -> Callable[[Any, Any], Row]:
    return lambda item, _before: to_row(item)
