"""`alert-service policy explain`: who would be told, by a file alone."""

from pathlib import Path

import pytest

from alert_service.__main__ import main

POLICY = """
version: 1
channels:
  sre: {kind: slack, conversation: "#sre"}
people:
  ana: {identity: ana@example.com, shown: Ana}
hours:
  office: {days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00", zone: Europe/Berlin}
routes:
  - {name: payments, match: ['namespace="pay"'], channels: [sre]}
  - {name: by-day, hours: office, channels: [sre]}
  - {name: pages, severities: [critical], channels: [sre], escalation: up}
escalations:
  up: {steps: [{after: 5m, people: [ana], channels: [sre]}, {after: 15m, channels: [sre]}], repeat: 0}
"""
SUNDAY = ("--at", "2026-12-06T03:00:00+01:00")


def explain(folder: Path, *arguments: str, policy: str = POLICY) -> int:
    file = folder / "policy.yaml"
    file.write_text(policy)
    return main(["policy", "explain", str(file), *arguments])


def test_a_page_at_night_is_explained_route_by_route_and_step_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(tmp_path, "alertname=NodeNotReady", "severity=critical", "node=n1", *SUNDAY) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NodeNotReady: n1, critical",
        "Told on sre by route pages. Next, at 2026-12-06 02:05:00 UTC: step 1 of the escalation tells Ana.",
        "",
        "routes, as they are asked:",
        '  payments             no: namespace="pay" does not match',
        "  by-day               no: outside the hours office",
        "  pages                taken",
        "",
        "escalation up, while nobody acknowledges:",
        "  2026-12-06 02:05 UTC  step 1: Ana on sre",
        "  2026-12-06 02:20 UTC  step 2: nobody by name on sre",
    ]


@pytest.mark.parametrize(
    ("labels", "saying"),
    [
        pytest.param(["severity=warning"], "pages                no: not for the severity warning", id="a severity"),
        pytest.param(["severity=warning"], "Nobody is told: no route", id="no route"),
        pytest.param(["severity=none"], "Nobody is told: the severity none", id="plumbing"),
        pytest.param(['namespace="pay"'], "payments             taken", id="a value in quotes"),
    ],
)
def test_who_is_not_told_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: list[str], saying: str
) -> None:
    assert explain(tmp_path, *labels, *SUNDAY) == 0
    assert saying in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        pytest.param(["severity"], "severity is no label such as severity=critical", id="a label without a value"),
        pytest.param(["a=b", "--at", "sunday"], "sunday is no instant such as", id="no instant"),
    ],
)
def test_a_wrong_argument_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], saying: str
) -> None:
    with pytest.raises(SystemExit):
        explain(tmp_path, *arguments)
    assert saying in capsys.readouterr().err


def test_a_wrong_policy_is_told_with_all_its_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path, "a=b", policy="version: 1\nroutes: [{name: x, channels: [y]}]\ngather: soon\n") == 2
    assert "gather: must be a duration" in capsys.readouterr().err
