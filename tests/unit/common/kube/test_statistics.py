"""How the API server looks from here."""

from datetime import timedelta

import pytest
from tests.support.clock import NOON, SteppedClock

from common.kube.statistics import ApiStatistics


def test_errors_and_slow_answers_are_seen_for_five_minutes() -> None:
    clock = SteppedClock()
    statistics = ApiStatistics(clock)
    for _ in range(97):
        statistics.answered("list", "pods", status=200, seconds=0.01)
    for _ in range(3):
        statistics.answered("get", "nodes", status=503, seconds=2.0)
    health = statistics.health
    assert (health.requests, health.errors, health.p99_seconds) == (100, 3, 2.0)
    clock.step(timedelta(minutes=5, seconds=1))
    health = statistics.health
    assert (health.requests, health.errors, health.p99_seconds) == (0, 0, 0.0)


def test_a_server_is_unreachable_from_the_first_loss_until_any_answer() -> None:
    clock = SteppedClock()
    statistics = ApiStatistics(clock)
    clock.step(10)
    statistics.lost("list", "pods", seconds=4.0)
    clock.step(10)
    statistics.lost("watch", "pods", seconds=1.0)
    assert statistics.health.unreachable_since == NOON + timedelta(seconds=6)
    assert statistics.health.errors == 2
    statistics.answered("watch", "pods", status=200, seconds=0.1)
    assert statistics.health.unreachable_since is None


def test_what_a_kubelet_or_a_budget_answers_says_nothing_of_the_server() -> None:
    statistics = ApiStatistics(SteppedClock())
    statistics.answered("get", "pods/log", status=502, seconds=9.0)
    statistics.lost("get", "pods/log", seconds=9.0)
    statistics.answered("create", "pods/eviction", status=429, seconds=0.1)
    assert statistics.health.errors == 0
    assert statistics.health.unreachable_since is None
    assert statistics.health.p99_seconds == 0.1

    statistics.answered("create", "pods/eviction", status=503, seconds=0.1)
    statistics.answered("create", "pods", status=429, seconds=0.1)
    assert statistics.health.errors == 2


@pytest.mark.parametrize(
    ("outage_seconds", "errors"),
    [
        pytest.param(14, 2, id="a short silence is a part of how the server answers"),
        pytest.param(15, 1, id="an outage is told as one, and its losses are forgotten when it ends"),
    ],
)
def test_outage(outage_seconds: int, errors: int) -> None:
    clock = SteppedClock()
    statistics = ApiStatistics(clock)
    statistics.answered("get", "nodes", status=503, seconds=0.1)
    clock.step(1)
    statistics.lost("list", "pods", seconds=0)
    clock.step(outage_seconds)
    statistics.answered("list", "pods", status=200, seconds=0.1)
    assert (statistics.health.errors, statistics.health.requests) == (errors, errors + 1)


@pytest.mark.parametrize(
    ("seconds", "errors", "p99"),
    [
        pytest.param(60, 3, 9.0, id="within the last minute"),
        pytest.param(61, 0, 0.1, id="all was well for the last minute"),
    ],
)
def test_a_burst_that_is_over_says_nothing_of_now(seconds: int, errors: int, p99: float) -> None:
    clock = SteppedClock()
    statistics = ApiStatistics(clock)
    for _ in range(3):
        statistics.answered("list", "pods", status=503, seconds=9.0)
    clock.step(seconds)
    statistics.answered("list", "pods", status=200, seconds=0.1)
    assert (statistics.health.errors, statistics.health.p99_seconds) == (errors, p99)


def test_watches_are_no_requests_unless_they_are_refused() -> None:
    seen: list[tuple[str, str, int, float]] = []
    statistics = ApiStatistics(SteppedClock())
    statistics.observer = lambda *sample: seen.append(sample)
    statistics.answered("watch", "pods", status=200, seconds=9.0)
    statistics.answered("watch", "pods", status=429, seconds=9.0)
    statistics.answered("list", "pods", status=200, seconds=0.5)
    assert (statistics.health.requests, statistics.health.errors, statistics.health.p99_seconds) == (2, 1, 0.5)
    assert seen == [("list", "pods", 200, 0.5)]
