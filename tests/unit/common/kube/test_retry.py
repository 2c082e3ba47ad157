"""When and how long to wait before trying again."""

from random import Random

import pytest

from common.kube.errors import Conflict, Forbidden, Gone, KubeError, NotFound, Throttled, Unavailable
from common.kube.retry import Backoff, may_retry


@pytest.mark.parametrize(
    ("method", "error", "expected"),
    [
        pytest.param("GET", Unavailable("x"), True, id="a read is repeated when the connection was lost"),
        pytest.param("POST", Unavailable("x"), False, id="a write may have been carried out"),
        pytest.param("POST", Unavailable("x", sent=False), True, id="a write that was never sent is repeated"),
        pytest.param("POST", Throttled("x"), True, id="what was refused was not carried out"),
        pytest.param("GET", NotFound("x"), False, id="an answer is an answer"),
        pytest.param("GET", Forbidden("x"), False, id="asking twice gives no permission"),
        pytest.param("PUT", Conflict("x"), False, id="a conflict must be looked at"),
        pytest.param("GET", Gone("x"), False, id="what is gone stays gone"),
    ],
)
def test_what_may_be_repeated(method: str, error: KubeError, expected: bool) -> None:
    assert may_retry(method, error) is expected


def test_delays_are_anywhere_up_to_a_limit_that_doubles() -> None:
    backoff, random = Backoff(first_seconds=1.0, longest_seconds=5.0), Random(7)
    for attempt, limit in enumerate((1.0, 2.0, 4.0, 5.0, 5.0)):
        delays = [backoff.delay(attempt, random) for _ in range(300)]
        assert 0 <= min(delays) < limit * 0.1
        assert limit * 0.9 < max(delays) <= limit
    assert backoff.delay(10_000, random) <= 5.0


def test_what_the_server_asks_for_comes_first_within_reason() -> None:
    backoff, random = Backoff(first_seconds=1.0), Random(7)
    assert 3.0 <= backoff.delay(0, random, at_least=3.0) <= 4.0
    assert backoff.delay(0, random, at_least=86_400.0) <= 61.0
