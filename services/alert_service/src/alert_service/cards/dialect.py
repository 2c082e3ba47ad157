"""The markup of a channel: how foreign text is made harmless in it, and how emphasis and links are written."""

from typing import Protocol


class Dialect(Protocol):
    """Every method takes plain text and returns markup; labels and annotations never reach a card but through it."""

    name: str

    def escape(self, text: str) -> str: ...

    def bold(self, text: str) -> str: ...

    def code(self, text: str) -> str: ...

    def link(self, url: str, text: str) -> str:
        """A link whose target is not http or https is written as its text alone."""

    def mention(self, vendor_id: str) -> str: ...
