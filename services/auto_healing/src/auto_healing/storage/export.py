"""Ledger entries as lines of text: NDJSON, which can be proved again without the database, and CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from auto_healing.storage.chain import COLUMNS, ChainedRow, instant
from auto_healing.storage.ledger import LedgerEntry
from auto_healing.storage.proof import Broken, Chain, Head
from common.contracts import ObjectKey

# What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
CSV_HEADER = (*COLUMNS, "hash")


class _Line(msgspec.Struct):
    """One line of NDJSON. `data` is kept as it is written, for its hash."""

    seq: int
    at: datetime
    event: str
    run_id: UUID | None
    kind: str
    namespace: str
    name: str
    code: str
    action: str
    outcome: str
    actor: str
    guard: str
    message: str
    data: msgspec.Raw
    hash: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)


def ndjson(entries: Iterable[LedgerEntry]) -> bytes:
    """A line each, with the hash in hexadecimal."""
    return b"".join(_ENCODER.encode(_line(entry)) + b"\n" for entry in entries)


def from_ndjson(line: bytes | str) -> LedgerEntry:
    """The entry of a line. Raises ValueError when it is not a line of `ndjson`."""
    read = _DECODER.decode(line)
    return LedgerEntry(
        **{name: getattr(read, name) for name in COLUMNS if name not in ("kind", "namespace", "name", "data")},
        object=ObjectKey(read.kind, read.namespace, read.name),
        data_text=bytes(read.data).decode(),
        hash=bytes.fromhex(read.hash),
    )


def prove_lines(lines: Iterable[bytes | str], start: Head) -> tuple[Head, Broken | None]:
    """Prove exported entries that follow `start` without a gap: where they end, and the first break."""
    chain = Chain(start)
    broken = chain.follow(from_ndjson(line).link for line in lines)
    return chain.last, broken


def csv_header() -> str:
    return _csv([CSV_HEADER])


def csv_rows(entries: Iterable[LedgerEntry]) -> str:
    """As RFC 4180 says. Text that a spreadsheet would run as a formula has an apostrophe in front, which it hides."""
    return _csv([*map(_cell, _texts(entry.chained)), entry.hash.hex()] for entry in entries)


def _line(entry: LedgerEntry) -> _Line:
    columns = entry.chained._asdict() | {"data": msgspec.Raw(entry.data_text.encode())}
    return _Line(**columns, hash=entry.hash.hex())


def _texts(row: ChainedRow) -> list[str]:
    seq, at, event, run_id, *words = row
    return [str(seq), instant(at), event, "" if run_id is None else str(run_id), *words]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA[:4]) else text


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()
