"""Rotation: the only way out of the ledger. Old entries go behind an anchor, so that the rest still proves.

A part is proved before it goes, and written to a file first where a folder is given: nothing is removed that could not
be shown afterwards. A ledger that does not prove is left as it is.
"""

import asyncio
import gzip
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from sqlalchemy import delete, insert

from auto_healing.storage.export import ndjson
from auto_healing.storage.fence import fenced
from auto_healing.storage.ledger import READ_ENTRIES, Entry, LedgerEntry, append
from auto_healing.storage.models import ledger, ledger_anchor
from auto_healing.storage.proof import Chain, Head, newest_anchor
from common.database.connections import Database

logger = logging.getLogger(__name__)

_AT_ONCE = 10_000  # entries of one file and one transaction


class LedgerBroken(Exception):
    """What should be rotated away does not prove: it is evidence now, and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Entries older than `before` go, into gzipped NDJSON files in `archive` first where that is set."""

    before: datetime
    archive: Path | None = None


async def rotate(database: Database, wanted: Rotation, *, now: datetime, epoch: int | None) -> int:
    """Remove what is due; how many entries that were. Raises LedgerBroken, OSError when a file cannot be written."""
    removed = 0
    while part := await _due(database, wanted.before):
        anchor, entries = part
        _prove(anchor, entries)
        file = "" if wanted.archive is None else await asyncio.to_thread(_write, wanted.archive, entries)
        await _remove(database, entries, file, now=now, epoch=epoch)
        removed += len(entries)
    return removed


async def _due(database: Database, before: datetime) -> tuple[Head, list[LedgerEntry]] | None:
    """The anchor and the oldest entries, up to the first that has to stay; None when there are none."""
    async with database.begin() as connection:
        anchor = await newest_anchor(connection)
        oldest = READ_ENTRIES.where(ledger.c.seq > anchor.seq).order_by(ledger.c.seq).limit(_AT_ONCE)
        rows = (await connection.execute(oldest)).all()
    entries = [LedgerEntry.from_row(row) for row in takewhile(lambda row: row.at < before, rows)]
    return (anchor, entries) if entries else None


def _prove(anchor: Head, entries: Sequence[LedgerEntry]) -> None:
    broken = Chain(anchor).follow(entry.link for entry in entries)
    if broken is not None:
        raise LedgerBroken(f"the ledger is not rotated, since it does not prove: {broken.reason}")


def _write(folder: Path, entries: Sequence[LedgerEntry]) -> str:
    """Write them to a file that is there in whole, on the disk, or not at all; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"ledger-{entries[0].seq:012}-{entries[-1].seq:012}.ndjson.gz"
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as out:
        out.write(gzip.compress(ndjson(entries), mtime=0))
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
    of_folder = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(of_folder)
    finally:
        os.close(of_folder)
    return str(file)


async def _remove(
    database: Database, entries: Sequence[LedgerEntry], file: str, *, now: datetime, epoch: int | None
) -> None:
    """The anchor first: the table lets nothing go that lies after it."""
    first, last = entries[0], entries[-1]
    anchor = {"seq": last.seq, "hash": last.hash, "rotated_at": now, "removed": len(entries)}
    kept = f", they are kept in {file}" if file else ""
    entry = Entry(
        event="ledger-rotated",
        at=now,
        actor="auto_healing",
        message=f"entries {first.seq} to {last.seq} were removed for their age{kept}",
        data={"first": first.seq, "last": last.seq, "last_hash": last.hash.hex(), "file": file},
    )
    async with fenced(database, epoch) as connection:
        await connection.execute(insert(ledger_anchor), anchor)
        await connection.execute(delete(ledger).where(ledger.c.seq <= last.seq))
        await append(connection, [entry])
    logger.info("the ledger was rotated", extra={"first": first.seq, "last": last.seq, "file": file})
