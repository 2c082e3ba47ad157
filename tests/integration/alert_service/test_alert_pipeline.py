"""From what came in to incidents, timelines and the messages that are wanted, on a real database."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert
from tests.support.clock import NOON

from alert_service.incidents.alert import Source
from alert_service.storage import inbox as entries
from alert_service.storage import incidents
from common.contracts import Notice
from common.contracts.healing import NoticeKind
from common.contracts.objects import ObjectRef
from common.database.connections import Database

pytestmark = pytest.mark.database

LATER = timedelta(minutes=10)
LONG = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(256))  # 16 kB that do not compress
ODD: list[dict[str, str]] = [
    {"node": LONG},
    {"pod": LONG},
    {"namespace": LONG},
    {"cluster": LONG},
    {"alertname": LONG},
    {"team": "nul \0 inside"},
    {"team": "é☃𝄞 \u202e <!channel> {0} %s {{ x }}"},
    {f"label{number}": "x" for number in range(2000)},
]


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    return Intake(alert_database)


def a_notice(kind: NoticeKind, *, pod: str = "checkout-1", **changes: Any) -> bytes:
    subject = ObjectRef(kind="Pod", namespace="shop", name=pod)
    fields: dict[str, Any] = {"id": f"{kind}-{pod}", "kind": kind, "at": NOON, "subject": subject, "message": f"{kind}"}
    return Notice(**fields | changes).model_dump_json().encode()


async def test_a_group_of_alerts_is_one_incident_with_one_card(intake: Intake) -> None:
    worked = await intake.take(a_post(an_alert("checkout-1"), an_alert("checkout-2")))
    assert await intake.states() == ["firing"]
    assert await intake.messages() == [("card", "opened", False)]
    assert worked.entries == 1
    assert not worked.duplicates


async def test_a_group_of_thousands_takes_effect_in_seconds_and_not_in_minutes(intake: Intake) -> None:
    async with asyncio.timeout(60):
        await intake.take(a_post(*(an_alert(f"checkout-{number}") for number in range(5000))))
    assert await intake.states() == ["firing"]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_the_same_from_both_peers_and_again_changes_nothing(intake: Intake, together: bool) -> None:
    body = a_post(an_alert("checkout-1"))
    if together:
        await intake.take(body, body, body)
    else:
        for _ in range(3):
            await intake.take(body)
    assert await intake.states() == ["firing"]
    assert await intake.history() == ["opened"]
    assert len(await intake.messages()) == 1
    assert sum(len(each.duplicates) for each in intake.batches) == 2


async def test_opened_and_resolved_in_one_batch_is_told_as_over(intake: Intake) -> None:
    await intake.put(a_post(an_alert()))
    intake.clock.step(LATER)
    await intake.take(a_post(a_resolved_alert(at=intake.clock.now())))
    assert await intake.states() == ["resolved"]
    assert await intake.history() == ["opened", "resolved"]


async def test_what_fires_again_soon_is_the_same_incident_and_later_another(intake: Intake) -> None:
    await intake.take(a_post(an_alert()))
    await intake.take(a_post(a_resolved_alert(at=intake.clock.step(LATER))))
    await intake.take(a_post(an_alert(at=intake.clock.step(LATER))))
    assert await intake.states() == ["firing"]
    await intake.take(a_post(a_resolved_alert(at=intake.clock.step(LATER))))
    await intake.take(a_post(an_alert(at=intake.clock.step(timedelta(hours=2)))))
    assert await intake.states() == ["resolved", "firing"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(a_post(a_resolved_alert(at=NOON + LATER), truncatedAlerts=3), id="some were left out"),
        pytest.param(a_post(an_alert("checkout-2"), status="resolved"), id="a fingerprint is missing"),
        pytest.param(a_post(), id="it is empty"),
    ],
)
async def test_nothing_is_closed_by_a_post_when(intake: Intake, body: bytes) -> None:
    await intake.take(a_post(an_alert("checkout-1")))
    intake.clock.step(LATER)
    await intake.take(body)
    assert await intake.states() == ["firing"]


async def test_an_entry_that_cannot_be_read_holds_up_nobody(intake: Intake) -> None:
    worked = await intake.take(b"nonsense", a_post(an_alert()), b'{"alerts": 3}')
    assert worked.entries == 3
    assert worked.unreadable == [Source.ALERTMANAGER, Source.ALERTMANAGER]
    assert await intake.states() == ["firing"]
    errors = await intake.rows("SELECT error FROM inbox WHERE done_at IS NOT NULL ORDER BY id")
    assert [error is None for (error,) in errors] == [False, True, False]


async def test_labels_of_any_size_and_content_are_taken(intake: Intake) -> None:
    posts = [a_post(an_alert(**labels), group=f"{number} {LONG}") for number, labels in enumerate(ODD)]
    worked = await intake.take(*posts)
    assert worked.entries == len(ODD)
    assert await intake.states() == ["firing"] * len(ODD)


class _Broken(Exception):
    """A defect."""


def _breaks(intake: Intake, *, on: str) -> None:
    """From now on whatever has this text cannot be settled."""
    whole = intake.settling.store

    async def store(connection: Any, changes: Any, now: Any) -> Any:
        if any(on in str(each.done.incident.members) for each in changes):
            raise _Broken(on)
        return await whole(connection, changes, now)

    intake.settling.store = store  # type: ignore[method-assign]


async def test_what_cannot_take_effect_is_put_aside_once_others_can(intake: Intake) -> None:
    _breaks(intake, on="poison")
    for pod in ("checkout-1", "poison", "checkout-2"):
        await intake.put(a_post(an_alert(pod), group=pod))
    assert await intake.pipeline.work() == 3
    assert await intake.states() == ["firing", "firing"]
    errors = await intake.rows("SELECT error FROM inbox ORDER BY id")
    assert errors == [(None,), ("_Broken: poison",), (None,)]
    assert await intake.pipeline.work() == 0


async def test_when_nothing_takes_effect_the_fault_is_elsewhere_and_nothing_is_put_aside(intake: Intake) -> None:
    _breaks(intake, on="checkout")
    for pod in ("checkout-1", "checkout-2"):
        await intake.put(a_post(an_alert(pod), group=pod))
    with pytest.raises(_Broken):
        await intake.pipeline.work()
    assert await intake.inbox.waiting() == 2


async def test_what_was_rolled_back_makes_no_storm(alert_database: Database) -> None:
    intake = Intake(alert_database, policy={"storm": {"incidents": 4}, "correlation": {"by": []}})
    _breaks(intake, on="poison")
    for pod in ("checkout-1", "poison", "checkout-2", "checkout-3"):
        await intake.put(a_post(an_alert(pod), group=pod))
    await intake.pipeline.work()
    assert await intake.rows("SELECT count(*) FROM storm") == [(0,)]


async def test_two_that_believe_to_lead_take_each_entry_once(intake: Intake, alert_database: Database) -> None:
    other = Intake(alert_database)
    for number in range(30):
        await intake.put(a_post(an_alert(f"checkout-{number}"), group=f"group {number % 10}"))
    while any(await asyncio.gather(intake.pipeline.work(), other.pipeline.work())):
        pass
    assert await intake.rows("SELECT count(*), count(DISTINCT key) FROM incident") == [(10, 10)]
    assert await intake.rows("SELECT count(*) FROM member") == [(30,)]
    assert sum(each.entries for each in [*intake.batches, *other.batches]) == 30


async def test_a_batch_takes_no_more_than_some_megabytes(intake: Intake) -> None:
    for _ in range(3):
        await intake.put(b"x" * 2_500_000)
    assert [await intake.pipeline.work() for _ in range(3)] == [2, 1, 0]


async def test_healing_that_began_before_the_alert_came_is_known_to_its_incident(intake: Intake) -> None:
    started = a_notice(NoticeKind.STARTED, deadline_at=NOON + timedelta(minutes=5), action="delete-pod")
    await intake.take(started, source=Source.HEALING)
    assert await intake.states() == []
    await intake.take(
        a_post(an_alert("checkout-1"), an_alert("checkout-2")), a_post(an_alert("other-1"), group="other")
    )
    kinds = await intake.rows("SELECT value->'healing'->>'kind' FROM incident ORDER BY title")
    assert kinds == [("started",), (None,)]


async def test_an_older_notice_that_comes_late_does_not_undo_a_newer_one(intake: Intake) -> None:
    healed = a_notice(NoticeKind.HEALED, at=NOON + timedelta(minutes=1))
    await intake.take(healed, a_notice(NoticeKind.STARTED, deadline_at=NOON + LATER), source=Source.HEALING)
    assert await intake.rows("SELECT value->>'kind' FROM healing") == [("healed",)]


async def test_a_notice_joins_the_incident_that_it_concerns(intake: Intake) -> None:
    await intake.take(a_post(an_alert()))
    wanted = a_notice(NoticeKind.APPROVAL_WANTED, approve_until=NOON + LATER)
    await intake.take(wanted, source=Source.HEALING)
    assert await intake.states() == ["firing"]
    assert await intake.history() == ["opened", "healing"]
    assert ("reply", "approval_wanted", False) in await intake.messages()


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        pytest.param(UUID(int=1), "healed", id="of the run that it ended under"),
        pytest.param(UUID(int=2), "started", id="not of another one"),
    ],
)
async def test_an_incident_that_is_over_hears_how_its_healing_went(intake: Intake, run: UUID, kind: str) -> None:
    """A pod is gone as soon as it is evicted; whether that helped is known a minute later."""
    await intake.take(a_post(an_alert()))
    started = a_notice(NoticeKind.STARTED, run_id=UUID(int=1), deadline_at=NOON + LATER)
    await intake.take(started, source=Source.HEALING)
    await intake.take(a_post(an_alert(status="resolved")))
    healed = a_notice(NoticeKind.HEALED, run_id=run, at=NOON + timedelta(minutes=1))
    await intake.take(healed, source=Source.HEALING)
    assert await intake.states() == ["resolved"]
    assert await intake.rows("SELECT value->'healing'->>'kind' FROM incident") == [(kind,)]


@pytest.mark.parametrize("healed_first", [True, False], ids=["healing first", "the alert first"])
@pytest.mark.parametrize(
    ("alert", "notice", "joins"), [("eu", "eu", True), ("eu", "us", False), ("", "us", True), ("eu", "", True)]
)
async def test_a_notice_concerns_no_namesake_in_another_cluster(
    intake: Intake, alert: str, notice: str, joins: bool, healed_first: bool
) -> None:
    started = a_notice(NoticeKind.STARTED, deadline_at=NOON + LATER, cluster=notice)
    post = a_post(an_alert(**({"cluster": alert} if alert else {})))
    if healed_first:
        await intake.take(started, source=Source.HEALING)
    await intake.take(post)
    if not healed_first:
        await intake.take(started, source=Source.HEALING)
    assert ("healing" in await intake.history()) is joins


async def test_a_notice_that_needs_a_person_and_concerns_nothing_known_is_an_incident(intake: Intake) -> None:
    await intake.take(a_notice(NoticeKind.HUMAN_NEEDED), a_notice(NoticeKind.STARTED, pod="b"), source=Source.HEALING)
    assert await intake.rows("SELECT source, severity FROM incident") == [("healing", "critical")]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_a_notice_that_wants_a_person_opens_nothing_when_it_comes_after_the_one_that_ended_it(
    intake: Intake, together: bool
) -> None:
    declined = a_notice(NoticeKind.DECLINED, at=NOON + timedelta(minutes=1))
    wanted = a_notice(NoticeKind.APPROVAL_WANTED, approve_until=NOON + LATER)
    if together:
        await intake.take(declined, wanted, source=Source.HEALING)
    else:
        await intake.take(declined, source=Source.HEALING)
        await intake.take(wanted, source=Source.HEALING)
    assert await intake.states() == []


async def test_a_nul_in_a_notice_is_left_out_and_a_backslash_stays(intake: Intake) -> None:
    odd = "C:\\u0000 and \\\\\0 and \0\0"
    worked = await intake.take(a_notice(NoticeKind.FAILED, pod="a\0b", message=odd), source=Source.HEALING)
    assert not worked.unreadable
    ((name, summary),) = await intake.rows(
        "SELECT alert->'labels'->>'pod', alert->'annotations'->>'summary' FROM member"
    )
    assert (name, summary) == ("ab", odd.replace("\0", ""))


async def test_a_dead_node_becomes_the_parent_of_what_failed_with_it(intake: Intake) -> None:
    await intake.take(a_post(an_alert("checkout-1", node="n1")), a_post(an_alert("search-1", node="n2"), group="other"))
    node = an_alert("", alertname="KubeNodeNotReady", namespace="", node="n1", severity="critical")
    intake.clock.step(5)
    await intake.take(a_post(node, group="{}:{node}"))
    ((parent,),) = await intake.rows("SELECT id FROM incident WHERE title LIKE 'KubeNode%'")
    children = await intake.rows("SELECT subject_name FROM incident WHERE parent_id = :parent", parent=parent)
    assert children == [("checkout-1",)]


async def test_what_is_stored_reads_back_as_it_was(intake: Intake) -> None:
    """Each change is made to what was loaded: what reading loses would be lost."""
    await intake.take(a_post(an_alert("checkout-1"), an_alert("checkout-2", severity="critical")))
    settled = intake.batches[-1].settled[0]
    async with intake.database.begin() as connection:
        found = await incidents.by_ids(connection, [settled.incident.id])
    assert msgspec.to_builtins(found[settled.incident.id]) == msgspec.to_builtins(settled.incident)


async def test_entries_are_put_by_many_at_once_and_none_is_lost(intake: Intake) -> None:
    await asyncio.gather(*(intake.put(a_post(an_alert(f"p-{number}"))) for number in range(300)))
    async with intake.database.begin() as connection:
        taken = await entries.take(connection, 1000)
    assert len({each.id for each in taken}) == len(taken) == 300


async def test_a_storm_is_one_card_and_what_it_leaves_open_gets_cards(alert_database: Database) -> None:
    """`other` hears of something else meanwhile, which is none of the storm's."""
    channels = {name: {"kind": "slack", "conversation": f"#{name}"} for name in ("sre", "other")}
    routes = [
        {"name": "other", "match": ['team="other"'], "channels": ["other"]},
        {"name": "all", "channels": ["sre"]},
    ]
    intake = Intake(alert_database, policy={"channels": channels, "routes": routes, "storm": {"incidents": 5}})
    for number in range(60):
        severity = "critical" if number == 50 else "warning"
        await intake.put(a_post(an_alert(f"p{number}", severity=severity, node="n1"), group=f"group {number}"))
    await intake.take(a_post(an_alert("else", team="other"), group="other"))
    told = "SELECT channel, kind, count(*) FROM delivery WHERE NOT quiet GROUP BY channel, kind ORDER BY channel, kind"
    assert await intake.rows(told) == [
        ("other", "card", 1),
        ("sre", "card", 5),
        ("sre", "reply", 1),
        ("sre", "storm", 1),
    ]
    assert await intake.rows("SELECT incidents, alerts, apart FROM storm") == [(56, 56, 1)]
    await intake.rows("DELETE FROM delivery")
    intake.clock.step(timedelta(minutes=20))
    await intake.clockwork.work()
    assert await intake.rows("SELECT ended_at IS NOT NULL FROM storm") == [(True,)]
    cards = "SELECT DISTINCT channel FROM delivery WHERE kind = 'card' AND NOT quiet"
    assert await intake.rows(cards) == [("sre",)]
    assert await intake.rows("SELECT count(*) FROM delivery WHERE kind = 'storm'") == [(1,)]
