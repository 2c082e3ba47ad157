"""Slack's markup: who is notified by a text, and what in it should have been escaped.

https://docs.slack.dev/messaging/formatting-message-text/
"""

import re

_CONTROL = re.compile(r"<([^<>\n]*)>")
_PING = re.compile(r"^(!here|!channel|!everyone|!subteam\^|@)")
_KNOWN = re.compile(r"^(https?://|mailto:|tel:|#C|!date\^|!here|!channel|!everyone|!subteam\^|@[UW])")
_BARE_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")


def pings(text: str) -> list[str]:
    """Each as written, in order."""
    return [found[0] for found in _CONTROL.finditer(text) if _PING.match(found[1])]


def links(text: str) -> list[str]:
    """The addresses that a press in the text opens."""
    targets = (found[1].split("|", 1)[0] for found in _CONTROL.finditer(text))
    return [each for each in targets if each.startswith(("http://", "https://"))]


def unescaped(text: str) -> list[str]:
    """What is neither one of Slack's own sequences nor escaped, each with some text around it."""
    found = [f"<{each[1]}>" for each in _CONTROL.finditer(text) if not _KNOWN.match(each[1])]
    rest = _CONTROL.sub("", text)
    found += [_around(rest, each.start()) for each in re.finditer(r"[<>]", rest)]
    return found + [_around(rest, each.start()) for each in _BARE_AMPERSAND.finditer(rest)]


def _around(text: str, at: int) -> str:
    return text[max(0, at - 10) : at + 11]
