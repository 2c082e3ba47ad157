"""Silence that an object asks for by annotation."""

from datetime import UTC, datetime

import pytest
from tests.support.clock import NOON  # 2026-03-01 12:00 UTC

from health_monitor.policy.mutes import FOREVER, MUTE, mutes_of


@pytest.mark.parametrize(
    ("text", "until"),
    [
        pytest.param("pod-restarts", FOREVER, id="no date: no end"),
        pytest.param("pod-restarts=2026-03-01", datetime(2026, 3, 2, tzinfo=UTC), id="a date: to its end in UTC"),
        pytest.param("pod-restarts=2026-02-28", None, id="a date that has passed"),
        pytest.param("pod-restarts=2026-03-01T12:30Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC), id="an instant"),
        pytest.param("pod-restarts=2026-03-01T12:30", datetime(2026, 3, 1, 12, 30, tzinfo=UTC), id="taken as UTC"),
        pytest.param("pod-restarts=2026-03-01T12:00Z", None, id="over at the very instant"),
        pytest.param("pod-evicted, pod-restarts = 2026-03-01 ,", datetime(2026, 3, 2, tzinfo=UTC), id="among others"),
        pytest.param("*=2026-03-01", datetime(2026, 3, 2, tzinfo=UTC), id="a star for every code"),
        pytest.param("*, pod-restarts=2026-03-01", FOREVER, id="the longer of two"),
        pytest.param("pod-evicted", None, id="another code"),
        pytest.param("pod-restarts=tomorrow", None, id="no date mutes nothing"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_code_is_muted_until(text: str, until: datetime | None) -> None:
    assert mutes_of({MUTE: text}).end("pod-restarts", NOON) == until


def test_an_object_without_the_annotation_is_not_muted() -> None:
    assert mutes_of({"other": "pod-restarts"}).end("pod-restarts", NOON) is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        pytest.param(
            "pod-evicted=soon, pod-restarts",
            "'pod-evicted=soon' in k8s-health-checker/mute: 'soon' is no date; write one such as 2026-12-31",
            id="no date",
        ),
        pytest.param(
            "pod-restart=2026-12-31, pod-restarts",
            "'pod-restart=2026-12-31' in k8s-health-checker/mute: there is no check 'pod-restart'",
            id="no such check",
        ),
    ],
)
def test_what_mutes_nothing_is_told_and_the_rest_holds(text: str, mistake: str) -> None:
    mutes = mutes_of({MUTE: text})
    assert mutes.end("pod-restarts", NOON) == FOREVER
    assert mutes.mistakes == (mistake,)
