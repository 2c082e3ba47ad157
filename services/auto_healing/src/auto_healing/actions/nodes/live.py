"""Rows of the kind that an action is for."""

from typing import TypeVar

from common.cluster.rows import Row, kind_name

R = TypeVar("R", bound=Row)


def of_kind(kind: type[R], row: Row) -> R:
    """The row as what it is. Raises ValueError when an action is asked for on an object that it is not for."""
    if not isinstance(row, kind):
        raise ValueError(f"this is for a {kind_name(kind)}, not for {row.key}")  # noqa: TRY004 - a wrong request
    return row
