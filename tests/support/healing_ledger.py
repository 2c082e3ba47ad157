"""Entries of the ledger with their hashes, without a database."""

from typing import Any
from uuid import UUID

from tests.support.clock import NOON

from auto_healing.storage.chain import START, ChainedRow, hash_of
from auto_healing.storage.ledger import LedgerEntry


def a_row(**changes: Any) -> ChainedRow:
    values: dict[str, Any] = {
        "seq": 1,
        "at": NOON,
        "event": "declined",
        "run_id": UUID(int=7),
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-1",
        "code": "pod-crash-loop",
        "action": "delete-pod",
        "outcome": "declined",
        "actor": "policy",
        "guard": "cooldown",
        "message": "grüß",
        "data": '{"seconds":30}',
    }
    return ChainedRow(**(values | changes))


def a_stored(row: ChainedRow, previous: bytes = START) -> LedgerEntry:
    return LedgerEntry.from_row((*row, hash_of(previous, row)))


def a_chain(length: int) -> list[LedgerEntry]:
    chained: list[LedgerEntry] = []
    for seq in range(1, length + 1):
        previous = chained[-1].hash if chained else START
        chained.append(a_stored(a_row(seq=seq, name=f"web-{seq}"), previous))
    return chained
