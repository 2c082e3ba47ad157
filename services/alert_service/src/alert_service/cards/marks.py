"""Emphasis and links within plain text, until it is known which channel it goes to. Pure.

A template writes plain text; what its filters emphasise is set apart by control characters, which foreign text is
rid of first. So whatever a template does to text, nothing foreign becomes markup, and nothing is escaped twice.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from alert_service.cards.dialect import Dialect

_BOLD, _CODE, _LINK, _TEXT, _INSTANT, _END = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06"
_BREAK = "\u2028"  # a line that foreign text breaks, unlike one that the template does
_MARKED = re.compile(r"([\x01-\x03\x05])([^\x01-\x06]*)(?:\x04([^\x01-\x06]*))?\x06")
_STRAY = re.compile(r"[\x01-\x06]")
# Control characters, those that turn the direction of what follows them, and halves of pairs, which no vendor takes.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NEW_LINES = re.compile("\r\n|[\n\r\u2028\u2029\x85]")


def bold(text: object) -> str:
    return f"{_BOLD}{plain(text)}{_END}"


def code(text: object) -> str:
    return f"{_CODE}{plain(text)}{_END}"


def link(text: object, url: object) -> str:
    return f"{_LINK}{plain(url)}{_TEXT}{plain(text)}{_END}"


def instant(at: datetime) -> str:
    """Whole seconds."""
    return f"{_INSTANT}{int(at.timestamp())}{_END}"


def foreign(text: str) -> str:
    """Text from outside, without what could be taken for a mark or play tricks on the reader."""
    return _UNFIT.sub("", _NEW_LINES.sub(_BREAK, text))


def plain(text: object) -> str:
    """The same text without its marks. Raises TypeError for what is none."""
    if isinstance(text, list | tuple | dict):
        raise TypeError(f"a {type(text).__name__} is no text: use a filter such as join")
    return _STRAY.sub("", str(text))


def written(text: str, dialect: Dialect) -> str:
    """In the dialect's markup; lines keep their ends."""
    lines = (_line(line, dialect) for line in text.replace(_BREAK, "\n").split("\n"))
    return dialect.newline.join(lines)


def written_line(text: str, dialect: Dialect) -> str:
    """As one line, whatever foreign text it holds."""
    return _line(" ".join(text.replace(_BREAK, " ").split()), dialect)


def _line(text: str, dialect: Dialect) -> str:
    parts, at = [], 0
    for found in _MARKED.finditer(text):
        parts.append(dialect.escape(plain(text[at : found.start()])))
        parts.append(_MARKS[found[1]](dialect, found[2], found[3] or ""))
        at = found.end()
    parts.append(dialect.escape(plain(text[at:])))
    return "".join(parts)


def _instant(dialect: Dialect, seconds: str, _: str) -> str:
    try:
        return dialect.instant(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return ""


_MARKS: dict[str, Callable[[Dialect, str, str], str]] = {
    _BOLD: lambda dialect, text, _: dialect.bold(text),
    _CODE: lambda dialect, text, _: dialect.code(text),
    _LINK: lambda dialect, url, text: dialect.link(url, text),
    _INSTANT: _instant,
}
