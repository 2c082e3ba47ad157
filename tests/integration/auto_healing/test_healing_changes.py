"""Leased changes as they are stored and shown, on a real PostgreSQL."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.clock import NOON
from tests.support.healing_database import claim_healing, healing_rows
from tests.support.healing_store import a_healing_client, a_plan, a_stored_run, store_runs
from tests.support.rows import a_node, a_snapshot

from auto_healing.actions.action import Change
from auto_healing.api.changes import router
from auto_healing.leased import ChangeState, RunBrief
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY, CORDONED_FOR
from auto_healing.run import RunState
from auto_healing.storage.changes import Changes
from auto_healing.storage.fence import Deposed
from auto_healing.storage.ledger import Ledger, Search
from common.contracts import ObjectRef
from common.database.connections import Database
from common.web.auth import Scope

pytestmark = pytest.mark.database

HOUR = timedelta(hours=1)


def a_change(name: str = "node-1", **overrides: Any) -> Change:
    values: dict[str, Any] = {
        "target": ObjectRef(kind="Node", name=name, uid=f"uid-{name}"),
        "what": "cordoned: its disk is full",
        "path": ("spec", "unschedulable"),
        "before": None,
        "after": True,
        "until": NOON + HOUR,
    }
    return Change(**(values | overrides))


async def leased(database: Database, *names: str) -> tuple[Changes, list[UUID]]:
    """One change per name, each a minute after the one before, of a run that has ended."""
    (run,) = await store_runs(database, a_stored_run())
    changes = Changes(database)
    at = [NOON + number * timedelta(minutes=1) for number in range(len(names))]
    ids = [
        await changes.lease(a_change(name), run_id=run, epoch=None, now=now)
        for name, now in zip(names, at, strict=True)
    ]
    return changes, ids


async def test_the_same_change_again_is_the_same_and_keeps_what_was_there_before(healing_database: Database) -> None:
    runs = await store_runs(healing_database, a_stored_run(), a_stored_run())
    changes = Changes(healing_database)
    first = await changes.lease(a_change(before=2, after=5), run_id=runs[0], epoch=None, now=NOON)
    later = a_change(before=5, after=5, until=NOON + 2 * HOUR)
    assert await changes.lease(later, run_id=runs[0], epoch=None, now=NOON + HOUR) == first
    (held,) = await changes.held()
    assert (held.change.before, held.change.until, held.made_at) == (2, NOON + 2 * HOUR, NOON)
    assert await changes.lease(a_change(), run_id=runs[1], epoch=None, now=NOON) != first


async def test_what_is_over_can_be_held_again(healing_database: Database) -> None:
    changes, (id_,) = await leased(healing_database, "node-1")
    await changes.release(id_, epoch=None, now=NOON)
    assert await changes.held() == []
    found = await changes.get(id_)
    assert found is not None
    assert (found.state, found.ended_at, found.reason) == (ChangeState.RETURNED, NOON, "taken back by its run")
    assert not await changes.end(id_, ChangeState.GONE, "again", epoch=None, now=NOON)
    assert await changes.lease(found.change, run_id=found.run_id, epoch=None, now=NOON) == id_
    assert [(each.id, each.ended_at, each.reason) for each in await changes.held()] == [(id_, None, "")]


async def test_every_word_about_a_change_is_in_the_ledger(healing_database: Database) -> None:
    changes, (id_,) = await leased(healing_database, "node-1")
    await changes.extend(id_, NOON + 3 * HOUR, actor="ada", reason="still broken", now=NOON)
    await changes.ask_return(id_, actor="eve", reason="repaired", now=NOON)
    (held,) = await changes.due(NOON)
    await changes.returning(held, "its time is over", epoch=None, now=NOON)
    await changes.end(id_, ChangeState.CONFLICT, "edited since", epoch=None, now=NOON)
    entries = await Ledger(healing_database).search(Search(name="node-1"))
    told = [(each.event, each.actor, each.message) for each in reversed(entries)]
    assert told == [
        ("change-leased", "auto_healing", "cordoned: its disk is full"),
        ("change-extended", "ada", "still broken"),
        ("change-return-asked", "eve", "repaired"),
        ("change-returning", "auto_healing", "its time is over"),
        ("change-conflict", "auto_healing", "edited since"),
    ]
    assert {each.run_id for each in entries} == {held.run_id}
    assert entries[-1].data["change"] == str(id_)


async def test_who_leads_no_more_stores_nothing(healing_database: Database) -> None:
    changes, (id_,) = await leased(healing_database, "node-1")
    old = await claim_healing(healing_database)
    await claim_healing(healing_database)
    held = (await changes.held())[0]
    for late in (
        changes.lease(a_change("node-2"), run_id=held.run_id, epoch=old, now=NOON),
        changes.release(id_, epoch=old, now=NOON),
        changes.returning(held, "over", epoch=old, now=NOON),
    ):
        with pytest.raises(Deposed):
            await late
    assert await changes.held() == [held]
    assert await healing_rows(healing_database, "SELECT count(*) FROM ledger") == [(1,)]


async def test_what_is_due_comes_longest_overdue_first(healing_database: Database) -> None:
    (run,) = await store_runs(healing_database, a_stored_run())
    changes = Changes(healing_database)
    for name, hours in (("c", 3), ("a", 1), ("b", 2)):
        await changes.lease(a_change(name, until=NOON + hours * HOUR), run_id=run, epoch=None, now=NOON)
    assert [each.key.name for each in await changes.due(NOON + 2 * HOUR)] == ["a", "b"]


async def test_what_became_of_the_runs_of_changes(healing_database: Database) -> None:
    by_hand = a_stored_run(RunState.RUNNING, plan=a_plan(rule="by-hand"))
    ids = await store_runs(healing_database, by_hand, a_stored_run(RunState.UNDONE, plan=a_plan("checkout-2")))
    assert await Changes(healing_database).runs({*ids, uuid4(), None}) == {
        ids[0]: RunBrief(state=RunState.RUNNING, by_hand=True),
        ids[1]: RunBrief(state=RunState.UNDONE, by_hand=False),
    }


async def test_changes_are_listed_page_by_page(healing_database: Database) -> None:
    changes, ids = await leased(healing_database, "a", "b", "c")
    await changes.release(ids[0], epoch=None, now=NOON)
    async with a_healing_client(healing_database, (router,), scope=Scope.READ) as client:
        first = (await client.get("/api/v1/changes", params={"limit": 2})).json()
        assert [each["object"]["name"] for each in first["items"]] == ["c", "b"]
        rest = (await client.get("/api/v1/changes", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert ([each["state"] for each in rest["items"]], rest["next_cursor"]) == (["returned"], None)
        held = (await client.get("/api/v1/changes", params={"state": "held", "kind": "Node", "name": "b"})).json()
        assert held["items"] == [
            {
                "id": str(ids[1]),
                "run_id": held["items"][0]["run_id"],
                "object": {"kind": "Node", "namespace": "", "name": "b", "uid": "uid-b"},
                "what": "cordoned: its disk is full",
                "path": ["spec", "unschedulable"],
                "before": None,
                "after": True,
                "made_at": "2026-03-01T12:01:00Z",
                "until": "2026-03-01T13:00:00Z",
                "state": "held",
                "ended_at": None,
                "reason": "",
            }
        ]
        assert (await client.get(f"/api/v1/changes/{ids[1]}")).json() == held["items"][0]
        assert (await client.get(f"/api/v1/changes/{uuid4()}")).status_code == 404
        assert (await client.get("/api/v1/changes", params={"cursor": "nonsense"})).status_code == 422


async def test_an_operator_returns_a_change_now_or_holds_it_longer(healing_database: Database) -> None:
    _, (id_,) = await leased(healing_database, "node-1")
    path = f"/api/v1/changes/{id_}"
    async with a_healing_client(healing_database, (router,), scope=Scope.APPROVE) as client:
        assert (await client.post(f"{path}/return", json={})).status_code == 403
        assert (await client.post(f"{path}/extend", json={"minutes": 5})).status_code == 403
    async with a_healing_client(healing_database, (router,), scope=Scope.OPERATE) as client:
        extended = await client.post(f"{path}/extend", json={"minutes": 90, "reason": "a part is on its way"})
        assert (extended.status_code, extended.json()["until"]) == (200, "2026-03-01T13:30:00Z")
        until = await client.post(f"{path}/extend", json={"until": "2026-03-02T12:00:00Z"})
        assert until.json()["until"] == "2026-03-02T12:00:00Z"
        asked = await client.post(f"{path}/return", json={"reason": "repaired"})
        assert (asked.status_code, asked.json()["until"]) == (202, "2026-03-01T12:00:00Z")
        assert (await client.post(f"/api/v1/changes/{uuid4()}/return", json={})).status_code == 404
        await Changes(healing_database).release(id_, epoch=None, now=NOON)
        late = await client.post(f"{path}/return", json={})
        assert (late.status_code, late.json()["detail"]) == (
            409,
            "the change has ended already: returned, taken back by its run",
        )
    actors = {entry.actor for entry in await Ledger(healing_database).search(Search())}
    assert actors == {"auto_healing", "operate"}


WRONG: dict[str, dict[str, Any]] = {
    "no end": {},
    "two ends": {"minutes": 5, "until": "2026-03-02T12:00:00Z"},
    "an end that is now": {"until": "2026-03-01T12:00:00Z"},
    "an end far away": {"until": "2026-04-30T12:00:00Z"},
    "no time": {"minutes": 0},
    "an unknown field": {"hours": 1},
}


async def test_an_extension_that_makes_no_sense_is_refused(healing_database: Database) -> None:
    _, (id_,) = await leased(healing_database, "node-1")
    async with a_healing_client(healing_database, (router,)) as client:
        answers = {what: await client.post(f"/api/v1/changes/{id_}/extend", json=body) for what, body in WRONG.items()}
    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(WRONG, 422)


async def test_it_is_shown_who_cordoned_which_node(healing_database: Database) -> None:
    marks = {CORDONED_BY: f"{uuid4()}/0", CORDON_UNTIL: "2026-03-01T16:00:00+00:00", CORDONED_FOR: "Ready"}
    snapshot = a_snapshot(
        a_node("b", unschedulable=True, annotations=marks), a_node("a", unschedulable=True), a_node("c")
    )
    async with a_healing_client(healing_database, (router,), scope=Scope.READ, snapshot=snapshot) as client:
        shown = (await client.get("/api/v1/cordons")).json()["items"]
    assert [(each["node"], each["ours"], each["by"]) for each in shown] == [
        ("a", False, "somebody without our marks"),
        ("b", True, marks[CORDONED_BY]),
    ]
    assert (shown[1]["until"], shown[1]["causes"]) == ("2026-03-01T16:00:00Z", ["Ready"])
