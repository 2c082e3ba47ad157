"""Pauses, evidence, manifests, what is counted of runs, and how all of it goes in the end; on a real PostgreSQL."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.healing_database import claim_healing, healing_rows
from tests.support.healing_store import OWNER, a_plan, a_stored_run, declined_plan, store_runs

from auto_healing.facts import Pause
from auto_healing.plan import Mode
from auto_healing.recommendations import Advice, recommend
from auto_healing.run import RunState
from auto_healing.statistics import OomKill, Refusals, RuleRefusals
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.fence import Deposed
from auto_healing.storage.ledger import Entry, Ledger, Search
from auto_healing.storage.listing import Of
from auto_healing.storage.manifests import Manifests, mark_restored
from auto_healing.storage.pauses import Pauses
from auto_healing.storage.retention import Kept, Retention
from auto_healing.storage.run_facts import RunFacts
from common.contracts import ObjectKey, ObjectRef
from common.database.connections import Database

pytestmark = pytest.mark.database

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MIB = 1 << 20
POD = ObjectRef(kind="Pod", namespace="shop", name="checkout-1", uid="u1")


def a_pause(namespace: str = "", **changes: Any) -> Pause:
    values: dict[str, Any] = {"namespace": namespace, "reason": "migration", "by": "ada", "since": NOON, "until": None}
    return Pause(**(values | changes))


async def test_a_pause_is_in_force_until_its_end(healing_database: Database) -> None:
    pauses = Pauses(healing_database)
    short = a_pause("shop", until=NOON + MINUTE)
    await pauses.put(a_pause())
    await pauses.put(short)
    assert await pauses.list(NOON) == [a_pause(), short]
    assert await pauses.list(NOON + MINUTE) == [a_pause()]


async def test_a_pause_is_replaced_and_lifted_and_all_of_it_is_in_the_ledger(healing_database: Database) -> None:
    pauses = Pauses(healing_database)
    await pauses.put(a_pause("shop"))
    await pauses.put(a_pause("shop", reason="longer migration", until=NOON + MINUTE))
    assert [pause.reason for pause in await pauses.list(NOON)] == ["longer migration"]
    assert await pauses.lift("shop", by="eve", at=NOON)
    assert not await pauses.lift("shop", by="eve", at=NOON)
    await pauses.put(a_pause("shop", until=NOON + MINUTE))
    assert not await pauses.lift("shop", by="eve", at=NOON + MINUTE), "it is over already"
    lifted, *_ = [entry for entry in await Ledger(healing_database).search(Search()) if entry.event == "pause-lifted"]
    assert (lifted.actor, lifted.object) == ("eve", ObjectKey("Namespace", "", "shop"))
    assert lifted.message == "eve lifted the pause in namespace shop by ada: longer migration"
    assert len(await Ledger(healing_database).search(Search(event="paused", name="shop"))) == 3


async def test_evidence_is_found_by_run_and_by_object(healing_database: Database) -> None:
    first, second = await store_runs(healing_database, a_stored_run(), a_stored_run(plan=a_plan("other")))
    store, epoch = EvidenceStore(healing_database), await claim_healing(healing_database)
    content = {"logs": {"app": "line\x00\n" * 10_000}, "events": [{"reason": "BackOff"}]}
    ids = [await store.save(POD, content, run_id=first, at=NOON + number * MINUTE, epoch=epoch) for number in range(3)]
    other = await store.save(ObjectRef(kind="Node", name="n1"), {}, run_id=second, at=NOON, epoch=None)

    found = await store.get(ids[0])
    assert found is not None
    assert found.content == {**content, "logs": {"app": "line\ufffd\n" * 10_000}}
    assert (found.summary.object, found.summary.run_id) == (POD, first)
    assert 0 < found.summary.stored_bytes < 2000
    assert [each.id for each in await store.list(Of(run_id=first))] == ids[::-1]
    assert [each.id for each in await store.list(Of(kind="Node", name="n1", namespace=""))] == [other]
    (newest,) = await store.list(Of(namespace="shop"), limit=1)
    assert [each.id for each in await store.list(Of(namespace="shop"), before=newest.position)] == [ids[1], ids[0]]
    assert await store.get(uuid4()) is None


async def test_nothing_is_kept_for_who_does_not_lead(healing_database: Database) -> None:
    (run,) = await store_runs(healing_database, a_stored_run())
    epoch = await claim_healing(healing_database)
    await claim_healing(healing_database)
    with pytest.raises(Deposed):
        await EvidenceStore(healing_database).save(POD, {}, run_id=run, at=NOON, epoch=epoch)
    with pytest.raises(Deposed):
        await Manifests(healing_database).save(a_manifest(), run_id=run, at=NOON, epoch=epoch)


def a_manifest(name: str = "settings", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b\x00"}, **changes}


async def test_the_same_object_is_kept_once_in_a_run(healing_database: Database) -> None:
    first, second = await store_runs(healing_database, a_stored_run(), a_stored_run(plan=a_plan("other")))
    manifests = Manifests(healing_database)
    kept = await manifests.save(a_manifest(), run_id=first, at=NOON, epoch=None)
    assert await manifests.save(a_manifest(), run_id=first, at=NOON + MINUTE, epoch=None) == kept
    again = await manifests.save(a_manifest(), run_id=second, at=NOON + MINUTE, epoch=None)
    assert [each.id for each in await manifests.list(Of(kind="ConfigMap", name="settings"))] == [again, kept]
    found = await manifests.get(kept)
    assert found is not None
    assert found.content == a_manifest()
    assert found.summary.object == ObjectRef(kind="ConfigMap", namespace="shop", name="settings", uid="uid-settings")
    async with healing_database.begin() as connection:
        assert await mark_restored(connection, kept, by="ada", at=NOON)
        assert not await mark_restored(connection, kept, by="eve", at=NOON)


async def test_facts_are_read_from_runs_ledger_and_evidence(healing_database: Database) -> None:
    evidence = {"container": "app", "memory_limit_bytes": 256 * MIB, "restarts": 4}
    oom = a_plan(code="pod-oom-killed", evidence=evidence)
    killed = [a_stored_run(RunState.FAILED, plan=oom, at=NOON + number * MINUTE) for number in range(3)]
    others = [
        a_stored_run(seconds_to_heal=12.5, score_before=40.0, score_after=90.0, recurred_at=NOON),
        a_stored_run(RunState.DECLINED, plan=declined_plan("capacity")),
        a_stored_run(RunState.EXPIRED, plan=a_plan(mode=Mode.APPROVE, rule="asks"), approved_by=""),
        a_stored_run(at=NOON - DAY),
    ]
    await store_runs(healing_database, *killed, *others)
    usage = {"Pod shop/checkout-1": {"containers": {"app": {"memory_bytes": 300 * MIB}}}}
    for memory in ({"usage": usage}, {}):
        await EvidenceStore(healing_database).save(POD, memory, run_id=killed[0].id, at=NOON, epoch=None)
    refused = {"event": "declined", "actor": "policy", "at": NOON, "data": {"rule": "nodes"}}
    await Ledger(healing_database).append(
        *(Entry(guard="capacity", object=ObjectKey("Node", "", f"n{number % 4}"), **refused) for number in range(12)),
        Entry(guard="approval", **refused),
        Entry(event="healed", actor="auto_healing", at=NOON),
        Entry(guard="capacity", event="declined", actor="policy", at=NOON - DAY),
    )
    facts = RunFacts(healing_database)

    runs = await facts.runs(NOON, NOON + DAY)
    by_id = {run.id: run for run in runs}
    assert set(by_id) == {run.id for run in [*killed, *others[:3]]}
    assert by_id[killed[0].id].oom_kills == (OomKill(container="app", limit_bytes=256 * MIB),)
    assert by_id[killed[0].id].owner == "Deployment/shop/checkout" == "/".join(OWNER)
    healed = by_id[others[0].id]
    assert (healed.seconds_to_heal, healed.score_after, healed.recurred_at) == (12.5, 90.0, NOON)
    assert by_id[others[1].id].guard == "capacity"
    refusals = await facts.refusals(NOON, NOON + DAY)
    assert sorted(refusals, key=lambda each: each.guard) == [
        Refusals(guard="approval", times=1, objects=1),
        Refusals(guard="capacity", times=12, objects=4),
    ]
    of_rules = await facts.refusals_of_rules(NOON, NOON + DAY)
    assert of_rules == [RuleRefusals(rule="nodes", guard="capacity", times=12)]
    peaks = await facts.peaks(runs)
    assert peaks == {("Deployment/shop/checkout", "app"): 300 * MIB}
    advice = {each.advice: each for each in recommend(runs, of_rules, peaks)}
    assert advice[Advice.RAISE_MEMORY_LIMIT].numbers["recommended_limit_bytes"] == 400 * MIB
    assert advice[Advice.REVIEW_GUARD].subject == "nodes"


async def test_what_is_old_goes_and_what_is_needed_stays(healing_database: Database, tmp_path: Path) -> None:
    old, now = NOON - 100 * DAY, NOON
    ended, held, active, fresh = runs = [
        a_stored_run(at=old),
        a_stored_run(at=old, plan=a_plan("held")),
        a_stored_run(RunState.RUNNING, at=old, plan=a_plan("active")),
        a_stored_run(at=now - DAY),
    ]
    await store_runs(healing_database, *runs)
    for run in runs:
        await _leave_traces(healing_database, run.id, held=run in (held, active))
    await healing_rows(healing_database, "INSERT INTO inbox SELECT 'told', 1, :at, :at, '{}'", at=now - 8 * DAY)
    await healing_rows(healing_database, "INSERT INTO inbox SELECT 'waits', 2, :at, NULL, '{}'", at=now - 8 * DAY)
    await healing_rows(healing_database, "INSERT INTO inbox SELECT 'new', 3, :at, :at, '{}'", at=now - DAY)
    for name, resolved in (("gone", now - 8 * DAY), ("lately", now - DAY), ("open", None)):
        await healing_rows(
            healing_database,
            "INSERT INTO finding (code, kind, namespace, name, part, uid, cursor, opened_at, resolved_at, finding) "
            "VALUES ('c', 'Pod', 'shop', :name, '', '', 1, :opened, :resolved, '{}')",
            name=name,
            opened=old,
            resolved=resolved,
        )
    pauses, ledger = Pauses(healing_database), Ledger(healing_database)
    await pauses.put(a_pause("over", since=old, until=old))
    await pauses.put(a_pause("lasts", since=old))
    kept = Kept(ledger=50 * DAY, archive=tmp_path)
    epoch = await claim_healing(healing_database)
    retention = Retention(healing_database, SteppedClock(now), kept, epoch=lambda: epoch)
    await retention.once(now)
    await retention.once(now)

    remaining = {row[0] for row in await healing_rows(healing_database, "SELECT id FROM run")}
    assert remaining == {held.id, active.id, fresh.id}
    for table in ("step", "evidence", "manifest", "change"):
        found = {row[0] for row in await healing_rows(healing_database, f"SELECT run_id FROM {table}")}
        assert found == remaining, table
    assert await _names(healing_database, "inbox", "event_id") == {"waits", "new"}
    assert await _names(healing_database, "finding", "name") == {"lately", "open"}
    assert await _names(healing_database, "pause", "namespace") == {"lasts"}
    entries = await ledger.search(Search())
    assert [entry.event for entry in entries] == ["ledger-rotated", "runs-removed"]
    assert entries[1].data == {"days": 90, "runs": 1}
    assert (await ledger.verify()).broken is None
    assert [file.name for file in tmp_path.iterdir()] == ["ledger-000000000001-000000000002.ndjson.gz"]
    assert ended.id not in remaining


async def test_who_does_not_lead_any_more_removes_nothing(healing_database: Database) -> None:
    await store_runs(healing_database, a_stored_run(at=NOON - 100 * DAY))
    epoch = await claim_healing(healing_database)
    await claim_healing(healing_database)
    with pytest.raises(Deposed):
        await Retention(healing_database, SteppedClock(), Kept(), epoch=lambda: epoch).once(NOON)
    assert len(await healing_rows(healing_database, "SELECT 1 FROM run")) == 1


async def test_each_pass_notes_in_the_log_how_the_ledger_ends(
    healing_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(healing_database)
    await ledger.append(Entry(event="healed", actor="auto_healing", at=NOON))
    with caplog.at_level("INFO"):
        await Retention(healing_database, SteppedClock(), Kept(), epoch=lambda: None).once(NOON)
    (noted,) = [record.__dict__ for record in caplog.records if record.message == "the ledger ends here"]
    assert (noted["seq"], noted["hash"]) == (1, (await ledger.head()).hash.hex())


async def test_a_pass_that_fails_ends_nothing(healing_database: Database) -> None:
    epoch = await claim_healing(healing_database)
    await claim_healing(healing_database)
    running = asyncio.create_task(Retention(healing_database, SteppedClock(), Kept(), epoch=lambda: epoch).run())
    done, _ = await asyncio.wait((running,), timeout=0.5)
    assert not done
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _leave_traces(database: Database, run_id: UUID, *, held: bool) -> None:
    await EvidenceStore(database).save(POD, {"logs": {}}, run_id=run_id, at=NOON, epoch=None)
    await Manifests(database).save(a_manifest(), run_id=run_id, at=NOON, epoch=None)
    await healing_rows(
        database,
        "INSERT INTO step (run_id, number, state, action, kind, namespace, name, uid, tries) "
        "VALUES (:run, 0, 'done', 'delete-pod', 'Pod', 'shop', 'p', '', 1)",
        run=run_id,
    )
    columns = "id, run_id, kind, namespace, name, uid, what, path, made_at, until, state, reason"
    await healing_rows(
        database,
        f"INSERT INTO change ({columns}) VALUES (:id, :run, 'Node', '', 'n1', '', '', '[]', :at, :at, :state, '')",
        id=uuid4(),
        run=run_id,
        at=NOON,
        state="held" if held else "returned",
    )


async def _names(database: Database, table: str, column: str) -> set[str]:
    return {row[0] for row in await healing_rows(database, f"SELECT {column} FROM {table}")}
