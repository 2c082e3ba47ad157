"""What a cleanup step did to each object is counted by rule."""

import pytest
from tests.support.healing_store import a_plan, a_stored_run

from auto_healing.actions.action import Outcome, Result
from auto_healing.metrics import SERVICE, Metrics
from auto_healing.told import Told
from common.metrics import ServiceMetrics

NUMBERS = {"deleted": 7, "gone": 2, "left": 1}


@pytest.mark.parametrize(
    ("action", "counted"),
    [
        pytest.param("clean-jobs", [7, 2, 1], id="of cleanup"),
        pytest.param("evict-pod", [None, None, None], id="of any other action"),
    ],
)
def test_objects_are_counted_by_rule(action: str, counted: list[float | None]) -> None:
    metrics = Metrics(ServiceMetrics(SERVICE, "0"))
    plan = a_plan(action=action)
    step = plan.steps[0]
    Told(metrics).step_ended(
        a_stored_run(plan=plan), step, Outcome(result=Result.DONE, message="done", numbers=NUMBERS), 1.0
    )
    names = [{"rule": action, "outcome": outcome} for outcome in NUMBERS]
    assert [metrics.registry.get_sample_value(f"{SERVICE}_cleanup_objects_total", each) for each in names] == counted
