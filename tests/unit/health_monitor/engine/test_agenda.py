"""What is looked at now, and what later."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON

from common.contracts import ObjectKey
from health_monitor.engine.agenda import Agenda, Queue

relaxed = settings(deadline=None, derandomize=True)

A, B, C = (ObjectKey("Pod", "shop", name) for name in "abc")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_queue_hands_out_each_object_once_in_order() -> None:
    queue = Queue()
    for key in (B, A, B):
        queue.add(key)
    assert queue.take(1) == [(B, None)]
    assert queue.take(5) == [(A, None)]
    assert not queue


def test_a_queue_joins_what_is_asked_of_an_object() -> None:
    queue = Queue()
    queue.add(A, frozenset({"Lease"}))
    queue.add(A, frozenset({"Pod"}))
    queue.add(B, frozenset({"Lease"}))
    queue.add(B)
    queue.add(C)
    queue.add(C, frozenset({"Lease"}))
    assert queue.take() == [(A, frozenset({"Lease", "Pod"})), (B, None), (C, None)]


def test_a_queue_takes_many_at_once() -> None:
    queue = Queue()
    queue.add(B, frozenset({"Lease"}))
    queue.add_all([A, B, C, A])
    assert queue.take() == [(B, None), (A, None), (C, None)]


def test_a_date_comes_once() -> None:
    agenda = Agenda()
    agenda.set(A, at(5))
    assert agenda.due(at(4)) == []
    assert agenda.due(at(5)) == [A]
    assert agenda.due(at(6)) == []
    assert agenda.next_at is None


def test_a_date_that_was_put_off_comes_later_and_one_brought_forward_sooner() -> None:
    agenda = Agenda()
    agenda.set(A, at(5))
    agenda.set(A, at(50))
    agenda.set(B, at(50))
    agenda.set(B, at(5))
    assert agenda.due(at(10)) == [B]
    assert agenda.due(at(49)) == []
    assert agenda.due(at(50)) == [A]


def test_a_date_can_be_struck_off_and_hastened() -> None:
    agenda = Agenda()
    agenda.set(A, at(5))
    agenda.set(A, None)
    agenda.set(B, at(5))
    agenda.hasten(B, at(3))
    agenda.hasten(B, at(30))
    agenda.hasten(C, at(4))
    assert agenda.due(at(10)) == [B, C]


@relaxed
@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.one_of(st.none(), st.integers(1, 20))), max_size=40))
def test_an_agenda_is_a_dict_of_dates(steps: list[tuple[ObjectKey, int | None]]) -> None:
    agenda = Agenda()
    wanted: dict[ObjectKey, int] = {}
    for key, seconds in steps:
        agenda.set(key, None if seconds is None else at(seconds))
        wanted.pop(key, None)
        if seconds is not None:
            wanted[key] = seconds
    for second in range(21):
        next_at = agenda.next_at
        assert next_at is None if not wanted and next_at is None else next_at is not None
        if wanted:
            assert next_at is not None
            assert next_at <= at(min(wanted.values()))
        assert sorted(agenda.due(at(second))) == sorted(key for key, due in wanted.items() if due == second)
        wanted = {key: due for key, due in wanted.items() if due > second}
