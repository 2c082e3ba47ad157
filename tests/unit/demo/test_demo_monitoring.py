"""The demo's Prometheus and Alertmanager run what is shipped, only sooner."""

from typing import Any

import pytest
from demo.monitoring import hurried


@pytest.mark.parametrize(
    ("shipped", "sooner"),
    [
        pytest.param({"for": "5m"}, {"for": "15000ms"}, id="minutes"),
        pytest.param({"keep_firing_for": "1h30m"}, {"keep_firing_for": "270000ms"}, id="hours and minutes"),
        pytest.param({"group_wait": "0s"}, {"group_wait": "0ms"}, id="no time at all"),
        pytest.param(
            {"groups": [{"rules": [{"alert": "A", "for": "10s"}]}]},
            {"groups": [{"rules": [{"alert": "A", "for": "500ms"}]}]},
            id="within lists",
        ),
        pytest.param({"timeout": "10s", "expr": "up[5m]"}, {"timeout": "10s", "expr": "up[5m]"}, id="what is no wait"),
    ],
)
def test_waits_alone_are_made_short(shipped: Any, sooner: Any) -> None:
    assert hurried(shipped) == sooner
