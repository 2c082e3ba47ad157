"""Subscriptions are made, seen, changed and ended; what they are due starts at the moment they are made."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from tests.support.clock import SteppedClock
from tests.support.health_database import an_event, claim, execute, rows, run_until_done

from common.contracts import Severity
from common.database.connections import Database
from health_monitor.storage.publish import Outbox
from health_monitor.webhooks.subscriptions import (
    DeliveryState,
    NewSubscription,
    SubscriptionFilter,
    Subscriptions,
    SubscriptionState,
)
from health_monitor.webhooks.url import UrlRefused

pytestmark = pytest.mark.database

NOBODY = UUID(int=1)
URL = "http://127.0.0.1:9/hooks"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def subscriptions(database: Database, clock: SteppedClock) -> Subscriptions:
    return Subscriptions(database, clock)


@pytest.fixture
async def outbox(database: Database, clock: SteppedClock) -> AsyncIterator[Outbox]:
    made = Outbox(database, clock, source="/clusters/test")
    made.lead(await claim(database))
    running = asyncio.create_task(made.run())
    yield made
    await run_until_done(running)


async def tell(outbox: Outbox, *names: str) -> None:
    outbox.put([an_event(name) for name in names])
    assert await outbox.flush(60)


async def test_a_subscription_is_read_back_as_it_was_made_but_for_its_secret(
    subscriptions: Subscriptions, clock: SteppedClock
) -> None:
    wanted = SubscriptionFilter(
        codes=frozenset({"pod-crash-loop", "node-not-ready"}),
        min_severity=Severity.WARNING,
        kinds=frozenset({"Pod"}),
        namespaces=frozenset({"shop"}),
    )
    created = await subscriptions.create(NewSubscription(url=URL, description="for the test", filter=wanted))

    assert created.secret.startswith("whsec_")
    (listed,) = await subscriptions.list()
    assert listed == created.subscription == await subscriptions.get(created.subscription.id)
    assert (listed.url, listed.description, listed.filter) == (URL, "for the test", wanted)
    assert (listed.state, listed.created_at, listed.queued) == (SubscriptionState.ACTIVE, clock.now(), 0)
    assert created.secret not in repr(listed)


async def test_events_are_due_from_the_moment_of_subscribing(subscriptions: Subscriptions, outbox: Outbox) -> None:
    await tell(outbox, "before")
    created = await subscriptions.create(NewSubscription(url=URL))
    await tell(outbox, "after")

    assert created.subscription.start_cursor == 1
    (due,) = await subscriptions.deliveries(created.subscription.id)
    assert (due.cursor, due.state, due.attempts, due.next_attempt_at) == (2, DeliveryState.QUEUED, 0, due.queued_at)


async def test_no_event_falls_between_start_cursor_and_the_first_delivery(
    subscriptions: Subscriptions, outbox: Outbox
) -> None:
    made = []
    for number in range(10):
        outbox.put([an_event(f"pod-{number}-{part}") for part in range(200)])
        made.append((await subscriptions.create(NewSubscription(url=URL))).subscription)
    assert await outbox.flush(60)

    for each in made:
        due = await subscriptions.deliveries(each.id, limit=10_000)
        assert sorted(one.cursor for one in due) == list(range(each.start_cursor + 1, 2_001))


async def test_deliveries_are_paged_newest_first_and_filtered_by_state(
    subscriptions: Subscriptions, outbox: Outbox, database: Database
) -> None:
    subscribed = (await subscriptions.create(NewSubscription(url=URL))).subscription.id
    await tell(outbox, *(f"pod-{number}" for number in range(6)))
    await execute(database, "UPDATE delivery SET state = 'dead' WHERE cursor IN (2, 5)")

    assert [each.cursor for each in await subscriptions.deliveries(subscribed, limit=4)] == [6, 5, 4, 3]
    assert [each.cursor for each in await subscriptions.deliveries(subscribed, before=3)] == [2, 1]
    dead = await subscriptions.deliveries(subscribed, state=DeliveryState.DEAD)
    assert [(each.cursor, each.next_attempt_at) for each in dead] == [(5, None), (2, None)]
    (seen,) = await subscriptions.list()
    assert (seen.queued, seen.dead) == (4, 2)


async def test_one_event_is_sent_again_whatever_became_of_it(
    subscriptions: Subscriptions, outbox: Outbox, database: Database, clock: SteppedClock
) -> None:
    subscribed = (await subscriptions.create(NewSubscription(url=URL))).subscription.id
    await tell(outbox, "a")
    await execute(database, "UPDATE delivery SET state = 'delivered', attempts = 3")
    clock.step(timedelta(days=3))

    assert await subscriptions.redeliver(subscribed, 1)
    assert not await subscriptions.redeliver(subscribed, 99)
    (again,) = await subscriptions.deliveries(subscribed)
    assert (again.state, again.attempts, again.queued_at) == (DeliveryState.QUEUED, 0, clock.now())


async def test_a_subscription_that_is_ended_leaves_nothing_behind(
    subscriptions: Subscriptions, outbox: Outbox, database: Database
) -> None:
    subscribed = (await subscriptions.create(NewSubscription(url=URL))).subscription.id
    await tell(outbox, "a")

    assert await subscriptions.delete(subscribed)
    assert not await subscriptions.delete(subscribed)
    await tell(outbox, "b")
    assert await subscriptions.list() == []
    assert await rows(database, "SELECT * FROM delivery") == []


async def test_what_does_not_exist_is_not_found(subscriptions: Subscriptions) -> None:
    assert await subscriptions.get(NOBODY) is None
    assert await subscriptions.rotate_secret(NOBODY) is None
    assert not await subscriptions.enable(NOBODY)
    assert not await subscriptions.redeliver(NOBODY, 1)
    assert await subscriptions.deliveries(NOBODY) == []


async def test_a_forbidden_address_is_refused(database: Database, clock: SteppedClock) -> None:
    with pytest.raises(UrlRefused, match="link-local"):
        await Subscriptions(database, clock).create(NewSubscription(url="http://169.254.169.254/"))
    with pytest.raises(UrlRefused, match="private"):
        await Subscriptions(database, clock, allow_private=False).create(NewSubscription(url=URL))


async def test_the_deliverer_of_this_process_hears_of_work(
    database: Database, clock: SteppedClock, outbox: Outbox
) -> None:
    woken: list[UUID] = []
    subscriptions = Subscriptions(database, clock, wake=woken.append)
    subscribed = (await subscriptions.create(NewSubscription(url=URL))).subscription.id
    await tell(outbox, "a")
    await subscriptions.redeliver(subscribed, 1)
    await subscriptions.enable(subscribed)
    assert woken == [subscribed, subscribed]
