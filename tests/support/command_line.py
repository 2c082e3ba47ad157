"""The command line of a service, as people meet it: what is written, and the exit code."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Main = Callable[[Sequence[str] | None], int]

_NOWHERE = """
apiVersion: v1
kind: Config
current-context: c
users: [{name: u, user: {token: t}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """Of a cluster that nobody serves."""
    file = tmp_path / "kubeconfig"
    file.write_text(_NOWHERE, encoding="utf-8")
    return str(file)


def without_settings(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Whoever runs the tests may have the service's variables set."""
    for name in [name for name in os.environ if name.startswith(prefix)]:
        monkeypatch.delenv(name)


def failed_line(program: str, main: Main, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command failed with."""
    assert main(arguments) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"{program}: ")
    assert line.count("\n") == 1
    assert "Traceback" not in line
    return line
