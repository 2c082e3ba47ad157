"""Webhooks arrive: signed, in order, also after the receiver was away, and what cannot be delivered is set aside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from tests.support.clock import SteppedClock
from tests.support.health_database import MIGRATIONS, an_event, claim, execute, health_target, run_until_done
from tests.support.receiver import Receiver, a_receiver, answer
from tests.support.waiting import eventually

from common.contracts import Change, EventData, Severity
from common.database.connections import Database
from common.database.embedded import EmbeddedPostgres
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings
from health_monitor.storage.publish import Outbox
from health_monitor.webhooks.deliver import AttemptResult, Deliverer
from health_monitor.webhooks.post import Poster
from health_monitor.webhooks.subscriptions import (
    DeliveryState,
    NewSubscription,
    SubscriptionFilter,
    Subscriptions,
    SubscriptionState,
)
from health_monitor.webhooks.verdict import AttemptVerdict

pytestmark = pytest.mark.database

ALL = SubscriptionFilter()


@dataclass(frozen=True)
class World:
    """A database, a receiver with one subscription, and who stores and delivers."""

    clock: SteppedClock
    database: Database
    outbox: Outbox
    deliverer: Deliverer
    poster: Poster
    subscriptions: Subscriptions
    receiver: Receiver
    subscribed: UUID
    attempts: list[AttemptResult]

    async def tell(self, *events: EventData) -> None:
        self.outbox.put(events)
        assert await self.outbox.flush(60)

    async def deliver(self) -> None:
        """Everything that is due at this time of the clock."""
        while await self.deliverer.deliver_due(self.subscribed, self.poster) == self.clock.now():
            pass

    async def pass_time(self, time: timedelta, step: timedelta) -> None:
        for _ in range(time // step):
            self.clock.step(step)
            await self.deliver()

    async def states(self) -> dict[str, int]:
        found = await self.subscriptions.deliveries(self.subscribed, limit=10_000)
        return {state: sum(each.state is state for each in found) for state in DeliveryState}


@asynccontextmanager
async def a_world(database: Database, wanted: SubscriptionFilter = ALL) -> AsyncIterator[World]:
    clock = SteppedClock()
    attempts: list[AttemptResult] = []
    deliverer = Deliverer(database, clock, source="/clusters/test", on_attempt=attempts.append)
    outbox = Outbox(database, clock, source="/clusters/test", on_queued=deliverer.wake)
    outbox.lead(await claim(database))
    subscriptions = Subscriptions(database, clock)
    running = asyncio.create_task(outbox.run())
    async with a_receiver(clock.now) as receiver, Poster.opened(allow_private=True) as poster:
        created = await subscriptions.create(NewSubscription(url=receiver.url, filter=wanted))
        receiver.secrets.append(created.secret)
        subscribed = created.subscription.id
        yield World(clock, database, outbox, deliverer, poster, subscriptions, receiver, subscribed, attempts)
    await run_until_done(running)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with a_world(database) as made:
        yield made


async def test_every_event_arrives_once_signed_and_as_it_was_told(world: World) -> None:
    events = [an_event("a"), an_event("b"), an_event("a", Change.RESOLVED)]
    await world.tell(*events)
    await world.deliver()

    arrived = sorted(world.receiver.accepted, key=lambda event: event.cursor)
    assert [event.data for event in arrived] == events
    assert [event.cursor for event in arrived] == [1, 2, 3]
    assert await world.states() == {"queued": 0, "delivered": 3, "dead": 0}
    assert [attempt.verdict for attempt in world.attempts] == [AttemptVerdict.DELIVERED] * 3
    (subscription,) = await world.subscriptions.list()
    assert (subscription.state, subscription.queued, subscription.dead) == (SubscriptionState.ACTIVE, 0, 0)
    assert subscription.last_delivered_at == world.clock.now()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(SubscriptionFilter(), {"a", "b", "n1"}, id="no filter lets everything through"),
        pytest.param(SubscriptionFilter(codes=frozenset({"node-not-ready"})), {"n1"}, id="only a code"),
        pytest.param(SubscriptionFilter(kinds=frozenset({"Pod"})), {"a", "b"}, id="only a kind"),
        pytest.param(SubscriptionFilter(namespaces=frozenset({"shop", "other"})), {"a"}, id="only some namespaces"),
        pytest.param(SubscriptionFilter(min_severity=Severity.WARNING), {"a", "n1"}, id="from a severity on"),
        pytest.param(
            SubscriptionFilter(kinds=frozenset({"Pod"}), min_severity=Severity.CRITICAL), {"a"}, id="both must hold"
        ),
    ],
)
async def test_only_what_was_subscribed_to_is_delivered(
    database: Database, wanted: SubscriptionFilter, expected: set[str]
) -> None:
    async with a_world(database, wanted) as world:
        await world.tell(
            an_event("a"),
            an_event("b", namespace="bank", severity=Severity.INFO),
            an_event("n1", kind="Node", namespace="", code="node-not-ready", severity=Severity.WARNING),
        )
        await world.deliver()
        assert {event.data.finding.object.name for event in world.receiver.accepted} == expected


async def test_who_hears_of_critical_findings_hears_that_one_is_not_critical_any_more(database: Database) -> None:
    async with a_world(database, SubscriptionFilter(min_severity=Severity.CRITICAL)) as world:
        await world.tell(
            an_event("a"),
            an_event("a", Change.CHANGED, severity=Severity.INFO, previous_severity=Severity.CRITICAL),
            an_event("a", Change.CHANGED, severity=Severity.INFO),
        )
        await world.deliver()
        assert sorted(world.receiver.cursors) == [1, 2]


async def test_after_an_hour_without_the_receiver_everything_arrives_within_a_minute(world: World) -> None:
    await world.receiver.stop()
    await world.tell(*(an_event(f"pod-{number}") for number in range(300)))
    await world.deliver()
    await world.pass_time(timedelta(hours=1), timedelta(seconds=10))

    assert await world.states() == {"queued": 300, "delivered": 0, "dead": 0}
    assert len(world.attempts) < 100, "a receiver that is away is probed, not stormed"
    (subscription,) = await world.subscriptions.list()
    assert (subscription.state, subscription.queued) == (SubscriptionState.FAILING, 300)
    assert subscription.failing_since is not None
    assert "connect" in (subscription.last_error or "").lower()

    await world.receiver.start()
    await world.pass_time(timedelta(minutes=1, seconds=20), timedelta(seconds=10))

    assert sorted(world.receiver.cursors) == list(range(1, 301))
    assert max(abs(place - cursor) for place, cursor in enumerate(world.receiver.cursors, start=1)) < 64
    (subscription,) = await world.subscriptions.list()
    assert (subscription.state, subscription.failing_since) == (SubscriptionState.ACTIVE, None)


async def test_what_nobody_took_for_a_day_is_dead_and_can_be_sent_again(world: World) -> None:
    world.receiver.answer = answer(503)
    start = world.clock.now()
    await world.tell(*(an_event(f"pod-{number}") for number in range(20)))
    await world.pass_time(timedelta(hours=24, minutes=30), timedelta(minutes=10))

    assert await world.states() == {"queued": 0, "delivered": 0, "dead": 20}
    dead = await world.subscriptions.deliveries(world.subscribed, state=DeliveryState.DEAD)
    assert dead[-1].last_error == "answered 503"
    assert world.receiver.accepted == []

    world.receiver.answer = answer(200)
    assert await world.subscriptions.redeliver_dead(world.subscribed, start + timedelta(seconds=1)) == 0
    assert await world.subscriptions.redeliver_dead(world.subscribed, start) == 20
    await world.pass_time(timedelta(minutes=2), timedelta(seconds=20))
    assert await world.states() == {"queued": 0, "delivered": 20, "dead": 0}


async def test_an_event_that_the_receiver_refuses_is_given_up_and_holds_up_no_other_one(world: World) -> None:
    world.receiver.answer = lambda event: answer(422 if event.subject.endswith("/bad") else 204)(event)
    await world.tell(an_event("bad"), *(an_event(f"pod-{number}") for number in range(30)))
    await world.deliver()
    assert await world.states() == {"queued": 1, "delivered": 30, "dead": 0}

    await world.pass_time(timedelta(hours=1), timedelta(minutes=1))

    assert await world.states() == {"queued": 0, "delivered": 30, "dead": 1}
    assert world.receiver.attempts["Pod/shop/bad"] == 3
    assert (await world.subscriptions.list())[0].state is SubscriptionState.ACTIVE


async def test_an_event_over_which_the_receiver_always_crashes_holds_up_no_other_one(world: World) -> None:
    world.receiver.answer = lambda event: answer(500 if event.subject.endswith("/bad") else 204)(event)
    await world.tell(an_event("bad"))
    for number in range(20):
        await world.tell(an_event(f"pod-{number}"))
        await world.pass_time(timedelta(minutes=5), timedelta(seconds=20))

    assert len(world.receiver.accepted) == 20
    assert await world.states() == {"queued": 1, "delivered": 20, "dead": 0}


async def test_a_receiver_that_asks_for_a_pause_gets_it(world: World) -> None:
    world.receiver.next_answers.append(answer(429, retry_after="120"))
    await world.tell(an_event("a"))
    await world.deliver()
    await world.tell(an_event("b"))
    await world.pass_time(timedelta(seconds=119), timedelta(seconds=7))
    assert world.receiver.attempts.total() == 1

    await world.pass_time(timedelta(seconds=40), timedelta(seconds=10))
    assert sorted(world.receiver.cursors) == [1, 2]


async def test_a_receiver_that_is_gone_is_left_alone_until_it_is_enabled_again(world: World) -> None:
    world.receiver.answer = answer(410)
    await world.tell(an_event("a"))
    await world.deliver()
    await world.tell(an_event("b"))
    await world.pass_time(timedelta(minutes=10), timedelta(minutes=1))

    assert world.receiver.attempts.total() == 1
    (subscription,) = await world.subscriptions.list()
    assert (subscription.state, subscription.queued) == (SubscriptionState.DISABLED, 1)
    assert subscription.disabled_reason == "the receiver answered 410 Gone"

    world.receiver.answer = answer(204)
    assert await world.subscriptions.enable(world.subscribed)
    await world.tell(an_event("c"))
    await world.pass_time(timedelta(minutes=1), timedelta(seconds=10))
    assert sorted(world.receiver.cursors) == [1, 3]  # the second one fell into the time when it was disabled


async def test_redirects_are_not_followed(world: World) -> None:
    world.receiver.answer = answer(308, location="/elsewhere")
    await world.tell(an_event("a"))
    await world.deliver()

    assert world.receiver.attempts.total() == 1
    assert (await world.subscriptions.list())[0].last_error == (
        "answered 308: redirects are not followed, subscribe with the final URL"
    )


async def test_both_secrets_sign_for_a_day_while_one_replaces_the_other(world: World) -> None:
    old = world.receiver.secrets.pop()
    new = await world.subscriptions.rotate_secret(world.subscribed)
    assert new is not None
    for number, secret in enumerate((old, new)):
        world.receiver.secrets[:] = [secret]
        await world.tell(an_event(f"during-{number}"))
        await world.deliver()

    world.clock.step(timedelta(hours=24, minutes=1))
    await world.tell(an_event("after"))
    await world.deliver()
    assert len(world.receiver.accepted) == 3

    world.receiver.secrets[:] = [old]
    await world.tell(an_event("with the old one"))
    await world.deliver()
    assert len(world.receiver.accepted) == 3
    assert world.receiver.complaints == ["no signature fits"]
    world.receiver.complaints.clear()


async def test_a_test_event_is_sent_at_once_and_its_answer_is_told(world: World) -> None:
    result = await world.deliverer.send_test(world.subscribed)
    assert result is not None
    assert (result.verdict, result.answer.status) == (AttemptVerdict.DELIVERED, 204)
    (event,) = world.receiver.accepted
    assert event.type == "io.k8s-health-checker.health.test.v1"

    await world.receiver.stop()
    result = await world.deliverer.send_test(world.subscribed)
    assert result is not None
    assert (result.verdict, result.answer.status) == (AttemptVerdict.UNAVAILABLE, None)
    assert await world.deliverer.send_test(UUID(int=7)) is None


async def test_an_address_of_a_metadata_service_is_never_called(database: Database) -> None:
    async with a_world(database) as world:
        await execute(database, "UPDATE subscription SET url = 'http://[::ffff:169.254.169.254]/'")
        result = await world.deliverer.send_test(world.subscribed)
        assert result is not None
        assert result.answer.reason == "169.254.169.254 is a link-local or metadata address"


async def test_a_running_deliverer_is_woken_by_what_is_queued(world: World) -> None:
    running = asyncio.create_task(world.deliverer.run())
    await world.tell(*(an_event(f"pod-{number}") for number in range(500)))

    async def all_arrived() -> bool:
        return len(world.receiver.accepted) == 500

    await eventually(all_arrived)
    await run_until_done(running)
    assert sorted(world.receiver.cursors) == list(range(1, 501))


async def test_subscriptions_come_and_go_while_the_deliverer_runs(world: World) -> None:
    running = asyncio.create_task(world.deliverer.run())
    await world.tell(an_event("for the first"))

    async def first_arrived() -> bool:
        return world.receiver.cursors == [1]

    await eventually(first_arrived)
    second = await world.subscriptions.create(NewSubscription(url=world.receiver.url))
    assert await world.subscriptions.delete(world.subscribed)
    world.receiver.secrets[:] = [second.secret]
    await world.tell(an_event("for the second"))

    async def second_arrived() -> bool:
        return world.receiver.cursors == [1, 2]

    await eventually(second_arrived)
    await run_until_done(running)


async def test_a_deliverer_that_takes_over_sends_what_the_other_left(world: World) -> None:
    first = asyncio.create_task(world.deliverer.run())
    await world.tell(*(an_event(f"pod-{number}") for number in range(400)))

    async def some_arrived() -> bool:
        return len(world.receiver.accepted) > 100

    await eventually(some_arrived)
    await run_until_done(first)
    second = asyncio.create_task(Deliverer(world.database, world.clock, source="/clusters/test").run())

    async def all_recorded() -> bool:
        return await world.states() == {"queued": 0, "delivered": 400, "dead": 0}

    await eventually(all_recorded)
    await run_until_done(second)
    assert set(world.receiver.cursors) == set(range(1, 401))


async def test_webhooks_go_on_after_postgresql_crashed(private_postgres: EmbeddedPostgres) -> None:
    target = health_target(private_postgres.url)
    await upgrade(target, MIGRATIONS)
    database = Database(target, DatabaseSettings(connect_timeout_seconds=2))
    async with a_world(database) as world:
        running = asyncio.create_task(world.deliverer.run())
        for crash in range(3):
            world.outbox.put([an_event(f"pod-{crash}-{number}") for number in range(200)])
            await asyncio.to_thread(private_postgres.restart)
        assert await world.outbox.flush(120)

        async def all_arrived() -> bool:
            return set(world.receiver.cursors) == set(range(1, 601))

        await eventually(all_arrived, within_seconds=120)
        await run_until_done(running)
    await database.close()
