"""A fault that lasts is not refused again in every second."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_store import a_plan

from auto_healing.plan import Decline
from auto_healing.storage.repeats import Repeats


def later(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def no(
    guard: str = "cooldown", look_again_in: float | None = None, message: str = "not now", **numbers: Any
) -> tuple[Decline, ...]:
    again = None if look_again_in is None else later(look_again_in)
    return (Decline(guard=guard, message=message, numbers=numbers, look_again_at=again),)


@pytest.mark.parametrize(
    ("first", "then", "after", "is_repeat"),
    [
        pytest.param(no(), no(), 1, True, id="the same a second later"),
        pytest.param(no(), no(), 86_000, True, id="the same at any time, as nothing changed"),
        pytest.param(no(), no("budget"), 1, False, id="another guard at once"),
        pytest.param(no(left=9), no(left=8), 1, True, id="other numbers alone are no news within a minute"),
        pytest.param(no(left=9), no(left=8), 61, False, id="other numbers after a minute"),
        pytest.param(no(), no(message="never"), 59, True, id="another reason of the same guard within a minute"),
        pytest.param(no(), no(message="never"), 61, False, id="another reason of the same guard after a minute"),
        pytest.param(no(look_again_in=30), no(look_again_in=60), 29, True, id="before the time that was named"),
        pytest.param(no(look_again_in=30), no(look_again_in=60), 30, False, id="at the time that was named"),
        pytest.param(no(look_again_in=0), no(look_again_in=0), 1, True, id="a guard that names now fills no ledger"),
        pytest.param((), (), 60, True, id="observed, and still so"),
        pytest.param((), (), 3601, False, id="observed for an hour"),
        pytest.param((), no(), 1, False, id="observed, then refused"),
        pytest.param(no(look_again_in=30), no(look_again_in=30), -3600, False, id="told before the clock was set back"),
    ],
)
def test_what_is_news(first: Any, then: Any, after: float, is_repeat: bool) -> None:
    repeats = Repeats()
    repeats.told(a_plan(), first, NOON)
    assert repeats.is_repeat(a_plan(), then, later(after)) is is_repeat


def test_what_was_never_told_is_news() -> None:
    assert not Repeats().is_repeat(a_plan(), no(), NOON)


@pytest.mark.parametrize(
    "other", [a_plan("checkout-2"), a_plan(rung=1), a_plan(rule="another"), a_plan(action="evict-pod")]
)
def test_another_plan_is_news(other: Any) -> None:
    repeats = Repeats()
    repeats.told(a_plan(), no(), NOON)
    assert not repeats.is_repeat(other, no(), NOON)


def test_what_was_carried_out_is_news_when_it_is_refused_again() -> None:
    repeats = Repeats()
    repeats.told(a_plan(), no(), NOON)
    repeats.forget(a_plan())
    assert not repeats.is_repeat(a_plan(), no(), later(1))


def test_a_storm_does_not_fill_the_memory() -> None:
    repeats = Repeats()
    for number in range(20_050):
        repeats.told(a_plan(f"pod-{number}"), no(), NOON)
    assert not repeats.is_repeat(a_plan("pod-1"), no(), NOON)
    assert repeats.is_repeat(a_plan("pod-20049"), no(), NOON)
