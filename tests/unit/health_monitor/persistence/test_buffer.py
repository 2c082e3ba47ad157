"""What a full buffer gives up, and what it never does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.health_database import an_event, told

from common.contracts import Change, EventData, ObjectKey
from health_monitor.storage.buffer import Batch, Buffer, DropReason, without_unseen

OPENED, CHANGED, RESOLVED = Change.OPENED, Change.CHANGED, Change.RESOLVED
CLUSTER = ObjectKey("Cluster", "", "")


def a_buffer(capacity: int, *events: EventData) -> Buffer:
    buffer = Buffer(capacity)
    buffer.add_events(events)
    return buffer


def taken(buffer: Buffer) -> list[tuple[str, Change]]:
    batch = buffer.take(1, NOON, events=10**6, scores=10**6)
    return [(entry.data.finding.object.name, entry.data.change) for entry in batch.entries]


def test_events_leave_in_the_order_in_which_they_came() -> None:
    buffer = a_buffer(10, *told("a", OPENED), *told("b", OPENED), *told("a", RESOLVED))
    first = buffer.take(1, NOON, events=2, scores=0)
    assert [entry.data.finding.object.name for entry in first.entries] == ["a", "b"]
    assert taken(buffer) == [("a", RESOLVED)]


def test_up_to_the_bound_nothing_is_given_up() -> None:
    buffer = a_buffer(4, *told("a", OPENED, RESOLVED), *told("b", OPENED, CHANGED))
    assert buffer.events == 4
    assert not buffer.dropped


@pytest.mark.parametrize(
    ("waiting", "kept", "dropped"),
    [
        pytest.param(
            [*told("a", OPENED, RESOLVED), *told("b", OPENED), *told("c", OPENED)],
            [("b", OPENED), ("c", OPENED)],
            {DropReason.CANCELLED: 2},
            id="what opened and resolved unseen goes first",
        ),
        pytest.param(
            [*told("a", OPENED, CHANGED, CHANGED), *told("b", OPENED)],
            [("a", OPENED), ("a", CHANGED), ("b", OPENED)],
            {DropReason.CHANGED: 1},
            id="a change that another overtook goes",
        ),
        pytest.param(
            [*told("a", CHANGED), *told("b", OPENED), *told("c", CHANGED), *told("d", OPENED)],
            [("b", OPENED), ("c", CHANGED), ("d", OPENED)],
            {DropReason.CHANGED: 1},
            id="the oldest change goes before anything else",
        ),
        pytest.param(
            [*told("a", OPENED), *told("b", OPENED), *told("c", RESOLVED), *told("d", OPENED)],
            [("b", OPENED), ("c", RESOLVED), ("d", OPENED)],
            {DropReason.OVERFLOW: 1},
            id="then the oldest event",
        ),
        pytest.param(
            [*told("a", RESOLVED, OPENED), *told("b", OPENED), *told("c", OPENED)],
            [("a", OPENED), ("b", OPENED), ("c", OPENED)],
            {DropReason.OVERFLOW: 1},
            id="what resolved and opened again does not cancel out",
        ),
    ],
)
def test_a_full_buffer_gives_up(
    waiting: list[EventData], kept: list[tuple[str, Change]], dropped: dict[DropReason, int]
) -> None:
    buffer = a_buffer(3, *waiting)
    assert taken(buffer) == kept
    assert {reason: count for reason, count in buffer.dropped.items() if count} == dropped


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(list(Change))).map(lambda each: an_event(*each)), max_size=40
    ),
    st.integers(1, 20),
)
def test_every_event_is_kept_or_counted(events: list[EventData], capacity: int) -> None:
    buffer = Buffer(capacity)
    for event in events:
        buffer.add_events([event])
        assert buffer.events <= capacity
    assert buffer.events + buffer.dropped.total() == len(events)
    assert len(events) > capacity or buffer.events == len(events)


def as_told(steps: list[tuple[str, bool]]) -> list[EventData]:
    """What an engine tells: a finding opens, perhaps changes, and resolves; some were open before."""
    is_open, events = {"c": True}, []
    for name, changes in steps:
        change = CHANGED if changes else RESOLVED
        events.append(an_event(name, change if is_open.get(name) else OPENED))
        is_open[name] = events[-1].change is not RESOLVED
    return events


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_cancelling_out_leaves_every_finding_as_it_ends(steps: list[tuple[str, bool]]) -> None:
    def ends(events: list[EventData]) -> dict[str, bool]:
        return {event.finding.object.name: event.change is not RESOLVED for event in events}

    buffer = a_buffer(10**6, *as_told(steps))
    entries = buffer.take(1, NOON, events=10**6, scores=0).entries
    before = ends([entry.data for entry in entries])
    after = ends([entry.data for entry in without_unseen(entries)])
    assert all(before[name] == is_open for name, is_open in after.items())
    assert all(name in after for name, is_open in before.items() if is_open)


def test_scores_of_one_second_are_one_point_with_the_lowest() -> None:
    buffer = Buffer(10)
    for milliseconds, value in ((0, 80.0), (300, 20.0), (900, 60.0), (1000, 70.0)):
        buffer.add_score(CLUSTER, value, NOON + timedelta(milliseconds=milliseconds))
    points = buffer.take(1, NOON, events=0, scores=10).scores
    assert [(point.value, point.low) for point in points] == [(60.0, 20.0), (70.0, 70.0)]
    assert points[0].at == NOON + timedelta(milliseconds=900)


def test_of_too_many_scores_the_oldest_go() -> None:
    buffer = Buffer(3)
    for seconds in range(5):
        buffer.add_score(CLUSTER, float(seconds), NOON + timedelta(seconds=seconds))
    assert [point.value for point in buffer.take(1, NOON, events=0, scores=10).scores] == [2.0, 3.0, 4.0]
    assert buffer.dropped == {DropReason.SCORE: 2}


@pytest.mark.parametrize(("events", "scores"), [(0, 1), (1, 0), (1, 1), (7, 0), (0, 4), (5, 3)])
def test_a_batch_is_halved_down_to_single_entries_and_loses_none(events: int, scores: int) -> None:
    buffer = a_buffer(100, *(an_event(f"pod-{number}") for number in range(events)))
    for number in range(scores):
        buffer.add_score(CLUSTER, 1.0, NOON + timedelta(seconds=number))
    whole = buffer.take(1, NOON, events=100, scores=100)

    waiting, single = [whole], []
    while waiting:
        batch = waiting.pop(0)
        halves = batch.halves()
        waiting[:0] = halves
        single += [] if halves else [batch]

    assert all(len(batch.entries) + len(batch.scores) == 1 for batch in single)
    assert [entry for batch in single for entry in batch.entries] == list(whole.entries)
    assert [point for batch in single for point in batch.scores] == list(whole.scores)
    assert len({batch.id for batch in single}) == len(single)
    assert Batch(whole.id, 1, NOON).halves() == ()
