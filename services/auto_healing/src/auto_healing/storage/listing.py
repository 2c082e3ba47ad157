"""What belongs to runs and to objects is listed in one way: of a run or an object, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, Table, select, tuple_

Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Of:
    """Of which run or object; what is None lets everything through."""

    run_id: UUID | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


def newest_first(
    table: Table,
    columns: tuple[Column[Any] | ColumnElement[Any], ...],
    of: Of,
    *,
    before: Position | None,
    limit: int,
) -> Select[Any]:
    """Rows of a table with the columns of `Of`, `at` and `id`, from before a position on."""
    wanted = [table.c[name] == value for name in Of.__slots__ if (value := getattr(of, name)) is not None]
    if before is not None:
        wanted.append(tuple_(table.c.at, table.c.id) < tuple_(*before))
    return select(*columns).where(*wanted).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
