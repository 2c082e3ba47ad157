"""Cutting a stream into lines, and gathering changes into batches."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rows import a_pod

from common.cluster.changes import ChangeQueue, RowChange
from common.cluster.frames import ERROR, FrameDecoder, LineSplitter
from common.cluster.kinds import KINDS
from common.cluster.rows import Row
from common.kube.errors import Gone, Unavailable


@given(st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")), max_size=12), st.data())
def test_however_a_stream_is_cut_its_lines_are_the_same(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines) + b"unfinished"
    splitter = LineSplitter(block_bytes=8)
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        for block in splitter.blocks(stream[:size]):
            found += bytes(block).split(b"\n")
        stream = stream[size:]
    assert [line for line in found if line] == [line for line in lines if line]


def test_a_line_that_is_too_long_is_dropped_and_the_next_is_not() -> None:
    splitter = LineSplitter(longest_bytes=10)
    blocks = [bytes(block) for chunk in (b"x" * 8, b"x" * 8, b"x\nshort\n") for block in splitter.blocks(chunk)]
    assert blocks == [b"short"]
    assert splitter.dropped == 1


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_an_error_frame_is_understood_by_every_kind_also_after_changes(kind: object) -> None:
    decoder = FrameDecoder(kind)  # type: ignore[arg-type]
    change = b'{"type":"ADDED","object":{"metadata":{"name":"x","uid":"x"}}}\n'
    error = b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","code":410}}\n'
    frames = decoder.frames(change + error)
    assert [frame.type for frame in frames] == ["ADDED", ERROR]
    failure = decoder.failure(frames[1])
    assert isinstance(failure, Gone)
    assert "too old" in str(failure)


def test_an_error_frame_without_a_code_is_trouble_of_the_server() -> None:
    decoder = FrameDecoder(KINDS[0])
    (frame,) = decoder.frames(b'{"type":"ERROR","object":{"message":"etcd","code":"x"}}\n')
    assert isinstance(decoder.failure(frame), Unavailable)


def test_a_page_that_is_no_list_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        FrameDecoder(KINDS[0]).page(b"<html>")


def change(before: Row | None, after: Row | None, at: float = 0.0, kind: str = "Pod") -> RowChange:
    return RowChange(kind=kind, key=a_pod().key, before=before, after=after, received_at=at)


OLD, NEW, NEWER = (a_pod(resource_version=version) for version in "123")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([change(None, OLD, 1)], [(None, OLD, 1)], id="one"),
        pytest.param([change(OLD, NEW, 1), change(NEW, NEWER, 2)], [(OLD, NEWER, 1)], id="two changes are one"),
        pytest.param([change(None, OLD, 1), change(OLD, NEW, 2)], [(None, NEW, 1)], id="new and changed is new"),
        pytest.param([change(OLD, NEW, 1), change(NEW, None, 2)], [(OLD, None, 1)], id="changed and gone is gone"),
        pytest.param([change(OLD, None, 1), change(None, NEW, 2)], [(OLD, NEW, 1)], id="gone and back is a change"),
        pytest.param([change(None, OLD, 1), change(OLD, None, 2)], [], id="what came and went never was"),
        pytest.param(
            [change(None, None, 1, "PodUsage"), change(None, None, 2, "PodUsage"), change(OLD, NEW, 3)],
            [(None, None, 1), (OLD, NEW, 3)],
            id="usage is a change of its own",
        ),
    ],
)
async def test_changes_of_one_object_become_one(
    changes: list[RowChange], expected: list[tuple[Row | None, Row | None, float]]
) -> None:
    queue = ChangeQueue()
    queue.put(changes)
    queue.outage_ended("Node")
    batch = await queue.take()
    assert [(item.before, item.after, item.received_at) for item in batch.changes] == expected
    assert batch.outages_ended == {"Node"}


async def test_a_batch_is_waited_for() -> None:
    queue = ChangeQueue()
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    queue.put([change(None, OLD)])
    assert len((await taking).changes) == 1
