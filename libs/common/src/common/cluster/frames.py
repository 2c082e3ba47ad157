"""The two shapes in which the API server sends objects: pages of a list, and frames of a watch, one a line.

What cannot be read is told apart from the rest, so that one broken object costs itself and nothing else.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import MsgspecError, Raw, Struct, defstruct, field
from msgspec.json import Decoder

from common.cluster.decode.meta import Meta
from common.cluster.kinds import Kind
from common.kube.errors import KubeError, from_frame

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR, MALFORMED = (
    "ADDED",
    "MODIFIED",
    "DELETED",
    "BOOKMARK",
    "ERROR",
    "MALFORMED",
)
INITIAL_EVENTS_END = b'"k8s.io/initial-events-end"'


BROKEN = (MsgspecError, ValueError, RecursionError)  # ValueError covers what is not UTF-8


class ListMeta(Struct, rename="camel", gc=False):
    resource_version: str = ""
    continue_: str | None = field(name="continue", default=None)


class Frame(Struct, gc=False):
    """One line of a watch: a change or bookmark, whose `object` has the kind's shape, or an error as bytes."""

    type: str
    object: Any


class Malformed(Struct, gc=False):
    """An object that could not be read, and whose, as far as that can be told."""

    reason: str
    metadata: Meta = Meta()
    type: str = MALFORMED


class Page(Struct, gc=False):
    items: list[Any]  # of the kind's shape, or Malformed
    resource_version: str
    continue_: str


class _Named(Struct, gc=False):
    metadata: Meta = Meta()


class _RawFrame(Struct, gc=False):
    type: str = ""
    object: Raw = Raw(b"{}")


class _RawPage(Struct, gc=False):
    metadata: ListMeta = field(default_factory=ListMeta)
    items: list[Raw] | None = None


class FrameDecoder:
    """Reads pages and frames of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._what = f"watch {kind.resource}"
        self._object: Decoder[Any] = Decoder(kind.shape)
        frame = defstruct("KindFrame", [("type", str), ("object", kind.shape)], gc=False)
        page = defstruct(
            "KindPage",
            [("metadata", ListMeta, field(default_factory=ListMeta)), ("items", list[kind.shape] | None, None)],  # type: ignore[name-defined]
            gc=False,
        )
        self._frame: Decoder[Any] = Decoder(frame)
        self._page: Decoder[Any] = Decoder(page)
        self._raw_frame = Decoder(_RawFrame)
        self._raw_page = Decoder(_RawPage)

    def page(self, body: bytes) -> Page:
        """Raises MsgspecError when it is no list at all."""
        try:
            page = self._page.decode(body)
            items = page.items or []
        except BROKEN:
            page = self._raw_page.decode(body)
            items = [self._item(raw) for raw in page.items or ()]
        return Page(items, page.metadata.resource_version, page.metadata.continue_ or "")

    def frames(self, lines: bytes | memoryview) -> list[Any]:
        """Frames or Malformed, of whole lines. All at once when all are sound, which is nearly always."""
        try:
            frames = self._frame.decode_lines(lines)
        except BROKEN:
            return [self._one(line) for line in bytes(lines).split(b"\n") if line.strip()]
        if frames and frames[-1].type == ERROR:  # always the last; some shapes have room for the Status that it carries
            frames[-1] = self._odd(bytes(lines).rstrip().rsplit(b"\n", 1)[-1], "")
        return frames

    def _one(self, line: bytes) -> Any:
        try:
            frame = self._frame.decode(line)
        except BROKEN as error:
            return self._odd(line, str(error))
        return frame if frame.type != ERROR else self._odd(line, "")

    def _odd(self, line: bytes, reason: str) -> Frame | Malformed:
        """A line that is an error, or broken for that reason."""
        try:
            raw = self._raw_frame.decode(line)
        except BROKEN as error:
            return Malformed(str(error))
        return Frame(ERROR, bytes(raw.object)) if raw.type == ERROR else _malformed(raw.object, reason)

    def _item(self, raw: Raw) -> Any:
        try:
            return self._object.decode(raw)
        except BROKEN as error:
            return _malformed(raw, str(error))

    def failure(self, frame: Frame) -> KubeError:
        """The error that an ERROR frame carries."""
        return from_frame(frame.object, self._what)


def _malformed(raw: Raw, reason: str) -> Malformed:
    try:
        return Malformed(reason, msgspec.json.decode(raw, type=_Named).metadata)
    except BROKEN:
        return Malformed(reason)


class LineSplitter:
    """Cuts a stream of bytes into blocks of whole lines. Lines longer than `longest_bytes` are dropped and counted."""

    def __init__(self, *, longest_bytes: int = 16 << 20, block_bytes: int = 256 << 10) -> None:
        self.dropped = 0
        self._longest = longest_bytes
        self._block = block_bytes
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._dropping = False

    def blocks(self, chunk: bytes) -> Iterator[bytes | memoryview]:
        """The blocks that `chunk` completes; what is left waits for the next."""
        first = chunk.find(b"\n")
        if first < 0:
            self._keep(chunk)
            return
        self._keep(chunk[:first])
        line = self._take()
        if line:
            yield line
        last = chunk.rfind(b"\n")
        view = memoryview(chunk)
        start = first + 1
        while start <= last:
            end = last
            if end - start > self._block:
                end = chunk.find(b"\n", start + self._block, last)
                end = last if end < 0 else end
            yield view[start:end]
            start = end + 1
        self._keep(chunk[last + 1 :])

    def _keep(self, part: bytes) -> None:
        if self._dropping:
            return
        self._rest.append(part)
        self._rest_bytes += len(part)
        if self._rest_bytes > self._longest:
            self._rest, self._rest_bytes, self._dropping = [], 0, True
            self.dropped += 1

    def _take(self) -> bytes:
        line = b"".join(self._rest)
        self._rest, self._rest_bytes, self._dropping = [], 0, False
        return line
