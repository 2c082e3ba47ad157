"""What the command of the stand-ins says when it is wrong."""

import socket

import pytest

from devchat.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "code", "saying"),
    [
        pytest.param(["--settings", '{"colour": "red"}'], 2, "colour", id="a setting that nobody knows"),
        pytest.param(["--settings", '{"limits": "no"}'], 2, "limits", id="a setting of another kind"),
        pytest.param(["--settings", "{"], 2, "--settings", id="no JSON"),
    ],
)
def test_a_wrong_setting_is_named(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, saying: str
) -> None:
    assert main(arguments) == code
    assert saying in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
