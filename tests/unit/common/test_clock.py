from datetime import UTC, timedelta

from tests.support.clock import NOON, SteppedClock

from common.clock import Clock, SystemClock


def test_the_system_clock_is_aware_in_utc_and_never_goes_back() -> None:
    clock: Clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_a_stepped_clock_moves_both_times_together() -> None:
    clock = SteppedClock()
    before = clock.monotonic()

    assert clock.step(90) == NOON + timedelta(seconds=90) == clock.now()
    assert clock.monotonic() - before == 90


def test_a_jump_of_the_calendar_takes_no_time() -> None:
    clock = SteppedClock()
    before = clock.monotonic()

    clock.jump(timedelta(hours=-2))

    assert clock.now() == NOON - timedelta(hours=2)
    assert clock.monotonic() == before
