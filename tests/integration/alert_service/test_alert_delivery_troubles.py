"""How messages get to channels that are slow, away, or find fault with them, and past a replica that ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.alert_sending import CHANGED, OPENED, Obedient, Sending, error

from alert_service.channels.channel import Channel, DeliveryReason, Receipt, Window
from alert_service.delivery.rendering import Rendered
from alert_service.delivery.sending import Claim
from common.database.connections import Database

pytestmark = pytest.mark.database


async def test_the_vendors_pace_is_kept(alert_database: Database) -> None:
    abilities = replace(Obedient().abilities, limits=(Window.of(2, seconds=10),))
    sre = Obedient(abilities=abilities)
    sending = Sending(alert_database, sre)
    for number in range(5):
        await sending.want("plain", "opened", text=str(number))
    await sending.send()
    assert len(sre.messages) == 2
    sending.clock.step(9)
    await sending.send()
    assert len(sre.messages) == 2
    sending.clock.step(1)
    await sending.send()
    assert len(sre.messages) == 4


async def test_cards_that_cannot_be_changed_now_hold_up_no_new_message(alert_database: Database) -> None:
    sre = Obedient(abilities=replace(Obedient().abilities, update_limits=(Window.of(1, seconds=60),)))
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    for _ in range(2):
        await sending.want(about=incident, **CHANGED)
        await sending.send()
    await sending.want("plain", "opened", text="new")
    await sending.send()
    assert sre.seen == ["post incident firing", "update incident firing", "post new"]
    sending.clock.step(60)
    await sending.send()
    assert sre.seen[3:] == ["update incident firing"]


async def test_a_vendor_that_wants_no_more_updates_for_a_while_gets_new_messages_all_the_same(
    alert_database: Database,
) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    sre.failures = [error(DeliveryReason.RATE_LIMITED, after=40)]
    for _ in range(2):
        await sending.want(about=incident, **CHANGED)
    await sending.send()
    await sending.want("plain", "opened", text="new")
    await sending.send()
    assert (sre.seen[1:], sre.tried) == (["post new"], 3)
    sending.clock.step(40)
    await sending.send()
    assert sre.seen[2:] == ["update incident firing"]


async def test_a_card_that_somebody_removed_is_posted_anew_when_it_matters(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    sre.failures = [error(DeliveryReason.MESSAGE_GONE, retryable=False)]
    await sending.want(about=incident, **CHANGED)
    await sending.send()
    assert len(sre.messages) == 1
    await sending.want("card", "reopened", incident, loud=True)
    await sending.send()
    assert sre.seen[1:] == ["post incident firing"]


@pytest.mark.parametrize(
    ("reason", "buttons"),
    [
        pytest.param(DeliveryReason.REFUSED, 0, id="without buttons, which may be what is wrong"),
        pytest.param(DeliveryReason.TOO_LARGE, 1, id="with its buttons when only its size is"),
    ],
)
async def test_what_the_vendor_finds_fault_with_is_sent_as_plain_text(
    alert_database: Database, reason: DeliveryReason, buttons: int
) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.failures = [error(reason, retryable=False)]
    await sending.want(about=await sending.incident(), **OPENED)
    await sending.send()
    why = f"slack did not take the whole message ({reason}); the API of alert_service has all of it"
    assert sre.seen == [f"post incident firing ({why})"]
    assert len(sre.messages[0].card.buttons) == buttons


async def test_what_the_vendor_refuses_even_so_is_given_up_and_can_be_sent_again(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.failures = [error(DeliveryReason.REFUSED, retryable=False)] * 2
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    sending.clock.step(3600)
    await sending.send()
    assert await sending.states() == ["card dead"]
    lines = await sending.rows("SELECT kind, text FROM timeline")
    assert lines == [("delivery_failed", "sre did not take the card (opened), which is given up: it says refused")]
    assert await sending.reports.redeliver(sending.clock.now()) == 1
    await sending.send()
    assert sre.seen == ["post incident firing"]


async def test_a_channel_that_is_away_is_asked_with_one_message_at_a_time_and_then_gets_all_in_order(
    alert_database: Database,
) -> None:
    """An hour of it: what was opened and resolved meanwhile is not told at all."""
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.down = error(DeliveryReason.UNREACHABLE)
    incidents = [await sending.incident() for _ in range(3)]
    for each in incidents:
        await sending.want(about=each, **OPENED)
    for _ in range(60):
        await sending.send()
        sending.clock.step(60)
    assert 28 <= sre.tried <= 60  # about once a minute, though 72 s apart where luck has it
    await sending.becomes(incidents[1], "resolved")
    sre.down = None
    sending.clock.step(60)
    await sending.send()
    assert sre.seen == ["post incident firing"] * 2
    assert sorted(await sending.states()) == ["card posted", "card posted", "card superseded"]


async def test_as_long_as_the_vendor_asks_for_nothing_is_sent(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.failures = [error(DeliveryReason.RATE_LIMITED, after=30)]
    for text in ("one", "two"):
        await sending.want("plain", "opened", text=text)
    await sending.send()
    sending.clock.step(29)
    await sending.send()
    assert sre.tried == 1
    sending.clock.step(1)
    await sending.send()
    assert sre.seen == ["post one", "post two"]


async def test_what_nobody_took_for_a_day_is_given_up(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    await sending.want("plain", "opened", text="one")
    await sending.send()
    assert await sending.states() == ["plain failed"]
    sending.clock.step(timedelta(hours=25))
    await sending.send()
    assert await sending.states() == ["plain dead"]


async def test_a_message_that_cannot_be_made_holds_up_no_other(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    sre.failures = [ValueError("a defect")] * 5  # type: ignore[list-item]
    await sending.want("plain", "opened", text="one", loud=True)
    for _ in range(5):
        await sending.send()
        sending.clock.step(120)
    await sending.want("plain", "opened", text="two")
    await sending.send()
    assert sre.seen == ["post two"]
    assert await sending.states() == ["plain dead", "plain posted"]


async def test_what_a_sender_that_died_had_claimed_is_sent_by_the_next(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want(about=await sending.incident(), **OPENED)
    claim = await sending.deliveries.claim("sre", sre.abilities, sending.clock.now(), updates=True)
    assert claim is not None
    await sending.send(sending.a_delivery())
    assert sre.tried == 0
    sending.clock.step(31)
    await sending.send(sending.a_delivery())
    assert sre.seen == ["post incident firing"]


async def test_two_senders_never_send_the_same(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    for number in range(10):
        await sending.want("plain", "opened", text=str(number))
    await asyncio.gather(sending.send(), sending.send(sending.a_delivery()))
    assert sorted(sre.seen) == [f"post {number}" for number in range(10)]


async def test_messages_for_a_channel_that_the_policy_dropped_are_given_up(alert_database: Database) -> None:
    sending = Sending(alert_database, Obedient())
    await sending.want("plain", "opened", channel="gone", text="one")
    assert await sending.delivery.sender("gone").turn() == 0
    [(state, why)] = await sending.rows("SELECT state, error FROM delivery")
    assert (state, why) == ("dead", "the policy has no channel gone any more")


async def test_a_channel_without_its_settings_keeps_its_messages(alert_database: Database) -> None:
    sending = Sending(alert_database)
    await sending.want("plain", "opened", text="one")
    await sending.send()
    [(state, why)] = await sending.rows("SELECT state, error FROM delivery")
    assert (state, why) == ("failed", "it needs an address")


async def test_a_new_leader_keeps_the_limits_that_the_one_before_has_used_up(alert_database: Database) -> None:
    """Also those of a day, such as Teams has them, and those of updates, which all channels of a kind share."""
    limits = (Window.of(2, seconds=1), Window.of(3, seconds=3600))
    sre = Obedient(abilities=replace(Obedient().abilities, limits=limits, update_limits=(Window.of(4, seconds=60),)))
    sending = Sending(alert_database, sre)
    for _ in range(4):
        await sending.want("plain", "canary", text="hello")
    await sending.send()
    sending.clock.step(2)
    await sending.send()
    assert len(sre.messages) == 3

    successor = sending.a_delivery()
    await successor.remember()
    sending.clock.step(3590)
    await sending.send(successor)
    assert len(sre.messages) == 3
    sending.clock.step(8)
    await sending.send(successor)
    assert len(sre.messages) == 4


async def test_a_new_leader_leaves_a_vendor_alone_for_as_long_as_the_one_before_was_told(
    alert_database: Database,
) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want("plain", "canary", text="hello")
    sre.failures = [error(DeliveryReason.RATE_LIMITED, after=120)]
    await sending.send()
    await sending.want("plain", "canary", text="once more")

    successor = sending.a_delivery()
    await successor.remember()
    sending.clock.step(119)
    await sending.send(successor)
    assert sre.tried == 1
    sending.clock.step(2)
    await sending.send(successor)
    assert len(sre.messages) == 2


async def test_a_sender_that_was_paused_for_too_long_leaves_its_message_to_the_next_leader(
    alert_database: Database,
) -> None:
    """The process was stopped between its claim and the request, and another leads when it goes on."""
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want("plain", "canary", text="hello")
    successor = sending.a_delivery()
    rendering = sending.delivery.sender("sre")._means.rendering
    rendered = rendering.of

    async def paused(claim: Claim, channel: Channel) -> Rendered:
        sending.clock.step(31)
        await sending.send(successor)
        return await rendered(claim, channel)

    rendering.of = paused  # type: ignore[method-assign]
    await sending.send()

    assert len(sre.messages) == 1
    assert await sending.states() == ["plain posted"]


async def test_what_became_of_an_attempt_that_another_leader_has_taken_over_changes_nothing(
    alert_database: Database,
) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want("plain", "canary", text="hello")
    deliveries, abilities = sending.deliveries, sre.abilities
    first = await deliveries.claim("sre", abilities, sending.clock.now(), updates=True)
    sending.clock.step(31)
    second = await deliveries.claim("sre", abilities, sending.clock.now(), updates=True)
    assert first is not None
    assert second is not None

    await deliveries.failed(first, "timed_out", "no answer", again_at=sending.clock.now(), at=sending.clock.now())

    assert await sending.states() == ["plain sending"]
    await deliveries.sent(second, Receipt(posted=True), revision=None, told="", at=sending.clock.now())
    assert await sending.states() == ["plain posted"]
