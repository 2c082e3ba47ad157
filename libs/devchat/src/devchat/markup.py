"""The vendors' markup as HTML, as their clients show it: dates in the reader's own time zone, code as it stands.

https://docs.slack.dev/messaging/formatting-message-text/
https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

# Inline code comes first, as nothing in it is markup; then what stands between angle brackets; then emphasis, which
# begins and ends beside something that shows.
_SLACK = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<control>[^<>\n]+)>"
    r"|(?<![\w*])\*(?![\s\u200b])(?P<bold>[^*\n]*[^*\s\u200b])\*(?![\w*])"
    r"|(?<![\w_])_(?![\s\u200b])(?P<italic>[^_\n]*[^_\s\u200b])_(?![\w_])"
    r"|(?<![\w~])~(?![\s\u200b])(?P<struck>[^~\n]*[^~\s\u200b])~(?![\w~])"
)
_EMPHASIS = {"bold": "b", "italic": "i", "struck": "s"}
_DATE = re.compile(r"!date\^(-?\d+)\^([^|^]+)(?:\^[^|]*)?\|(.*)", re.DOTALL)
_TOKEN = re.compile(r"\{(\w+)\}")
_CARD_INSTANT = re.compile(r"\{\{(DATE|TIME)\(([^),{}\s]+)(?:,\s*(?:SHORT|LONG|COMPACT))?\)\}\}")
_NAMED_DAYS = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def slack_html(text: str, users: Mapping[str, str], *, now: datetime, zone: tzinfo | None = None) -> str:
    """Of mrkdwn. `users` are names by Slack id; without a zone the reader's is this machine's."""

    def shown(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return f"<code>{_safe(found['code'])}</code>"
        if found["control"] is not None:
            return _control(found["control"], users, now, zone)
        name = found.lastgroup or ""
        return f"<{_EMPHASIS[name]}>{slack_html(found[name], users, now=now, zone=zone)}</{_EMPHASIS[name]}>"

    parts, at = list[str](), 0
    for found in _SLACK.finditer(text):
        parts += [_safe(text[at : found.start()]), shown(found)]
        at = found.end()
    return "".join([*parts, _safe(text[at:])]).replace("\n", "<br>")


def card_html(text: str, *, zone: tzinfo | None = None) -> str:
    """Of the Markdown and the date functions of an Adaptive Card."""
    shown = _CARD_INSTANT.sub(lambda found: _card_instant(found, zone), text)
    shown = html.escape(shown, quote=False)
    shown = re.sub(r"(?<!\\)\[([^\]]*)\]\((https?://[^)\s]+)\)", _card_link, shown)
    shown = re.sub(r"(?<!\\)\*\*([^*]+)\*\*", r"<b>\1</b>", shown)
    return re.sub(r"\\([\[\]()*_`#~\\.!+>-])", r"\1", shown).replace("\n", "<br>")


def _control(text: str, users: Mapping[str, str], now: datetime, zone: tzinfo | None) -> str:
    """What stands between < and >: a date, a link, or somebody who is notified."""
    if (date := _DATE.fullmatch(text)) is not None:
        return f'<span title="{_quoted(date[3])}">{_safe(_date(date, now, zone))}</span>'
    target, _, label = text.partition("|")
    if target.startswith(("http://", "https://", "mailto:")):
        return f'<a href="{_quoted(target)}">{_safe(label or target)}</a>'
    if target.startswith("@"):
        return f"<mark>@{_safe(label or users.get(target[1:], target[1:]))}</mark>"
    if target.startswith("!"):
        return f"<mark>@{_safe(label or target[1:].split('^')[-1])}</mark>"
    return f"<b>{_safe('<' + text + '>')}</b>"


def _date(found: re.Match[str], now: datetime, zone: tzinfo | None) -> str:
    """By its tokens; one with a token that Slack does not have is shown as its fallback."""
    at = datetime.fromtimestamp(int(found[1]), UTC).astimezone(zone)
    words = _words(at, now.astimezone(zone))
    if any(each not in words for each in _TOKEN.findall(found[2])):
        return found[3]
    return _TOKEN.sub(lambda token: words[token[1]], found[2])


def _words(at: datetime, now: datetime) -> dict[str, str]:
    day = f"{at.day}{_ordinal(at.day)}"
    dates = {"date": f"{at:%B} {day}, {at:%Y}", "date_short": f"{at:%b} {at.day}, {at:%Y}"}
    dates["date_long"] = f"{at:%A}, {dates['date']}"
    near = _NAMED_DAYS.get((at.date() - now.date()) // timedelta(days=1))
    pretty = {f"{name}_pretty": near or text for name, text in dates.items()}
    numbers = {"date_num": f"{at:%Y-%m-%d}", "date_slash": f"{at:%d/%m/%Y}"}
    return {**dates, **pretty, **numbers, "time": f"{at:%H:%M}", "time_secs": f"{at:%H:%M:%S}"}


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _card_instant(found: re.Match[str], zone: tzinfo | None) -> str:
    """What is no instant stays as it is written, as on a client."""
    try:
        at = datetime.fromisoformat(found[2])
    except ValueError:
        return found[0]
    return f"{at.astimezone(zone):%Y-%m-%d}" if found[1] == "DATE" else f"{at.astimezone(zone):%H:%M}"


def _card_link(found: re.Match[str]) -> str:
    return f'<a href="{_quoted(found[2])}">{found[1]}</a>'


def _safe(text: str) -> str:
    """Text that is escaped for the vendor already, or is not, as HTML."""
    return html.escape(html.unescape(text), quote=False)


def _quoted(text: str) -> str:
    return html.escape(html.unescape(text))
