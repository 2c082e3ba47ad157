"""Slack's mrkdwn: https://docs.slack.dev/messaging/formatting-message-text/"""

import re
from datetime import UTC, datetime

from alert_service.cards.address import is_address, quoted
from alert_service.cards.dialect import Dialect

# Slack has no escape for these. Where one could begin or end emphasis, a space of no width keeps it from doing so;
# between two letters, as in kube_pod_info, it never could.
_EMPHASIS = re.compile(r"(?<![0-9A-Za-z])[*_~`]+|[*_~`]+(?![0-9A-Za-z])|[*~`]+")
_QUOTE = re.compile(r"^(&gt;)", re.MULTILINE)
_NO_WIDTH = "\u200b"
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_GROUP = re.compile(r"S[A-Z0-9]{2,20}")


class SlackDialect:
    """Mentions, channels and links all begin with `<`, so escaping three characters makes text notify nobody."""

    name = "slack"
    newline = "\n"

    def escape(self, text: str) -> str:
        text = _entities(text)
        return _QUOTE.sub(_NO_WIDTH + r"\1", _EMPHASIS.sub(lambda found: _NO_WIDTH + found[0] + _NO_WIDTH, text))

    def bold(self, text: str) -> str:
        text = " ".join(text.split())
        return f"*{self.escape(text)}*" if text else ""

    def code(self, text: str) -> str:
        text = " ".join(text.replace("`", "'").split())
        return f"`{_entities(text)}`" if text else ""

    def link(self, url: str, text: str) -> str:
        if not is_address(url):
            return self.escape(text)
        return f"<{_entities(quoted(url))}|{self.escape(text.replace('|', '¦')) or 'link'}>"

    def mention(self, vendor_id: str) -> str:
        if _GROUP.fullmatch(vendor_id):
            return f"<!subteam^{vendor_id}>"
        return f"<@{vendor_id}>" if _USER.fullmatch(vendor_id) else self.escape(f"@{vendor_id}")

    def instant(self, at: datetime) -> str:
        at = at.astimezone(UTC)
        return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


SLACK: Dialect = SlackDialect()
