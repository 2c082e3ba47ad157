"""Ledger, pauses, evidence and statistics over HTTP."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests.support.clock import NOON
from tests.support.healing_database import healing_rows
from tests.support.healing_store import a_healing_client, a_plan, a_stored_run, store_runs
from tests.support.rows import a_namespace, a_snapshot

from auto_healing.api import audit, evidence, pauses, statistics
from auto_healing.run import RunState
from auto_healing.storage.chain import START
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.export import prove_lines
from auto_healing.storage.ledger import Entry, Ledger
from auto_healing.storage.proof import Head
from common.contracts import ObjectKey, ObjectRef
from common.database.connections import Database
from common.web.auth import Scope

pytestmark = pytest.mark.database

ROUTERS = (audit.router, evidence.router, pauses.router, statistics.router)
RUN = uuid4()


def an_entry(name: str = "p1", **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "event": "declined",
        "at": NOON,
        "object": ObjectKey("Pod", "shop", name),
        "run_id": RUN,
        "actor": "policy",
        "guard": "cooldown",
        "message": "=not now",
        "data": {"seconds": 30},
    }
    return Entry(**(values | changes))


async def test_audit_is_searched_page_by_page(healing_database: Database) -> None:
    await Ledger(healing_database).append(*(an_entry(f"p{number}") for number in range(5)), an_entry("x", guard=""))
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.READ) as client:
        first = (await client.get("/api/v1/audit", params={"guard": "cooldown", "limit": 3})).json()
        assert [each["name"] for each in first["items"]] == ["p4", "p3", "p2"]
        assert first["items"][0]["data"] == {"seconds": 30}
        assert len(first["items"][0]["hash"]) == 64
        cursor = first["next_cursor"]
        rest = (await client.get("/api/v1/audit", params={"guard": "cooldown", "limit": 3, "cursor": cursor})).json()
        assert ([each["name"] for each in rest["items"]], rest["next_cursor"]) == (["p1", "p0"], None)
        looks = {"run": str(RUN), "since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:00:01Z", "name": "x"}
        assert [each["seq"] for each in (await client.get("/api/v1/audit", params=looks)).json()["items"]] == [6]
        assert (await client.get("/api/v1/audit", params={"since": "yesterday"})).status_code == 422
        for wrong, meant in (({"event": "decline"}, "declined"), ({"guard": "cool-down"}, "cooldown")):
            answer = await client.get("/api/v1/audit", params=wrong)
            assert answer.status_code == 422, answer.text
            assert f"did you mean {meant}?" in answer.text


async def test_an_export_is_streamed_whole(healing_database: Database) -> None:
    ledger = Ledger(healing_database)
    await ledger.append(*(an_entry(f"p{number}") for number in range(1200)))
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.READ) as client:
        answer = await client.get("/api/v1/audit/export")
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers["content-disposition"] == 'attachment; filename="audit-test-20260301T120000Z.ndjson"'
        assert prove_lines(answer.content.splitlines(), Head(0, START)) == (await ledger.head(), None)
        assert json.loads(answer.content.splitlines()[0])["data"] == {"seconds": 30}
        table = await client.get("/api/v1/audit/export", params={"format": "csv", "name": "p7"})
        assert table.headers["content-type"].startswith("text/csv")
        (row,) = csv.DictReader(io.StringIO(table.text))
        assert (row["seq"], row["message"], row["data"]) == ("8", "'=not now", '{"seconds":30}')
        empty = await client.get("/api/v1/audit/export", params={"name": "nobody"})
        assert (empty.status_code, empty.content) == (200, b"")


async def test_the_chain_is_proved_and_a_break_is_told(healing_database: Database) -> None:
    ledger = Ledger(healing_database)
    await ledger.append(*(an_entry(f"p{number}") for number in range(9)))
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.READ) as client:
        noted = (await client.get("/api/v1/audit/head")).json()
        assert noted["seq"] == 9
        await ledger.append(an_entry())
        whole = (await client.get("/api/v1/audit/verify")).json()
        assert (whole["intact"], whole["broken"], whole["entries"], whole["start"]["seq"]) == (True, None, 10, 0)
        rest = (await client.get("/api/v1/audit/verify", params={"after": 9, "hash": noted["hash"]})).json()
        assert (rest["intact"], rest["entries"], rest["start"]) == (True, 1, noted)
        half = await client.get("/api/v1/audit/verify", params={"after": 9})
        assert half.status_code == 422
        async with healing_database.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            await connection.exec_driver_sql("UPDATE ledger SET actor = 'eve' WHERE seq = 4")
        broken = (await client.get("/api/v1/audit/verify")).json()
        assert (broken["intact"], broken["broken"]["seq"]) == (False, 4)


async def test_a_pause_needs_an_operator_and_a_namespace_that_exists(healing_database: Database) -> None:
    snapshot = a_snapshot(a_namespace("shop"))
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.APPROVE, snapshot=snapshot) as client:
        assert (await client.put("/api/v1/pauses/cluster", json={"reason": "x"})).status_code == 403
        assert (await client.delete("/api/v1/pauses/cluster")).status_code == 403
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.OPERATE, snapshot=snapshot) as client:
        put = await client.put("/api/v1/pauses/cluster", json={"reason": "migration", "minutes": 90})
        assert put.json() == {
            "namespace": "",
            "reason": "migration",
            "by": "operate",
            "since": "2026-03-01T12:00:00Z",
            "until": "2026-03-01T13:30:00Z",
        }
        assert (await client.put("/api/v1/pauses/namespaces/shop", json={"reason": "here"})).status_code == 200
        slip = await client.put("/api/v1/pauses/namespaces/shopp", json={"reason": "here"})
        assert (slip.status_code, slip.json()["detail"]) == (404, "there is no namespace shopp; nothing was paused")
        assert [each["namespace"] for each in (await client.get("/api/v1/pauses")).json()["items"]] == ["", "shop"]
        assert (await client.delete("/api/v1/pauses/cluster")).status_code == 204
        assert (await client.delete("/api/v1/pauses/cluster")).status_code == 404
        assert (await client.delete("/api/v1/pauses/namespaces/shop")).status_code == 204
        assert (await client.get("/api/v1/pauses")).json() == {"items": []}
        events = (await client.get("/api/v1/audit", params={"actor": "operate"})).json()["items"]
        assert [each["event"] for each in events] == ["pause-lifted", "pause-lifted", "paused", "paused"]


WRONG = {
    "no reason": {},
    "an empty reason": {"reason": ""},
    "both ends": {"reason": "x", "minutes": 1, "until": "2027-01-01T00:00:00Z"},
    "an end in the past": {"reason": "x", "until": "2026-03-01T12:00:00Z"},
    "an end without offset": {"reason": "x", "until": "2027-01-01T00:00:00"},
    "no minutes": {"reason": "x", "minutes": 0},
    "an unknown field": {"reason": "x", "hours": 1},
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_pause_that_makes_no_sense_is_refused(what: str, healing_database: Database) -> None:
    async with a_healing_client(healing_database, ROUTERS) as client:
        assert (await client.put("/api/v1/pauses/cluster", json=WRONG[what])).status_code == 422
        assert (await client.get("/api/v1/pauses")).json() == {"items": []}


async def test_evidence_is_listed_and_read(healing_database: Database) -> None:
    (run,) = await store_runs(healing_database, a_stored_run())
    store = EvidenceStore(healing_database)
    pod = ObjectRef(kind="Pod", namespace="shop", name="p1", uid="u1")
    for number in range(3):
        await store.save(pod, {"number": number}, run_id=run, at=NOON + timedelta(minutes=number), epoch=None)
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.READ) as client:
        page = (await client.get("/api/v1/evidence", params={"run": str(run), "limit": 2})).json()
        following = {"run": str(run), "limit": 2, "cursor": page["next_cursor"]}
        rest = (await client.get("/api/v1/evidence", params=following)).json()
        ids = [each["id"] for each in page["items"] + rest["items"]]
        assert (len(set(ids)), rest["next_cursor"]) == (3, None)
        bundle = (await client.get(f"/api/v1/evidence/{ids[0]}")).json()
        assert (bundle["content"], bundle["summary"]["object"]["name"]) == ({"number": 2}, "p1")
        assert (await client.get(f"/api/v1/evidence/{uuid4()}")).status_code == 404
        assert (await client.get("/api/v1/manifests", params={"kind": "Pod"})).json() == {
            "items": [],
            "next_cursor": None,
        }


async def test_statistics_and_recommendations_are_of_a_range(healing_database: Database) -> None:
    plan = a_plan(code="pod-oom-killed", evidence={"container": "app", "memory_limit_bytes": 256 << 20})
    day = timedelta(days=1)
    runs = [a_stored_run(RunState.FAILED, plan=plan, at=NOON - day) for _ in range(3)]
    await store_runs(
        healing_database, *runs, a_stored_run(at=NOON - day, seconds_to_heal=40.0), a_stored_run(at=NOON - 60 * day)
    )
    await Ledger(healing_database).append(an_entry(at=NOON - day))
    async with a_healing_client(healing_database, ROUTERS, scope=Scope.READ) as client:
        told = (await client.get("/api/v1/statistics")).json()
        assert (told["runs"], told["by_state"]) == (4, {"failed": 3, "healed": 1})
        assert told["effect"]["success_rate"] == 0.25
        assert told["effect"]["median_seconds_to_heal"] == 40.0
        assert told["refusals"] == [{"guard": "cooldown", "times": 1, "objects": 1}]
        advice = (await client.get("/api/v1/recommendations")).json()["items"]
        assert [each["advice"] for each in advice] == ["raise-memory-limit"]
        assert "raise its memory limit from 256 MiB to 356 MiB" in advice[0]["message"]
        long_ago = {"since": "2025-12-01T00:00:00Z", "until": "2026-01-15T00:00:00Z"}
        assert (await client.get("/api/v1/statistics", params=long_ago)).json()["runs"] == 1
        for wrong in (
            {"since": "2026-03-01T12:00:00Z"},
            {"since": "2020-01-01T00:00:00Z"},
            {"until": "0001-01-02T00:00:00Z"},
        ):
            assert (await client.get("/api/v1/statistics", params=wrong)).status_code == 422


async def test_without_a_token_nothing_is_told(healing_database: Database) -> None:
    paths = ("audit", "audit/export", "audit/verify", "audit/head", "pauses", "evidence", "manifests", "statistics")
    async with a_healing_client(healing_database, ROUTERS, scope=None) as client:
        for path in (*paths, "recommendations"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 401, path
    assert await healing_rows(healing_database, "SELECT 1 FROM ledger") == []
