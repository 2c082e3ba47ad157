"""`alert-service backtest` against a real Prometheus that has a past."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from tests.support.alert_rules import RULES

from alert_service.__main__ import main
from devcluster.monitoring import Prometheus

HOURS = 5
NOT_READY = 'kube_node_status_condition{node="n1",condition="Ready",status="false"}'
MEMORY = 'node_memory_%s_bytes{node="n1"}'
END = int(time.time()) // 60 * 60 - 3600


def past() -> str:
    """A node that was not ready for 40 minutes and for 5, little memory for an hour, and an alert that fired then."""
    samples = {"up": [], NOT_READY: [], MEMORY % "MemAvailable": [], MEMORY % "MemTotal": []}  # type: dict[str, list[str]]
    fired = []
    for minute in range(HOURS * 60 + 1):
        at = END - HOURS * 3600 + minute * 60
        bad = 60 <= minute < 100 or 200 <= minute < 205
        samples["up"].append(f"1 {at}")
        samples[NOT_READY].append(f"{int(bad)} {at}")
        samples[MEMORY % "MemAvailable"].append(f"{5 if 60 <= minute < 120 else 50} {at}")
        samples[MEMORY % "MemTotal"].append(f"100 {at}")
        if 80 <= minute < 90:
            fired.append(f'ALERTS{{alertname="PodNotReady",alertstate="firing"}} 1 {at}')
    lines = [f"{name} {each}" for name, values in samples.items() for each in values]
    return "\n".join([*lines, *fired, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    server = Prometheus({"global": {}})
    server.backfill(past())
    with server:
        yield server


def backtest(server: Prometheus, *arguments: str) -> int:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(END))
    return main(["backtest", "--prometheus", server.url, "--since", f"{HOURS}h", "--until", until, *arguments])


def test_a_rule_of_the_files_is_replayed(prometheus: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in RULES.glob("*.yaml")]
    assert backtest(prometheus, "NodeNotReady", "--json", "--rules", *files) == 0
    (verdict,) = json.loads(capsys.readouterr().out)
    assert verdict["times"] == 1
    assert verdict["firings"][0]["labels"] == {"node": "n1"}
    assert verdict["by_for"]["0s"] == 2
    assert verdict["beside"] == {"PodNotReady": 1}


def test_a_range_begins_where_the_past_does(prometheus: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in RULES.glob("*.yaml")]
    assert backtest(prometheus, "NodeNotReady", "--since", "300d", "--json", "--rules", *files) == 0
    (verdict,) = json.loads(capsys.readouterr().out)
    began = END - HOURS * 3600
    assert began - 300 * 86_400 / 1000 <= datetime.fromisoformat(verdict["start"]).timestamp() <= began
    assert verdict["times"] == 1
    assert backtest(prometheus, "NodeNotReady", "--since", "300d", "--rules", *files) == 0
    assert "Prometheus has nothing from before about" in capsys.readouterr().out


def test_a_rule_on_what_was_never_recorded_is_replayed(
    prometheus: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in RULES.glob("*.yaml")]
    assert backtest(prometheus, "NodeMemoryHigh", "--rules", *files) == 0
    told = capsys.readouterr().out
    assert "would have fired once" in told
    assert "node=n1" in told


def test_an_expression_is_replayed(prometheus: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(prometheus, "--expr", f"{NOT_READY} == 1", "--for", "2m", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["times"] == 2


def test_what_never_held_is_told(prometheus: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(prometheus, "--expr", "vector(0) > 1") == 0
    assert "would not have fired" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["NoSuch", "--rules", str(RULES / "nodes.yaml")], "they have .*NodeNotReady", id="no such alert"),
        pytest.param(["NoSuch"], "--rules FILE", id="no files"),
        pytest.param(["--expr", "sum("], "parse error", id="no expression"),
        pytest.param(["X", "--rules", "nowhere.yaml"], "nowhere.yaml cannot be read", id="a file that is not there"),
        pytest.param(["--expr", "up", "--zone", "Nowhere/Land"], "Europe/Berlin", id="no time zone"),
    ],
)
def test_a_mistake_is_explained(
    prometheus: Prometheus, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert backtest(prometheus, *arguments) != 0
    output = capsys.readouterr()
    assert re.search(told, output.err + output.out)


def test_an_end_before_all_beginnings_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backtest", "--expr", "up", "--until", "0001-01-01"])
    assert "not so old" in capsys.readouterr().err


def test_a_prometheus_that_is_away_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", "--expr", "up", "--prometheus", "http://127.0.0.1:9"]) != 0
    assert "Prometheus at http://127.0.0.1:9 does not answer" in capsys.readouterr().err
