"""The command line: exit codes, and errors of one line that say what to do."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import failed_line, kubeconfig, without_settings
from tests.support.logs import restored_logs

from health_monitor.__main__ import main
from health_monitor.cli import checks

__all__ = ["kubeconfig", "restored_logs"]

pytestmark = pytest.mark.usefixtures("restored_logs")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    without_settings(monkeypatch, "HEALTH_MONITOR_")


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    return failed_line("health-monitor", main, capsys, *arguments)


def test_a_cluster_that_is_not_there_is_named(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot reach http://127.0.0.1:1" in failed(capsys, "scan", "--kubeconfig", kubeconfig)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file" in failed(capsys, "scan", "--kubeconfig", str(tmp_path / "none"))


def test_a_policy_with_mistakes_stops_a_scan(
    kubeconfig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("{version: 1, checks: {nope: {}}}", encoding="utf-8")

    assert "nope" in failed(capsys, "scan", "--kubeconfig", kubeconfig, "--policy", str(policy))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["scan", "--fail-under", "101"], id="a score that there is not"),
        pytest.param(["scan", "--top", "-1"], id="a negative number of lines"),
        pytest.param(["scan", "--output", "pdf"], id="an unknown format"),
        pytest.param(["serve", "--port", "99999"], id="a port that there is not"),
        pytest.param(["serve", "--port", "http"], id="a port that is no number"),
        pytest.param([], id="no command"),
        pytest.param(["policy"], id="half a command"),
    ],
)
def test_wrong_arguments_are_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_serving_to_everybody_without_access_is_refused(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(capsys, "serve", "--kubeconfig", kubeconfig, "--no-database", "--host", "0.0.0.0", "--port", "0")

    assert "HEALTH_MONITOR_WEB__TOKENS" in line


def test_a_port_that_is_taken_is_named(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = failed(capsys, "serve", "--kubeconfig", kubeconfig, "--no-database", "--port", str(port))

    assert str(port) in line


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        pytest.param("WEB__TOKENS", "alice:read:short", "HEALTH_MONITOR_WEB__TOKENS", id="tokens that are none"),
        pytest.param("DATABASE__URL", "mysql://x/y", "HEALTH_MONITOR_DATABASE__URL", id="another kind of database"),
        pytest.param("WEB__PORT", "many", "HEALTH_MONITOR_WEB__PORT", id="a port that is no number"),
        pytest.param("WEB__PROT", "1", "did you mean HEALTH_MONITOR_WEB__PORT", id="a setting there is not"),
    ],
)
def test_a_wrong_setting_is_named(
    variable: str,
    value: str,
    said: str,
    kubeconfig: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"HEALTH_MONITOR_{variable}", value)

    line = failed(capsys, "serve", "--kubeconfig", kubeconfig)
    assert said in line
    assert value not in {"alice:read:short", "mysql://x/y"} or value not in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_that_cannot_be_written_is_one_line_and_exit_code_2() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "health_monitor", "policy", "schema"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (2, "health-monitor: [Errno 28] No space left on device\n")


def test_a_defect_does_not_look_like_a_score_below_the_threshold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise LookupError("a defect")

    monkeypatch.setattr(checks, "run", broken)
    assert main(["checks"]) == 2
    assert "a defect" in capsys.readouterr().err


def test_a_policy_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("{version: 1}", encoding="utf-8")
    assert main(["policy", "check", str(file)]) == 0
    file.write_text("{version: 1, checks: {nope: {}}, rules: 7}", encoding="utf-8")
    assert main(["policy", "check", str(file)]) == 1

    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_schema_of_policy_files_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"


def test_checks_are_listed_with_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks"]) == 0
    assert "node-not-ready" in capsys.readouterr().out


def test_a_new_token_is_printed_with_the_entry_that_lets_it_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "new", "alice", "--scope", "operate"]) == 0
    token, entry = (line.split()[1] for line in capsys.readouterr().out.splitlines())

    assert len(token) >= 43
    assert entry.startswith("alice:operate:")
    assert token not in entry


def test_a_name_that_no_entry_can_hold_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no name" in failed(capsys, "token", "new", "a:b")
