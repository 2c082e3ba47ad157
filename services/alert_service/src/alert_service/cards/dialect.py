"""The markup of a channel: how foreign text is made harmless in it, and how emphasis and links are written."""

from datetime import datetime
from typing import Protocol


class Dialect(Protocol):
    """Every method takes plain text and returns markup; labels and annotations never reach a card but through it."""

    name: str
    newline: str  # what ends a line within a text

    def escape(self, text: str) -> str: ...

    def bold(self, text: str) -> str: ...

    def code(self, text: str) -> str: ...

    def link(self, url: str, text: str) -> str:
        """A link whose target is not http or https is written as its text alone."""

    def mention(self, vendor_id: str) -> str:
        """What is no id of the vendor's is written as text, and notifies nobody."""

    def instant(self, at: datetime) -> str:
        """The time of day where the reader is, if the vendor can do that; else in UTC."""
