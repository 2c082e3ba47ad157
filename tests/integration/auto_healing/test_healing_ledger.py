"""The ledger on a real PostgreSQL: order, proof, tampering, rotation, export, protection."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import text
from tests.support.clock import NOON
from tests.support.healing_database import claim_healing, healing_rows, healing_target

from auto_healing.storage.chain import COLUMNS, START
from auto_healing.storage.export import csv_rows, ndjson, prove_lines
from auto_healing.storage.fence import Deposed, fenced
from auto_healing.storage.ledger import Entry, Ledger, LedgerEntry, Search, append
from auto_healing.storage.models import metadata
from auto_healing.storage.proof import Head
from auto_healing.storage.rotation import LedgerBroken, Rotation, rotate
from common.contracts import ObjectKey
from common.database.connections import Database
from common.database.errors import Contended
from common.database.migrate import differences
from common.database.settings import DatabaseSettings

pytestmark = pytest.mark.database

RUN = UUID(int=7)
MINUTE = timedelta(minutes=1)


def an_entry(name: str = "checkout-1", **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "event": "declined",
        "at": NOON,
        "object": ObjectKey("Pod", "shop", name),
        "run_id": RUN,
        "code": "pod-crash-loop",
        "action": "delete-pod",
        "outcome": "declined",
        "actor": "policy",
        "guard": "cooldown",
        "message": "its owner was acted upon 30 s ago",
        "data": {"seconds": 30.5, "look_again_at": NOON + MINUTE},
    }
    return Entry(**(values | changes))


@pytest.fixture
def ledger(healing_database: Database) -> Ledger:
    return Ledger(healing_database)


async def entries(ledger: Ledger) -> list[LedgerEntry]:
    return [entry async for page in ledger.export(Search()) for entry in page]


async def test_the_migration_makes_what_the_models_say(healing_database: Database) -> None:
    assert await asyncio.to_thread(differences, healing_database.target, metadata) == []


async def test_what_was_appended_is_read_as_it_was(ledger: Ledger) -> None:
    odd = {
        "text": "Grüße\x00\ud800\n\"'",
        "nan": float("nan"),
        "big": 2**60,
        "list": [1, {"b": 1, "a": 2}],
        "none": None,
    }
    last = await ledger.append(an_entry(message="NUL \x00 and half a pair \ud800", data=odd), an_entry(run_id=None))
    first, second = await entries(ledger)
    assert (last, first.seq, second.seq, second.run_id) == (2, 1, 2, None)
    assert first.message == "NUL \ufffd and half a pair \ufffd"
    assert first.data == {**odd, "text": "Grüße\ufffd\ufffd\n\"'", "nan": None}
    assert (first.object, first.at) == (ObjectKey("Pod", "shop", "checkout-1"), NOON)
    assert await healing_rows(ledger._database, "SELECT data->'list'->1->>'a' FROM ledger WHERE seq = 1") == [("2",)]
    proof = await ledger.verify()
    assert (proof.broken, proof.entries, proof.head) == (None, 2, Head(2, second.hash))


ODD: dict[str, dict[str, Any]] = {
    "letters of more than one byte, and what frames them": {"message": "grüß 🚑 1:2,3:', \\ \"\n\t", "actor": "José"},
    "empty columns, and no run": {"run_id": None, "code": "", "message": "", "data": {}},
    "an instant of another zone, to the microsecond": {"at": NOON.astimezone(ZoneInfo("Asia/Kolkata")) + MINUTE / 7},
    "an instant before the year 1000": {"at": NOON.replace(year=7)},
    "data of many shapes": {"data": {"ü": ["é", 1e300, None, {"a": "\u2028"}], "big": 2**63}},
}


@pytest.mark.parametrize("what", ODD)
async def test_whatever_an_entry_holds_proves(what: str, ledger: Ledger) -> None:
    await ledger.append(an_entry(**ODD[what]), an_entry())
    proof = await ledger.verify()
    assert (proof.entries, proof.broken) == (2, None)


async def test_an_empty_ledger_proves(ledger: Ledger) -> None:
    proof = await ledger.verify()
    assert (proof.broken, proof.entries, proof.head) == (None, 0, Head(0, START))


async def test_appending_at_once_leaves_no_gap_and_a_rollback_none_either(
    healing_database: Database, ledger: Ledger
) -> None:
    async def one_by_one(writer: int) -> None:
        for number in range(15):
            await ledger.append(*(an_entry(f"w{writer}-{number}-{part}") for part in range(writer + 1)))

    async def roll_back() -> None:
        for _ in range(15):
            async with healing_database.begin() as connection:
                await append(connection, [an_entry("never")])
                await connection.rollback()

    await asyncio.gather(*(one_by_one(writer) for writer in range(5)), roll_back())
    found = await entries(ledger)
    assert [entry.seq for entry in found] == list(range(1, 15 * 15 + 1))
    assert not [entry for entry in found if entry.object.name == "never"]
    for writer in range(5):  # what was appended together stands together, and in its order
        names = [entry.object.name for entry in found if entry.object.name.startswith(f"w{writer}-")]
        assert names == [f"w{writer}-{number}-{part}" for number in range(15) for part in range(writer + 1)]
    assert (await ledger.verify()).broken is None


async def test_hundreds_go_in_one_transaction(healing_database: Database, ledger: Ledger) -> None:
    async with healing_database.begin() as connection:
        assert await append(connection, [an_entry(f"p{number}") for number in range(700)]) == 700
        assert await append(connection, []) == 700
        assert await append(connection, [an_entry()]) == 701
    assert (await ledger.verify()).entries == 701


async def test_a_proof_holds_few_entries_in_memory(ledger: Ledger) -> None:
    text = "x" * 2000
    for number in range(10):
        await ledger.append(*(an_entry(f"p{number}-{part}", message=f"{part}{text}") for part in range(1000)))
    tracemalloc.start()
    try:
        assert (await ledger.verify()).entries == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20, "all of them would be 20 MiB of messages alone"


@pytest.fixture
async def saboteur(healing_database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """A superuser who switches the triggers off."""
    target = healing_target(healing_database.target.url.render_as_string(hide_password=False))
    async with await psycopg.AsyncConnection.connect(target.conninfo, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET search_path = healing")
        yield connection


CHANGES = {
    "seq": "UPDATE ledger SET seq = 99 WHERE seq = 5",
    "at": "UPDATE ledger SET at = at + interval '1 microsecond' WHERE seq = 5",
    "event": "UPDATE ledger SET event = 'approved' WHERE seq = 5",
    "run_id": "UPDATE ledger SET run_id = NULL WHERE seq = 5",
    "kind": "UPDATE ledger SET kind = 'Node' WHERE seq = 5",
    "namespace": "UPDATE ledger SET namespace = 'shops' WHERE seq = 5",
    "name": "UPDATE ledger SET name = name || ' ' WHERE seq = 5",
    "code": "UPDATE ledger SET code = '' WHERE seq = 5",
    "action": "UPDATE ledger SET action = 'evict-pod' WHERE seq = 5",
    "outcome": "UPDATE ledger SET outcome = 'done' WHERE seq = 5",
    "actor": "UPDATE ledger SET actor = 'eve' WHERE seq = 5",
    "guard": "UPDATE ledger SET guard = 'paused' WHERE seq = 5",
    "message": "UPDATE ledger SET message = upper(message) WHERE seq = 5",
    "data": "UPDATE ledger SET data = data::jsonb::json WHERE seq = 5",  # spaces alone
}


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_change_of_any_column_is_found(column: str, ledger: Ledger, saboteur: psycopg.AsyncConnection) -> None:
    await ledger.append(*(an_entry(f"p{number}") for number in range(9)))
    await saboteur.execute(CHANGES[column].encode())
    broken = (await ledger.verify()).broken
    assert broken is not None
    assert broken.seq == 5


SABOTAGE = {
    "a hash is replaced": ("UPDATE ledger SET hash = sha256('x') WHERE seq = 5", 5, "does not match its hash"),
    "one is removed from the middle": ("DELETE FROM ledger WHERE seq = 5", 5, "entry 5 is missing"),
    "some are removed from the middle": ("DELETE FROM ledger WHERE seq IN (4, 5)", 4, "entries 4 to 5 are missing"),
    "the gap is closed": (
        "DELETE FROM ledger WHERE seq = 5; UPDATE ledger SET seq = seq - 1 WHERE seq = 6",
        5,
        "does not match its hash",
    ),
    "two change places": (
        "UPDATE ledger SET seq = 100 WHERE seq = 5; UPDATE ledger SET seq = 5 WHERE seq = 6; "
        "UPDATE ledger SET seq = 6 WHERE seq = 100",
        5,
        "does not match its hash",
    ),
    "the newest are removed": ("DELETE FROM ledger WHERE seq > 7", 8, "entries 8 to 9 are missing"),
    "all are removed": ("TRUNCATE ledger", 1, "entries 1 to 9 are missing"),
    "the oldest are removed": ("DELETE FROM ledger WHERE seq < 3", 1, "entries 1 to 2 are missing"),
    "the oldest are removed behind a made-up anchor": (
        "INSERT INTO ledger_anchor SELECT 3, sha256('x'), now(), 3; DELETE FROM ledger WHERE seq <= 3",
        4,
        "does not match its hash",
    ),
    "an anchor counts wrong": (
        "INSERT INTO ledger_anchor SELECT 3, hash, now(), 2 FROM ledger WHERE seq = 3; "
        "DELETE FROM ledger WHERE seq <= 3",
        1,
        "rotation has removed 2 entries, but its anchor says 3",
    ),
    "what was rotated away is there again": (
        "INSERT INTO ledger_anchor SELECT 3, hash, now(), 3 FROM ledger WHERE seq = 3; "
        "DELETE FROM ledger WHERE seq < 3",
        3,
        "entry 3 is there again",
    ),
    "one is added at the end": (
        "INSERT INTO ledger SELECT 10, at, event, run_id, kind, namespace, name, code, action, outcome, actor, guard, "
        "message, data, sha256('x') FROM ledger WHERE seq = 9",
        10,
        "does not match its hash",
    ),
    "the head is set back": (
        "UPDATE ledger_head SET seq = 8, hash = (SELECT hash FROM ledger WHERE seq = 8)",
        8,
        "the service last wrote entry 8",
    ),
}


@pytest.mark.parametrize("what", SABOTAGE)
async def test_sabotage_is_found(what: str, ledger: Ledger, saboteur: psycopg.AsyncConnection) -> None:
    await ledger.append(*(an_entry(f"p{number}") for number in range(9)))
    statements, seq, reason = SABOTAGE[what]
    for statement in statements.split("; "):
        await saboteur.execute(statement.encode())
    broken = (await ledger.verify()).broken
    assert broken is not None
    assert (broken.seq, reason in broken.reason) == (seq, True), broken


async def test_a_hash_noted_elsewhere_finds_a_ledger_that_was_written_anew(
    ledger: Ledger, saboteur: psycopg.AsyncConnection
) -> None:
    await ledger.append(*(an_entry(f"p{number}") for number in range(9)))
    noted = await ledger.head()
    await ledger.append(*(an_entry(f"q{number}") for number in range(3)))
    proof = await ledger.verify(noted)
    assert (proof.broken, proof.entries, proof.start) == (None, 3, noted)

    await saboteur.execute("TRUNCATE ledger")
    await saboteur.execute("UPDATE ledger_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')")
    await ledger.append(*(an_entry(f"p{number}", outcome="done") for number in range(12)))
    assert (await ledger.verify()).broken is None, "the chain alone cannot tell"
    broken = (await ledger.verify(noted)).broken
    assert broken is not None
    assert (broken.seq, broken.reason) == (9, "entry 9 has another hash than was noted")
    unknown = (await ledger.verify(Head(77, noted.hash))).broken
    assert unknown is not None
    assert unknown.reason == "there is no entry 77"


FORBIDDEN = {
    "an entry is changed": "UPDATE ledger SET outcome = 'done' WHERE seq = 1",
    "an entry is removed": "DELETE FROM ledger WHERE seq = 1",
    "all are removed": "TRUNCATE ledger",
    "an anchor is made up": "INSERT INTO ledger_anchor VALUES (2, sha256('x'), now(), 2)",
    "an anchor is changed": "UPDATE ledger_anchor SET removed = 1",
    "an anchor is removed": "DELETE FROM ledger_anchor",
    "all anchors are removed": "TRUNCATE ledger_anchor",
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_the_database_itself_refuses(what: str, healing_database: Database, ledger: Ledger) -> None:
    await ledger.append(an_entry(at=NOON - MINUTE), an_entry(), an_entry())
    await rotate(healing_database, Rotation(before=NOON), now=NOON, epoch=None)
    statement = FORBIDDEN[what].replace("seq = 1", "seq = 2")
    with pytest.raises(Exception, match=r"append-only|has to repeat the hash"):
        await healing_rows(healing_database, statement)
    assert (await ledger.verify()).broken is None


async def test_old_entries_go_into_files_and_the_rest_still_proves(
    healing_database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    await ledger.append(*(an_entry(f"p{number}", at=NOON + number * MINUTE) for number in range(10)))
    before = await entries(ledger)
    now = NOON + timedelta(hours=1)
    wanted = Rotation(before=NOON + 4 * MINUTE, archive=tmp_path / "archive")
    assert await rotate(healing_database, wanted, now=now, epoch=None) == 4
    assert await rotate(healing_database, wanted, now=now, epoch=None) == 0

    kept = await entries(ledger)
    assert kept[:6] == before[4:]
    assert (kept[6].event, kept[6].data["last_hash"]) == ("ledger-rotated", before[3].hash.hex())
    proof = await ledger.verify()
    assert (proof.broken, proof.start, proof.entries) == (None, Head(4, before[3].hash), 7)

    (file,) = (tmp_path / "archive").iterdir()
    with gzip.open(file) as lines:
        assert prove_lines(lines, Head(0, START)) == (Head(4, before[3].hash), None)
    gone = (await ledger.verify(Head(2, before[1].hash))).broken
    assert gone is not None
    assert "no longer kept" in gone.reason


async def test_everything_may_go_and_the_chain_goes_on(healing_database: Database, ledger: Ledger) -> None:
    await ledger.append(an_entry(), an_entry())
    assert await rotate(healing_database, Rotation(before=NOON + MINUTE), now=NOON + MINUTE, epoch=None) == 2
    (entry,) = await entries(ledger)
    assert (entry.seq, entry.event) == (3, "ledger-rotated")
    assert (await ledger.verify()).broken is None


async def test_a_ledger_that_does_not_prove_is_not_rotated(
    healing_database: Database, ledger: Ledger, saboteur: psycopg.AsyncConnection
) -> None:
    await ledger.append(*(an_entry(f"p{number}") for number in range(5)))
    await saboteur.execute("UPDATE ledger SET outcome = 'done' WHERE seq = 2")
    with pytest.raises(LedgerBroken, match="entry 2 does not match"):
        await rotate(healing_database, Rotation(before=NOON + MINUTE), now=NOON, epoch=None)
    assert len(await entries(ledger)) == 5


async def test_search_finds_by_everything_and_pages(ledger: Ledger) -> None:
    other = {
        "event": "healed",
        "at": NOON + 5 * MINUTE,
        "object": ObjectKey("Node", "", "n1"),
        "run_id": uuid4(),
        "code": "node-not-ready",
        "action": "cordon",
        "outcome": "done",
        "actor": "ada",
        "guard": "",
    }
    await ledger.append(an_entry("p1"), an_entry("p2"), an_entry(**other), an_entry("p3"))
    looks = {
        "kind": "Node",
        "name": "n1",
        "namespace": "",
        "run_id": other["run_id"],
        "since": NOON + MINUTE,
        **{name: other[name] for name in ("event", "code", "action", "outcome", "actor", "guard")},
    }
    for name, value in looks.items():
        assert [entry.seq for entry in await ledger.search(Search(**{name: value}))] == [3], name
    assert [entry.seq for entry in await ledger.search(Search(until=NOON + MINUTE, namespace="shop"))] == [4, 2, 1]
    assert [entry.seq for entry in await ledger.search(Search(), limit=2)] == [4, 3]
    assert [entry.seq for entry in await ledger.search(Search(), before=3, limit=2)] == [2, 1]
    assert [entry.seq for entry in await ledger.of_run(RUN)] == [1, 2, 4]


async def test_an_export_proves_without_the_database(ledger: Ledger) -> None:
    await ledger.append(*(an_entry(f"p{number}", data={"n": number / 3, "é": None}) for number in range(1500)))
    pages = [page async for page in ledger.export(Search())]
    assert [len(page) for page in pages] == [1000, 500]
    lines = b"".join(ndjson(page) for page in pages).splitlines()
    head = await ledger.head()
    assert prove_lines(lines, Head(0, START)) == (head, None)
    lines[700] = lines[700].replace(b'"p700"', b'"p7OO"')
    _, broken = prove_lines(lines, Head(0, START))
    assert broken is not None
    assert broken.seq == 701
    assert csv_rows(pages[1]).count("\r\n") == 500


async def test_whoever_does_not_lead_any_more_stores_nothing(healing_database: Database, ledger: Ledger) -> None:
    epoch = await claim_healing(healing_database)
    async with fenced(healing_database, epoch) as connection:
        await append(connection, [an_entry()])
    await claim_healing(healing_database)
    with pytest.raises(Deposed, match=f"epoch {epoch} is over"):
        async with fenced(healing_database, epoch) as connection:
            await append(connection, [an_entry()])
    assert (await ledger.head()).seq == 1


async def test_a_new_leader_waits_for_what_the_old_one_is_writing(healing_url: str, healing_database: Database) -> None:
    epoch = await claim_healing(healing_database)
    impatient = Database(healing_target(healing_url), DatabaseSettings())

    async def claim_at_once() -> None:
        async with impatient.begin() as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            await connection.execute(text("UPDATE leader SET epoch = epoch + 1"))

    try:
        async with fenced(healing_database, epoch):
            with pytest.raises(Contended):
                await claim_at_once()
            async with fenced(impatient, epoch):
                pass  # another write of the same leader does not wait
        await claim_at_once()
    finally:
        await impatient.close()
