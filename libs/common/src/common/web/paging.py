"""Pages over a sorted list: a cursor names the last item seen, so that pages stay right while the list changes."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field

from common.web.problems import Mistake, Problem

Item = TypeVar("Item")
Row = TypeVar("Row")
Position = TypeVar("Position")

Limit = Annotated[int, Query(ge=1, le=500, description="At most so many items")]
CursorText = Annotated[
    str | None, Query(max_length=1024, description="The next_cursor of the page before; none for the first page")
]


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and where it goes on."""

    items: Annotated[list[Item], Field(description="What this page holds, in the order of the list")]
    next_cursor: Annotated[str | None, Field(description="For the next page; null at the end of the list")] = None


class Cursors(Generic[Position]):
    """Cursors of one list. `listing` names list and order, so that a cursor of another list is refused.

    A position is a tuple of plain values. Its text is opaque to clients, and checked for shape and type when it comes
    back; it is not signed, as a client may start at any place anyway.
    """

    def __init__(self, listing: str, position: type[Position]) -> None:
        self._listing = listing
        self._decoder = msgspec.json.Decoder(tuple[str, position])  # type: ignore[valid-type]

    def encode(self, position: Position) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode((self._listing, position))).decode().rstrip("=")

    def decode(self, cursor: str | None) -> Position | None:
        """The position of a cursor, None for the first page. Raises a problem of 422."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            listing, position = self._decoder.decode(raw)
        except (binascii.Error, msgspec.DecodeError, ValueError):
            raise _wrong("is not a cursor of this service") from None
        if listing != self._listing:
            raise _wrong(f"belongs to the list {listing}, this one is {self._listing}")
        found: Position = position
        return found

    def page(
        self, rows: Sequence[Row], limit: int, *, at: Callable[[Row], Position], item: Callable[[Row], Any]
    ) -> Page[Any]:
        """Make a page of rows that were read with `limit + 1`: one too many tells that there is a next page."""
        shown = rows[:limit]
        more = len(rows) > limit
        return Page(items=[item(row) for row in shown], next_cursor=self.encode(at(shown[-1])) if more else None)


def _wrong(what: str) -> Problem:
    mistake = Mistake(location="query", path="/cursor", message=what)
    return Problem(422, f"the cursor {what}; start again without one", errors=[mistake])
