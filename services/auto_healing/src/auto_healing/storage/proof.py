"""Proves that the ledger is what was written: reads it once from the beginning, and says where it breaks first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.storage.chain import FRAMED_SQL, START, hash_of_framed
from auto_healing.storage.models import ledger, ledger_anchor, ledger_head

# Small enough that the event loop is not held up for longer than some milliseconds between two of them.
_ROWS_AT_ONCE = 1000
# PostgreSQL frames the columns: taking fourteen of them apart, only to join them again, takes longer than the hashes.
_ENTRIES = text(f"SELECT seq, {FRAMED_SQL}, hash FROM ledger WHERE seq > :after ORDER BY seq")  # noqa: S608
_OLDEST = select(ledger.c.seq).order_by(ledger.c.seq).limit(1)
_ANCHOR = select(ledger_anchor.c.seq, ledger_anchor.c.hash).order_by(ledger_anchor.c.seq.desc()).limit(1)
_REMOVED = select(func.coalesce(func.sum(ledger_anchor.c.removed), 0))


class Head(NamedTuple):
    """A place in the chain and its hash; seq 0 with zeros is the place before the first entry."""

    seq: int
    hash: bytes


Noted = Head  # one that was written down elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first entry that is not as it was written, and how that is known."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was read, and the first break when there is one. `start` is what was taken for granted."""

    start: Head  # the beginning, the last rotation, or what was noted
    entries: int  # that were proved
    head: Head  # the newest entry as the service last wrote it
    broken: Broken | None = None


Link = tuple[int, bytes, bytes]  # an entry of the chain: its seq, its columns as netstrings, its hash


class Chain:
    """Follows the entries one by one from `start` on. Pure."""

    def __init__(self, start: Head) -> None:
        self.last = start
        self.entries = 0

    def follow(self, links: Iterable[Link]) -> Broken | None:
        """Take the next entries; the first break, if there is one."""
        seq, previous = self.last
        for number, columns, stored in links:
            if number != seq + 1:
                self.last = Head(seq, previous)
                return Broken(seq=seq + 1, reason=f"{_missing(seq + 1, number - 1)}, though later ones are there")
            computed = hash_of_framed(previous, columns)
            if computed != stored:
                self.last = Head(seq, previous)
                return Broken(
                    seq=number,
                    reason=f"entry {number} does not match its hash: it, or the hash before it, was changed",
                )
            seq, previous = number, computed
            self.entries += 1
        self.last = Head(seq, previous)
        return None

    def end(self, head: Head) -> Broken | None:
        """Whether it ends where the service last wrote."""
        if self.last.seq < head.seq:
            missing = _missing(self.last.seq + 1, head.seq)
            return Broken(seq=self.last.seq + 1, reason=f"{missing}: they were the newest")
        if self.last != head:
            return Broken(
                seq=head.seq, reason=f"the service last wrote entry {head.seq}, and with another hash than is found"
            )
        return None


async def prove(connection: AsyncConnection, noted: Noted | None = None) -> Proof:
    """Read the ledger in one transaction, which has to be new, some thousand rows at a time."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    head = Head(*_row(await connection.execute(select(ledger_head.c.seq, ledger_head.c.hash))))
    anchor = await newest_anchor(connection)
    start = noted or anchor
    broken = await _start_broken(connection, start, anchor)
    if broken is not None:
        return Proof(start=start, entries=0, head=head, broken=broken)
    chain = Chain(start)
    async with connection.stream(
        _ENTRIES, {"after": start.seq}, execution_options={"yield_per": _ROWS_AT_ONCE}
    ) as rows:
        async for part in rows.partitions(_ROWS_AT_ONCE):
            if (broken := chain.follow((seq, columns.encode(), digest) for seq, columns, digest in part)) is not None:
                break
    return Proof(start=start, entries=chain.entries, head=head, broken=broken or chain.end(head))


async def newest_anchor(connection: AsyncConnection) -> Head:
    """Where the chain begins: behind what rotation has removed."""
    found = (await connection.execute(_ANCHOR)).first()
    return Head(0, START) if found is None else Head(found.seq, bytes(found.hash))


async def _start_broken(connection: AsyncConnection, start: Head, anchor: Head) -> Broken | None:
    """What can be said of the beginning without following the chain."""
    removed = await connection.scalar(_REMOVED)
    oldest = await connection.scalar(_OLDEST)
    if removed != anchor.seq:
        return Broken(seq=1, reason=f"rotation has removed {removed} entries, but its anchor says {anchor.seq}")
    if oldest is not None and oldest <= anchor.seq:
        return Broken(seq=oldest, reason=f"entry {oldest} is there again, though rotation has removed it")
    if start == anchor:
        return None
    stored = await connection.scalar(select(ledger.c.hash).where(ledger.c.seq == start.seq))
    reason = _noted_broken(start, anchor, stored)
    return Broken(seq=start.seq, reason=reason) if reason else None


def _noted_broken(noted: Noted, anchor: Head, stored: bytes | None) -> str:
    if noted.seq <= anchor.seq and stored is None:
        return (
            f"entry {noted.seq} is no longer kept, or has another hash than was noted: the oldest is {anchor.seq + 1}"
        )
    if stored is None:
        return f"there is no entry {noted.seq}"
    return "" if bytes(stored) == noted.hash else f"entry {noted.seq} has another hash than was noted"


def _row(result: Any) -> tuple[int, bytes]:
    seq, digest = result.one()
    return seq, bytes(digest)


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
