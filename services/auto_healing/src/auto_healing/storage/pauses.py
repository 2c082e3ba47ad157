"""Pauses: a person stops all healing, or that of a namespace, with a reason and perhaps an end."""

from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from auto_healing.facts import Pause
from auto_healing.storage.ledger import Entry, append
from auto_healing.storage.models import pause
from common.contracts import ObjectKey
from common.contracts.objects import CLUSTER
from common.database.connections import Database

_COLUMNS = ("namespace", "reason", "by", "since", "until")
_INSERT = insert(pause)
_PUT = _INSERT.on_conflict_do_update(
    constraint=pause.primary_key, set_={name: _INSERT.excluded[name] for name in _COLUMNS[1:]}
)
_LIST = select(*(pause.c[name] for name in _COLUMNS)).order_by(pause.c.namespace)


class Pauses:
    """What is paused. Every change of it is in the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, now: datetime) -> list[Pause]:
        """Those in force; the one for everywhere first."""
        in_force = _LIST.where(or_(pause.c.until.is_(None), pause.c.until > now))
        async with self._database.begin() as connection:
            return [Pause(**row._mapping) for row in await connection.execute(in_force)]

    async def put(self, wanted: Pause) -> None:
        """Pause from now on, in place of what was said about the same place before."""
        values = {name: getattr(wanted, name) for name in _COLUMNS}
        async with self._database.begin() as connection:
            await connection.execute(_PUT, values)
            await append(connection, [_paused(wanted)])

    async def lift(self, namespace: str, *, by: str, at: datetime) -> bool:
        """End a pause; False when there is none in force. `namespace` empty: the one for everywhere."""
        gone = delete(pause).where(pause.c.namespace == namespace).returning(*(pause.c[name] for name in _COLUMNS))
        async with self._database.begin() as connection:
            row = (await connection.execute(gone)).first()
            if row is None or (row.until is not None and row.until <= at):
                return False
            await append(connection, [_lifted(Pause(**row._mapping), by, at)])
        return True


def _paused(wanted: Pause) -> Entry:
    until = "until it is lifted" if wanted.until is None else f"until {wanted.until.isoformat(timespec='seconds')}"
    return Entry(
        event="paused",
        at=wanted.since,
        object=_place(wanted.namespace),
        actor=wanted.by,
        message=f"{wanted.by} paused healing {_where(wanted.namespace)} {until}: {wanted.reason}",
        data={"reason": wanted.reason, "until": wanted.until},
    )


def _lifted(ended: Pause, by: str, at: datetime) -> Entry:
    return Entry(
        event="pause-lifted",
        at=at,
        object=_place(ended.namespace),
        actor=by,
        message=f"{by} lifted the pause {_where(ended.namespace)} by {ended.by}: {ended.reason}",
        data={"reason": ended.reason, "paused_by": ended.by, "paused_at": ended.since},
    )


def _place(namespace: str) -> ObjectKey:
    return ObjectKey("Namespace", "", namespace) if namespace else ObjectKey(CLUSTER, "", "")


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "everywhere"
