"""Logs: one JSON object a line on standard error (coloured text on a terminal), with request and run ids, no secrets.

What libraries log through the standard library goes the same way.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from common.clock import Clock

_REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|credential|signature", re.IGNORECASE
)
# Counted things and the names of things carry no secret, though they are called like one.
_HARMLESS_NAME = re.compile(r"(count|name|seconds|ref)$", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"""
    (?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}   # Authorization: Bearer ...
    | (?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)\S*(?=@)       # scheme://user:password@
    | (?P<setting>\b(?:password|passwd|token|secret)\s*=\s*)(?:'[^']*'|"[^"]*"|[^\s&,;'"]+)   # key=value
    | \bwhsec_[A-Za-z0-9+/=]{8,}                              # a webhook's signing secret
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*   # a JSON web token, as Kubernetes hands them out
    | \bxox[a-z]-[A-Za-z0-9-]{10,}                            # a Slack token
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REMINDER_SECONDS = 60.0
_QUIET = {
    "uvicorn.access": logging.CRITICAL,  # we keep an access log of our own
    "uvicorn.error": logging.WARNING,
    "alembic": logging.WARNING,
    "procrastinate": logging.WARNING,
    "psycopg.pool": logging.ERROR,  # each of its attempts to reconnect: whoever waits for a connection tells of it
}
# Whatever the level: their lines hold whole addresses, and that of a webhook is a secret.
_TELLTALES = ("httpx", "httpcore")


class Complaint:
    """Warns of something that goes on: at once when the words change, and of the same once a minute."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._said: tuple[str, float] | None = None

    def warn(self, words: str) -> None:
        now = self._clock.monotonic()
        if self._said is None or self._said[0] != words or now - self._said[1] >= _REMINDER_SECONDS:
            self._said = (words, now)
            self._logger.warning("%s", words)

    def over(self) -> None:
        """It has ended: the same is news when it comes back."""
        self._said = None


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Set up logging for the process. `json` None: JSON unless standard error is a terminal.

    Libraries are kept to warnings, unless `level` is "debug".
    """
    if json is None:
        json = not sys.stderr.isatty()
    # Plain tracebacks: the pretty ones print local variables, secrets among them.
    render: Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _route_standard_library(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        ),
        logging.getLevelNamesMapping()[level.upper()],
    )


def _route_standard_library(formatter: logging.Formatter, level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, quiet in _QUIET.items():
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
        library.setLevel(level if level <= logging.DEBUG else max(level, quiet))
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def redact(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that takes secrets out of names and values, at any depth."""
    return {name: _clean_named(name, value) for name, value in event.items()}


def redacted(text: str) -> str:
    """The text without whatever looks like a credential: for errors that quote what they were given."""
    return _SECRET_TEXT.sub(lambda found: _kept(found) + _REDACTED, text)


def _kept(found: re.Match[str]) -> str:
    return found["scheme"] or found["url"] or found["setting"] or ""


def _clean_named(name: str, value: Any) -> Any:
    if value and not isinstance(value, bool | int | float) and _names_a_secret(name):
        return _REDACTED
    return _clean(value)


def _names_a_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: _clean_named(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    if isinstance(value, BaseException):
        return redacted(f"{type(value).__name__}: {value}")
    return value
