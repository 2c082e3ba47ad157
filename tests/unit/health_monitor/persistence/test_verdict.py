"""What an answer to a webhook means, and when the next attempt comes."""

from datetime import timedelta

import pytest
from tests.support.clock import NOON

from health_monitor.webhooks.verdict import Answer, AttemptVerdict, Endpoint, next_attempt_at, retry_after

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
UP, DOWN = Answer(204), Answer(503)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        pytest.param(200, AttemptVerdict.DELIVERED, id="200 is a delivery"),
        pytest.param(202, AttemptVerdict.DELIVERED, id="every 2xx is a delivery"),
        pytest.param(None, AttemptVerdict.UNAVAILABLE, id="no answer"),
        pytest.param(301, AttemptVerdict.UNAVAILABLE, id="a redirect is not followed"),
        pytest.param(400, AttemptVerdict.REFUSED, id="400 is about the event"),
        pytest.param(413, AttemptVerdict.REFUSED, id="too large is about the event"),
        pytest.param(422, AttemptVerdict.REFUSED, id="422 is about the event"),
        pytest.param(401, AttemptVerdict.UNAVAILABLE, id="a wrong secret concerns every event"),
        pytest.param(404, AttemptVerdict.UNAVAILABLE, id="an ingress without a backend answers 404"),
        pytest.param(408, AttemptVerdict.UNAVAILABLE, id="408"),
        pytest.param(409, AttemptVerdict.UNAVAILABLE, id="409"),
        pytest.param(410, AttemptVerdict.GONE, id="410 says goodbye"),
        pytest.param(425, AttemptVerdict.UNAVAILABLE, id="425"),
        pytest.param(429, AttemptVerdict.UNAVAILABLE, id="429"),
        pytest.param(500, AttemptVerdict.UNAVAILABLE, id="500"),
    ],
)
def test_a_status_means(status: int | None, verdict: AttemptVerdict) -> None:
    assert Answer(status, "no route").verdict is verdict


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="no header"),
        pytest.param("120", 2 * MINUTE, id="seconds"),
        pytest.param("0", timedelta(0), id="now"),
        pytest.param("999999999999", HOUR, id="an hour at most"),
        pytest.param("Sun, 01 Mar 2026 12:05:00 GMT", 5 * MINUTE, id="a date"),
        pytest.param("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0), id="a date in the past"),
        pytest.param("-5", None, id="negative"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("٣", None, id="digits of another script"),
        pytest.param("Sun, 99 Mar 2026 12:05:00 GMT", None, id="a day that does not exist"),
    ],
)
def test_retry_after_is_read(header: str | None, expected: timedelta | None) -> None:
    assert retry_after(header, NOON) == expected


@pytest.mark.parametrize(
    ("verdict", "attempts", "age", "wait"),
    [
        pytest.param(AttemptVerdict.UNAVAILABLE, 1, timedelta(0), 5 * SECOND, id="after the first failure soon"),
        pytest.param(AttemptVerdict.UNAVAILABLE, 2, MINUTE, 30 * SECOND, id="then later"),
        pytest.param(AttemptVerdict.UNAVAILABLE, 99, HOUR, 15 * MINUTE, id="a quarter of an hour at most"),
        pytest.param(AttemptVerdict.UNAVAILABLE, 99, 24 * HOUR, None, id="given up after a day"),
        pytest.param(AttemptVerdict.REFUSED, 1, timedelta(0), 30 * SECOND, id="a refusal is tried again"),
        pytest.param(AttemptVerdict.REFUSED, 2, timedelta(0), 5 * MINUTE, id="and once more"),
        pytest.param(AttemptVerdict.REFUSED, 3, timedelta(0), None, id="then given up"),
    ],
)
def test_the_next_attempt_comes(verdict: AttemptVerdict, attempts: int, age: timedelta, wait: timedelta | None) -> None:
    at = next_attempt_at(verdict, attempts, NOON - age, NOON, luck=0.5)
    assert at == (None if wait is None else NOON + wait)


def test_retries_are_spread_by_a_fifth_to_either_side() -> None:
    early, late = (next_attempt_at(AttemptVerdict.UNAVAILABLE, 1, NOON, NOON, luck=luck) for luck in (0.0, 1.0))
    assert (early, late) == (NOON + 4 * SECOND, NOON + 6 * SECOND)


def test_a_receiver_is_away_after_three_failures_and_is_then_probed_ever_more_seldom() -> None:
    endpoint, now, pauses = Endpoint(), NOON, []
    for _ in range(10):
        endpoint = endpoint.after(DOWN, now, luck=0.5)
        pauses.append(((endpoint.retry_at or now) - now).total_seconds())
        now = endpoint.retry_at or now

    assert pauses == [0, 0, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (endpoint.tripped, endpoint.failing_since, endpoint.last_error) == (True, NOON, "answered 503")
    assert endpoint.after(UP, now, luck=0.5) == Endpoint()


def test_failures_of_attempts_that_were_already_under_way_count_once() -> None:
    endpoint = Endpoint()
    for _ in range(8):
        endpoint = endpoint.after(DOWN, NOON, luck=0.5)
    assert (endpoint.failures, endpoint.retry_at) == (3, NOON + 2 * SECOND)


def test_a_receiver_that_names_a_time_is_left_alone_so_long() -> None:
    endpoint = Endpoint().after(Answer(429, None, MINUTE), NOON, luck=0.5)
    assert not endpoint.open_at(NOON + 59 * SECOND)
    assert endpoint.open_at(NOON + MINUTE)
    assert not endpoint.tripped


def test_a_refusal_shows_that_the_receiver_is_there() -> None:
    away = Endpoint(failures=5, failing_since=NOON, last_error="answered 503")
    assert away.after(Answer(422), NOON, luck=0.5) == Endpoint(last_error="answered 422")
