"""The command line of auto_healing: exit codes, and errors of one line that say what to do."""

import argparse
import json
import socket
from pathlib import Path

import pytest
from tests.support.command_line import failed_line, kubeconfig, without_settings
from tests.support.logs import restored_logs

from auto_healing.__main__ import main
from auto_healing.cli import serve
from common.cli.serve import announcer

__all__ = ["kubeconfig", "restored_logs"]

pytestmark = pytest.mark.usefixtures("restored_logs")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    without_settings(monkeypatch, "AUTO_HEALING_")


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    return failed_line("auto-healing", main, capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["serve", "--port", "99999"], id="a port that there is not"),
        pytest.param(["serve", "--port", "http"], id="a port that is no number"),
        pytest.param(["token", "new", "alice", "--scope", "god"], id="a scope that there is not"),
        pytest.param(["heal"], id="a command that there is not"),
        pytest.param([], id="no command"),
        pytest.param(["policy"], id="half a command"),
        pytest.param(["policy", "check"], id="no file"),
    ],
)
def test_wrong_arguments_are_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_arguments_of_serve_go_before_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTO_HEALING_WEB__PORT", "9000")
    monkeypatch.setenv("AUTO_HEALING_WEB__HOST", "127.0.0.2")
    monkeypatch.setenv("AUTO_HEALING_POLICY__POLL_SECONDS", "7")
    parser = argparse.ArgumentParser()
    serve.add(parser.add_subparsers())
    policy = tmp_path / "policy.yaml"
    settings = serve.settings_of(parser.parse_args(["serve", "--port", "0", "--context", "c", "--policy", str(policy)]))

    assert (settings.web.port, settings.web.host) == (0, "127.0.0.2")
    assert settings.cluster.context == "c"
    assert (settings.policy.file, settings.policy.poll_seconds) == (policy, 7)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file" in failed(capsys, "serve", "--port", "0", "--kubeconfig", str(tmp_path / "none"))


def test_serving_to_everybody_without_access_is_refused(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(capsys, "serve", "--kubeconfig", kubeconfig, "--host", "0.0.0.0", "--port", "0")

    assert "AUTO_HEALING_WEB__TOKENS" in line


def test_a_port_that_is_taken_is_named(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = failed(capsys, "serve", "--kubeconfig", kubeconfig, "--port", str(port))

    assert str(port) in line


def test_a_policy_with_mistakes_stops_the_start(
    kubeconfig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("{version: 1, guards: {nope: {}}}", encoding="utf-8")

    line = failed(capsys, "serve", "--kubeconfig", kubeconfig, "--port", "0", "--policy", str(policy))
    assert "nope" in line


def test_a_wrong_setting_is_named(
    kubeconfig: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTO_HEALING_MONITOR__WEBHOOK_SECRETS", "hunter2")

    line = failed(capsys, "serve", "--kubeconfig", kubeconfig)
    assert "AUTO_HEALING_MONITOR__WEBHOOK_SECRETS" in line
    assert "hunter2" not in line


def test_a_policy_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("{version: 1}", encoding="utf-8")
    assert main(["policy", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: good\n"
    file.write_text("{version: 1, mode: everything, rules: 7}", encoding="utf-8")
    assert main(["policy", "check", str(file)]) == 1

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{file}: ") for line in lines)


def test_a_policy_file_that_is_not_there_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", str(tmp_path / "none.yaml")]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_the_schema_of_policy_files_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "schema"]) == 0
    assert "rules" in json.loads(capsys.readouterr().out)["properties"]


def test_a_new_token_is_printed_with_the_entry_that_lets_it_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "new", "alice", "--scope", "approve"]) == 0
    out, err = capsys.readouterr()
    token, entry = (line.split()[1] for line in out.splitlines())

    assert entry.startswith("alice:approve:")
    assert token not in entry
    assert "AUTO_HEALING_WEB__TOKENS" in err


def test_where_it_listens_is_said_with_a_token_only_when_one_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    announcer("auto-healing", "/api/v1/runs")("http://127.0.0.1:8081", None)
    assert "Bearer" not in capsys.readouterr().out
    announcer("auto-healing", "/api/v1/runs")("http://127.0.0.1:8081", "t0ken")
    assert "Bearer t0ken" in capsys.readouterr().out
