"""The figures of a benchmark and the report that they go into."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench import report
from bench.catalogue import BENCHMARKS
from bench.figure import Figure, percentile, split

IDS = {
    "monitor.watch_ratio",
    "monitor.pipeline_rate",
    "monitor.max_cluster_memory",
    "monitor.max_cluster_sync",
    "monitor.loop_lag",
    "monitor.detection",
    "monitor.detection_ratio",
    "monitor.scan",
    "monitor.read_api",
    "monitor.cpu_per_event_growth",
    "monitor.failover",
    "healing.whatif_drain",
    "healing.whatif_zone",
    "healing.audit_verify",
    "healing.cleanup_rate",
    "healing.decision_rate",
    "healing.event_to_write",
    "healing.fault_to_write",
    "healing.simulation",
}


def a_figure(**overrides: Any) -> Figure:
    values = {
        "id": "a.b",
        "what": "things",
        "unit": "ms",
        "target": 10,
        "better": "lower",
        "runs": [3, 1, 2],
        "conditions": "one machine",
    }
    return Figure(**values | overrides)


@pytest.mark.parametrize(
    ("overrides", "value", "met"),
    [
        pytest.param({}, 2, True, id="the value is the median, and low is good"),
        pytest.param({"target": 2}, 2, True, id="a target that is just reached is met"),
        pytest.param({"target": 1.9}, 2, False, id="a target that is exceeded is missed"),
        pytest.param({"better": "higher"}, 2, False, id="where more is better, less than the target is a miss"),
        pytest.param({"better": "higher", "target": 2}, 2, True, id="where more is better, the target itself is met"),
        pytest.param({"value": 11}, 11, False, id="a value that is given counts, not the median"),
    ],
)
def test_what_a_figure_says(overrides: dict[str, Any], value: float, met: bool) -> None:
    entry = a_figure(**overrides).entry()

    assert (entry["value"], entry["met"]) == (value, met)
    assert (entry["min"], entry["max"]) == (1, 3)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        pytest.param(range(1, 101), 99, 99, id="the 99th of a hundred"),
        pytest.param(range(1, 101), 50, 50, id="the 50th of a hundred"),
        pytest.param([5], 99, 5, id="the only one"),
        pytest.param([9, 1, 5], 50, 5, id="in any order"),
    ],
)
def test_percentiles_are_values_that_occurred(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_runs_are_of_one_length() -> None:
    assert split([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4]]


def test_a_round_keeps_the_figures_of_earlier_ones(tmp_path: Path) -> None:
    report.write([a_figure(id="x", runs=[1]).entry(), a_figure(id="y", runs=[1]).entry()], {}, tmp_path)
    report.write([a_figure(id="y", runs=[20]).entry()], {"z": "exit code 1"}, tmp_path)

    written = json.loads((tmp_path / "report.json").read_text())
    assert [(e["id"], e["value"], e["met"]) for e in written["figures"]] == [("x", 1, True), ("y", 20, False)]
    assert written["failures"] == {"z": "exit code 1"}
    assert written["machine"]["cores"] > 0


def test_the_table_for_people_marks_what_was_missed(tmp_path: Path) -> None:
    report.write([a_figure(id="y", runs=[20], note="The disk is slow.").entry()], {}, tmp_path)

    text = (tmp_path / "report.md").read_text()
    assert "| `y` | things | **20 ms** | 20 to 20 | <= 10 | **no** |" in text
    assert "- `y`: one machine. The disk is slow." in text


def test_every_id_has_one_benchmark() -> None:
    found = [id for each in BENCHMARKS for id in {each.id, *each.family} if id in IDS]

    assert sorted(found) == sorted(IDS)
