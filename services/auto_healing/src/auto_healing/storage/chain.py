"""The hash chain of the ledger: what exactly a hash covers. Pure.

The hash of an entry is SHA-256 over the hash of the entry before it (32 bytes; zeros before the first) and then each of
its columns in the order of `COLUMNS` as a netstring: the length in bytes of its UTF-8 text in decimal, a colon, the
text, a comma. `at` is written in UTC with six decimals (2026-03-01T12:00:00.000000+00:00), `run_id` with hyphens and
empty where there is none, `data` as the JSON text that is stored. Lengths leave no way to move text from one column to
the next unseen, and nobody needs more than a page of code in any language to prove an exported ledger.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import msgspec


class ChainedRow(NamedTuple):
    """One row of the ledger without its hash; `data` is JSON text."""

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
    data: str


COLUMNS = ChainedRow._fields
START = bytes(32)
_NETSTRINGS = b"%d:%b," * len(COLUMNS)
# What PostgreSQL itself would write otherwise than as text, as it is.
_IN_SQL = {
    "seq": "CAST(seq AS text)",
    "at": """to_char("at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
    "run_id": "COALESCE(CAST(run_id AS text), '')",
    "data": "CAST(data AS text)",
}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _netstring_sql(column: str) -> str:
    value = _IN_SQL.get(column, column)
    return f"octet_length(convert_to({value}, 'UTF8')) || ':' || {value} || ','"


FRAMED_SQL = " || ".join(map(_netstring_sql, COLUMNS))


def hash_of(previous: bytes, row: ChainedRow) -> bytes:
    """32 bytes, which depend on every column and on the entry before."""
    return hash_of_framed(previous, framed(row))


def hash_of_framed(previous: bytes, columns: bytes) -> bytes:
    """The same, of an entry whose columns are netstrings already."""
    return sha256(previous + columns).digest()


def framed(row: ChainedRow) -> bytes:
    """Its columns as netstrings. `FRAMED_SQL` has PostgreSQL write the same."""
    seq, at, event, run_id, *texts = row
    parts: list[int | bytes] = []
    for text in (str(seq), instant(at), event, "" if run_id is None else str(run_id), *texts):
        value = text.encode()
        parts += (len(value), value)
    return _NETSTRINGS % tuple(parts)


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def json_text(data: Mapping[str, Any]) -> str:
    """Compact, with sorted keys, and without what PostgreSQL cannot hold. Numbers that are not finite become null."""
    try:
        text = _encoded(data)
    except UnicodeEncodeError:  # half a surrogate pair
        return _encoded(_clean(data))
    # An escaped NUL is valid JSON, but PostgreSQL cannot look into a document that holds one.
    return _encoded(_clean(data)) if "\\u0000" in text else text


def storable(text: str) -> str:
    """With a replacement character for each one that PostgreSQL cannot hold."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)


def _encoded(data: Any) -> str:
    return msgspec.json.encode(data, enc_hook=_plain, order="sorted").decode()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    return value
