"""No markup at all: for generic webhooks, titles and the one-line fallback."""

from datetime import UTC, datetime

from alert_service.cards.address import is_address
from alert_service.cards.dialect import Dialect


class PlainDialect:
    """Text as it is."""

    name = "plain"
    newline = "\n"

    def escape(self, text: str) -> str:
        return text

    def bold(self, text: str) -> str:
        return text

    def code(self, text: str) -> str:
        return text

    def link(self, url: str, text: str) -> str:
        return f"{text} ({url})" if is_address(url) else text

    def mention(self, vendor_id: str) -> str:
        return f"@{vendor_id}"

    def instant(self, at: datetime) -> str:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


PLAIN: Dialect = PlainDialect()
