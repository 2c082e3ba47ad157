"""Pages over orders: complete, without repeats, bounded."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import SteppedClock

from health_monitor.view.listing import Orders, Page, Position, after, page


def everything(order: list[Position], limit: int, scan_limit: int, even_only: bool) -> list[int]:
    def accept(at: Position) -> int | None:
        number: int = at[0]
        return number if not even_only or number % 2 == 0 else None

    pages: list[Page[int]] = []
    position: Position | None = None
    while True:
        pages.append(page(after(order, position), accept, limit=limit, scan_limit=scan_limit))
        position = pages[-1].next
        if position is None:
            return list(chain.from_iterable(each.items for each in pages))


@given(st.sets(st.integers(0, 200)), st.integers(1, 20), st.integers(1, 50), st.booleans())
def test_pages_put_together_are_the_whole_list_once(
    numbers: set[int], limit: int, scan_limit: int, even_only: bool
) -> None:
    order: list[Position] = sorted((number,) for number in numbers)

    assert everything(order, limit, scan_limit, even_only) == [
        number for (number,) in order if not even_only or number % 2 == 0
    ]


def test_a_page_stops_at_its_scan_limit_and_says_where_to_go_on() -> None:
    looked_at: list[Position] = []
    found = page(((number,) for number in range(100)), looked_at.append, limit=5, scan_limit=10)

    assert found == Page([], (9,))
    assert len(looked_at) == 10


def test_the_last_page_has_no_next_even_when_it_is_full() -> None:
    assert page([(1,), (2,)], lambda at: at[0], limit=2) == Page([1, 2], None)


def test_a_position_that_is_gone_is_passed_over() -> None:
    assert list(after([(1,), (3,)], (2,))) == [(3,)]


@pytest.mark.parametrize(
    ("passed_seconds", "order"),
    [
        pytest.param(0.1, [(1,)], id="a fresh order is used again"),
        pytest.param(0.2, [(1,), (2,)], id="an old order is made anew"),
    ],
)
def test_orders_are_kept_for_a_moment(passed_seconds: float, order: list[Position]) -> None:
    clock = SteppedClock()
    orders = Orders(fresh_seconds=0.2, monotonic=clock.monotonic)
    orders.sorted("nodes", lambda: [(1,)])
    clock.step(seconds=passed_seconds)

    assert orders.sorted("nodes", lambda: [(2,), (1,)]) == order


def test_an_order_that_took_long_is_kept_ten_times_as_long() -> None:
    clock = SteppedClock()
    orders = Orders(fresh_seconds=0.2, monotonic=clock.monotonic)

    def slow() -> list[Position]:
        clock.step(seconds=1)
        return [(1,)]

    orders.sorted("pods", slow)
    clock.step(seconds=8)

    assert orders.sorted("pods", list) == [(1,)]


def test_only_the_orders_asked_for_last_are_kept() -> None:
    clock = SteppedClock()
    orders = Orders(fresh_seconds=60, monotonic=clock.monotonic)
    for name in range(100):
        orders.sorted("kept", lambda: [(0,)])
        orders.sorted(name, lambda: [(1,)])

    assert orders.sorted("kept", list) == [(0,)]
    assert orders.sorted(0, list) == []
