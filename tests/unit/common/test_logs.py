"""A log line is one JSON object with the ids of what it belongs to, and never a secret."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from tests.support.clock import SteppedClock

from common import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Configure JSON logging into a buffer; put everything back afterwards."""
    output = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level)
    monkeypatch.setattr(sys, "stderr", output)
    logs.configure("info", json=True)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.handlers, root.level = before
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("Authorization: Bearer abc.DEF-123", "Authorization: Bearer [redacted]", id="a bearer token"),
        pytest.param(
            "connect to postgresql://bob:hunter2@db:5432/x failed",
            "connect to postgresql://bob:[redacted]@db:5432/x failed",
            id="a password in a URL",
        ),
        pytest.param(
            "https://u:p@a/b and redis://:pw@c",
            "https://u:[redacted]@a/b and redis://:[redacted]@c",
            id="two URLs, one without a user",
        ),
        pytest.param("host=db password=hunter2 dbname=x", "host=db password=[redacted] dbname=x", id="a libpq DSN"),
        pytest.param("password='with space' x", "password=[redacted] x", id="a quoted password"),
        pytest.param("GET /hook?token=abc&x=1", "GET /hook?token=[redacted]&x=1", id="a token in a query"),
        pytest.param("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw.", "key [redacted].", id="a webhook secret"),
        pytest.param(f"got eyJ{'a' * 12}.{'b' * 12}.{'c' * 12}", "got [redacted]", id="a JSON web token"),
        pytest.param("slack xoxb-123456789012-abcdef", "slack [redacted]", id="a Slack token"),
        pytest.param("pod a/b is CrashLooping: 3 restarts", "pod a/b is CrashLooping: 3 restarts", id="nothing secret"),
        pytest.param("a://u:p@ss/w@db/x", "a://u:[redacted]@db/x", id="a password that should have been escaped"),
        pytest.param("http://10.0.0.1:8080/x", "http://10.0.0.1:8080/x", id="a port is no password"),
    ],
)
def test_text_loses_its_secrets_and_nothing_else(text: str, clean: str) -> None:
    assert logs.redacted(text) == clean


@pytest.mark.parametrize(
    ("event", "clean"),
    [
        pytest.param({"password": "x"}, {"password": "[redacted]"}, id="by its name"),
        pytest.param(
            {"headers": {"Authorization": "abc", "Accept": "d"}},
            {"headers": {"Authorization": "[redacted]", "Accept": "d"}},
            id="deep inside",
        ),
        pytest.param({"urls": ["a://b:c@d"]}, {"urls": ["a://b:[redacted]@d"]}, id="in a list"),
        pytest.param(
            {"token_count": 3, "secret_name": "tls"}, {"token_count": 3, "secret_name": "tls"}, id="harmless names"
        ),
        pytest.param({"token": None, "secret": ""}, {"token": None, "secret": ""}, id="absent values stay absent"),
        pytest.param(
            {"error": ValueError("token=abc")}, {"error": "ValueError: token=[redacted]"}, id="in an exception"
        ),
    ],
)
def test_an_event_loses_its_secrets(event: dict[str, Any], clean: dict[str, Any]) -> None:
    assert logs.redact(None, "info", event) == clean


def test_a_line_carries_the_ids_it_belongs_to(logged: Lines) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1", run_id="run-2")

    structlog.get_logger("ours").info("pod evicted", pod="a/b")

    (line,) = logged()
    assert line.items() >= {"event": "pod evicted", "pod": "a/b", "request_id": "r-1", "run_id": "run-2"}.items()
    assert (line["level"], line["logger"]) == ("info", "ours")
    assert line["timestamp"].endswith("Z")


def test_what_libraries_log_goes_the_same_way(logged: Lines) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1")

    logging.getLogger("sqlalchemy.pool").warning("lost %s", "postgresql://u:hunter2@h/d", extra={"attempt": 2})

    (line,) = logged()
    assert line["event"] == "lost postgresql://u:[redacted]@h/d"
    assert (line["request_id"], line["attempt"], line["logger"]) == ("r-1", 2, "sqlalchemy.pool")


def test_an_exception_is_one_line_without_secrets(logged: Lines) -> None:
    try:
        raise ValueError("bad postgresql://u:hunter2@h/d")
    except ValueError:
        structlog.get_logger("ours").exception("failed")

    (line,) = logged()
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_chatty_libraries_are_kept_to_warnings(logged: Lines) -> None:
    for name in ("uvicorn.access", "uvicorn.error", "procrastinate.worker", "alembic.runtime.migration", "httpx"):
        logging.getLogger(name).info("chatter")
    logging.getLogger("psycopg.pool").warning("error connecting")
    structlog.get_logger("ours").debug("too much detail")

    assert logged() == []


def test_warnings_of_python_are_logged(logged: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)

    assert any("old thing" in line["event"] for line in logged())


def test_a_person_at_a_terminal_reads_text(monkeypatch: pytest.MonkeyPatch, logged: Lines) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure("debug")

    structlog.get_logger("ours").debug("hello", token="abc")
    try:
        local = "abc"
        raise ValueError(f"token={local}")
    except ValueError:
        structlog.get_logger("ours").exception("failed")

    assert "hello" in terminal.getvalue()
    assert "ValueError" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert "abc" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        pytest.param([(0, "away"), (2, "away"), (57, "away")], ["away"], id="the same is told once within a minute"),
        pytest.param([(0, "away"), (60, "away"), (2, "away")], ["away", "away"], id="and again after a minute"),
        pytest.param([(0, "away"), (2, "full")], ["away", "full"], id="other words are told at once"),
        pytest.param([(0, "away"), (2, None), (2, "away")], ["away", "away"], id="what came back is news"),
    ],
)
def test_a_complaint_that_goes_on(
    said: list[tuple[float, str | None]], lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    clock = SteppedClock()
    complaint = logs.Complaint(logging.getLogger("complaint"), clock)

    for seconds, words in said:
        clock.step(seconds)
        complaint.over() if words is None else complaint.warn(words)

    assert [record.getMessage() for record in caplog.records if record.name == "complaint"] == lines


@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_an_http_client_never_tells_the_addresses_it_asks(logged: Lines, level: str) -> None:
    logs.configure(level, json=True)
    for name in ("httpx", "httpcore.http11"):
        logging.getLogger(name).info("HTTP Request: POST https://hooks.example.com/services/T0/B0/abcdef")
        logging.getLogger(name).debug("send_request_headers.started request=/services/T0/B0/abcdef")
    assert [line for line in logged() if "abcdef" in line["event"]] == []
