"""What a hash of the ledger covers, and in which form."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
from tests.support.clock import NOON
from tests.support.healing_ledger import a_chain, a_row, a_stored

from auto_healing.storage.chain import COLUMNS, START, hash_of, json_text
from auto_healing.storage.export import csv_header, csv_rows, from_ndjson, ndjson, prove_lines
from auto_healing.storage.ledger import LedgerEntry
from auto_healing.storage.proof import Broken, Chain, Head
from common.contracts import ObjectKey


def follow(entries: list[LedgerEntry]) -> tuple[Chain, Broken | None]:
    chain = Chain(Head(0, START))
    return chain, chain.follow(entry.link for entry in entries)


def test_the_hash_is_what_the_documentation_says() -> None:
    text = (
        "1:1,32:2026-03-01T12:00:00.000000+00:00,8:declined,36:00000000-0000-0000-0000-000000000007,3:Pod,4:shop,"
        '5:web-1,14:pod-crash-loop,10:delete-pod,8:declined,6:policy,8:cooldown,6:grüß,14:{"seconds":30},'
    )
    assert hash_of(START, a_row()) == sha256(bytes(32) + text.encode()).digest()


def test_the_same_instant_has_one_text_in_every_zone() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert hash_of(START, a_row(at=elsewhere)) == hash_of(START, a_row())


DIFFERENT = {
    "seq": 2,
    "at": NOON + timedelta(microseconds=1),
    "event": "approved",
    "run_id": None,
    "kind": "Node",
    "namespace": "",
    "name": "web-2",
    "code": "",
    "action": "evict-pod",
    "outcome": "done",
    "actor": "ada",
    "guard": "",
    "message": "gruß",
    "data": '{"seconds": 30}',
}


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_counts(column: str) -> None:
    assert hash_of(START, a_row(**{column: DIFFERENT[column]})) != hash_of(START, a_row())


def test_text_cannot_move_from_one_column_to_the_next() -> None:
    assert hash_of(START, a_row(kind="PodX", namespace="")) != hash_of(START, a_row(kind="Pod", namespace="X"))


def test_the_entry_before_counts() -> None:
    assert hash_of(sha256(b"x").digest(), a_row()) != hash_of(START, a_row())


TEXTS = {
    "keys are sorted, at any depth": ({"b": 1, "a": {"d": 2, "c": 3}}, '{"a":{"c":3,"d":2},"b":1}'),
    "no number is changed": ({"a": 0.1, "b": 2**53 + 1, "c": 1.0}, '{"a":0.1,"b":9007199254740993,"c":1.0}'),
    "what is not finite becomes null": ({"a": float("inf"), "b": float("nan")}, '{"a":null,"b":null}'),
    "NUL is replaced": ({"a\x00": ["b\x00"]}, '{"a\ufffd":["b\ufffd"]}'),
    "half a surrogate pair is replaced": ({"a": "\ud83d"}, '{"a":"\ufffd"}'),
    "an escaped backslash before u0000 stays": ({"a": "\\u0000"}, '{"a":"\\\\u0000"}'),
    "instants and ids are text": (
        {"at": datetime(2026, 1, 2, tzinfo=UTC), "id": UUID(int=1)},
        '{"at":"2026-01-02T00:00:00Z","id":"00000000-0000-0000-0000-000000000001"}',
    ),
    "an object key is a list": ({"key": ObjectKey("Pod", "shop", "web-1")}, '{"key":["Pod","shop","web-1"]}'),
}


@pytest.mark.parametrize("what", TEXTS)
def test_data_has_one_text(what: str) -> None:
    data, expected = TEXTS[what]
    assert json_text(data) == expected


def test_a_chain_is_followed_in_parts() -> None:
    entries = a_chain(5)
    chain, broken = follow(entries[:2])
    assert broken is None
    assert chain.follow(entry.link for entry in entries[2:]) is None
    assert (chain.entries, chain.last) == (5, Head(5, entries[4].hash))
    assert chain.end(Head(5, entries[4].hash)) is None


def test_a_chain_that_ends_too_soon_is_broken() -> None:
    entries = a_chain(5)
    chain, _ = follow(entries[:3])
    broken = chain.end(Head(5, entries[4].hash))
    assert broken is not None
    assert (broken.seq, broken.reason) == (4, "entries 4 to 5 are missing: they were the newest")


def test_a_rehashed_entry_breaks_the_chain_at_the_next_one() -> None:
    entries = a_chain(5)
    entries[2] = a_stored(entries[2].chained._replace(outcome="done"), entries[1].hash)
    _, broken = follow(entries)
    assert broken is not None
    assert broken.seq == 4


def test_a_line_holds_all_that_is_needed_to_prove_it() -> None:
    entries = a_chain(3)
    lines = ndjson(entries).splitlines()
    assert [from_ndjson(line) for line in lines] == entries
    assert prove_lines(lines, Head(0, START)) == (Head(3, entries[2].hash), None)
    assert prove_lines(lines[1:], Head(1, entries[0].hash)) == (Head(3, entries[2].hash), None)


CELLS = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "  =1": "'  =1",
    "fine = fine": "fine = fine",
    'a "quoted" one': 'a ""quoted"" one',
}


@pytest.mark.parametrize("text", CELLS)
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    (entry,) = a_chain(1)
    row = csv_rows([replace(entry, message=text)])
    assert f'"cooldown","{CELLS[text]}","{{""seconds"":30}}"' in row


def test_csv_names_its_columns() -> None:
    assert csv_header() == ",".join(f'"{name}"' for name in (*COLUMNS, "hash")) + "\r\n"
