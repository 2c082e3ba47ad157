"""The subset of Markdown that Adaptive Cards have in Teams.

https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
"""

import re
from datetime import UTC, datetime

from alert_service.cards.address import is_address, quoted
from alert_service.cards.dialect import Dialect

_SPECIAL = re.compile(r"[\\\[\]*`~]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_LINE_START = re.compile(r"^(\s*)(#|[-+>](?=\s)|\d+(?=[.)]\s))", re.MULTILINE)
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_NO_WIDTH = "\u200b"


class TeamsDialect:
    """`<at>` would be a mention, `{{DATE(...)}}` a date and `](` a link: a space of no width takes them apart.

    So they come to nothing also on a client that does not know a backslash.
    """

    name = "teams"
    newline = "\n\n"

    def escape(self, text: str) -> str:
        text = _ENTITY.sub("&amp;", text)
        text = _SPECIAL.sub(lambda found: "\\" + found[0], text)
        text = _LINE_START.sub(_harmless_start, text)
        for first, second in ("<", ""), ("{", "{"), ("]", "("):
            text = text.replace(first + second, first + _NO_WIDTH + second)
        return text

    def bold(self, text: str) -> str:
        text = " ".join(text.split())
        return f"**{self.escape(text)}**" if text else ""

    def code(self, text: str) -> str:
        """Cards have no type of fixed width within a text."""
        return self.escape(" ".join(text.split()))

    def link(self, url: str, text: str) -> str:
        text = self.escape(" ".join(text.split()))
        return f"[{text or 'link'}]({quoted(url)})" if is_address(url) else text

    def mention(self, vendor_id: str) -> str:
        """Notifies only together with the entity of the same text that the card has to carry."""
        return f"<at>{self.escape(vendor_id)}</at>"

    def instant(self, at: datetime) -> str:
        text = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"{{{{DATE({text})}}}} {{{{TIME({text})}}}}"


def _harmless_start(found: re.Match[str]) -> str:
    mark = found[2]
    return f"{found[1]}{mark}\\" if mark.isdigit() else f"{found[1]}\\{mark}"


TEAMS: Dialect = TeamsDialect()
