"""How messages get to channels that are well: in what form, in what order, or not at all."""

import asyncio
from datetime import timedelta

import pytest
from tests.support.alert_sending import ACTED, CHANGED, CHANNELS, NOISY, OPENED, SIMPLE, Obedient, Sending, error
from tests.support.waiting import eventually

from alert_service.channels.channel import Abilities, DeliveryReason, MessageRef
from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.incident import IncidentState
from common.database.connections import Database

pytestmark = pytest.mark.database


async def test_a_card_is_posted_once_then_changed_in_place_with_replies_below(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    incident = await sending.becomes(incident, "acknowledged")
    await sending.want_all(sending.wanted(about=incident, **CHANGED), sending.wanted(about=incident, **ACTED))
    await sending.want(about=incident, **NOISY)
    await sending.send()
    assert sre.seen == [
        "post incident firing",
        "reply! Ana has it\nit still fires",
        "update incident acknowledged",
    ]
    assert sre.messages[2].update == sre.messages[1].thread
    assert await sending.states() == ["card posted", "card posted", "reply posted", "reply posted"]


async def test_what_is_critical_waits_for_nothing_that_is_less(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    warning = await sending.incident(severity=AlertSeverity.WARNING, state=IncidentState.ACKNOWLEDGED)
    await sending.want(about=warning, **OPENED)
    await sending.want("plain", "opened", text="Alertmanager is not heard", loud=True)
    await sending.want(about=await sending.incident(), **OPENED)
    await sending.send()
    assert sre.seen == ["post incident firing", "post incident acknowledged", "post Alertmanager is not heard"]


async def test_where_nothing_can_be_changed_only_what_people_have_to_notice_is_a_new_message(
    alert_database: Database,
) -> None:
    ops = Obedient(abilities=SIMPLE)
    sending = Sending(alert_database, ops)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    await sending.want_all(sending.wanted(about=incident, **CHANGED), sending.wanted(about=incident, **ACTED))
    await sending.want_all(
        sending.wanted("card", "reopened", incident, loud=True),
        sending.wanted("reply", "reopened", incident, loud=True, text="the card says this already"),
    )
    await sending.want("reply", "resolved", incident, text="quietly", quiet=True)
    await sending.send()
    assert ops.seen == ["post incident firing", "post incident firing", "post about it: Ana has it"]
    assert await sending.states() == [
        "card accepted",
        "card superseded",
        "reply accepted",
        "card accepted",
        "reply superseded",
        "reply superseded",
    ]


async def test_cards_that_waited_are_one_card_of_the_newest_state(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    for _ in range(3):
        later = sending.clock.now() + timedelta(seconds=5)
        await sending.want("card", "new_alerts", incident, quiet=True, not_before=later)
    await sending.becomes(incident, "acknowledged")
    await sending.send()
    sending.clock.step(10)
    await sending.send()
    assert sre.seen == ["post incident acknowledged"]
    assert await sending.states() == ["card posted"] + ["card superseded"] * 3


async def test_what_was_queued_before_the_clock_was_set_back_does_not_wait_for_that_time_to_come_again(
    alert_database: Database,
) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want("plain", "canary", text="first")
    await sending.want("plain", "canary", text="second")
    sre.failures = [error(DeliveryReason.UNREACHABLE)]
    await sending.send()
    sending.clock.jump(timedelta(hours=-1))
    successor = sending.a_delivery()
    sre.failures = [error(DeliveryReason.UNREACHABLE)]
    await sending.send(successor)
    assert sre.tried == 2  # what fails now is put off by the clock as it is now
    assert await sending.deliveries.waiting(sending.clock.now()) == {"sre": True}
    sending.clock.step(5)
    await sending.send(successor)
    assert sorted(sre.seen) == ["post first", "post second"]


async def test_cards_that_waited_call_everybody_whom_any_of_them_was_to_call(alert_database: Database) -> None:
    ops = Obedient(abilities=SIMPLE)
    sending = Sending(alert_database, ops)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    for name in ("ana", "ben", "ana"):
        await sending.want("card", "escalated", incident, loud=True, mentions=(name,))
    await sending.send()
    assert ops.seen == ["post incident firing @ana @ben"]
    assert await sending.states() == ["card accepted"] + ["card superseded"] * 3


async def test_gathered_changes_wait_for_their_time(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    await sending.want(about=incident, not_before=sending.clock.now() + timedelta(seconds=5), **CHANGED)
    sending.clock.step(4)
    await sending.send()
    assert len(sre.messages) == 1
    sending.clock.step(1)
    await sending.send()
    assert sre.seen[1:] == ["update incident firing"]


@pytest.mark.parametrize("abilities", [Obedient().abilities, SIMPLE], ids=["slack", "teams"])
async def test_an_incident_that_was_over_before_its_card_could_be_posted_is_never_told(
    alert_database: Database, abilities: Abilities
) -> None:
    sre = Obedient(abilities=abilities)
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    sre.failures = [error(DeliveryReason.UNREACHABLE)]
    await sending.send()
    await sending.becomes(incident, "resolved")
    await sending.want_all(
        sending.wanted("card", "resolved", incident, quiet=True),
        sending.wanted("reply", "resolved", incident, text="over"),
    )
    sending.clock.step(60)
    await sending.send()
    assert sre.seen == []
    assert set(await sending.states()) == {"card superseded", "reply superseded"}


async def test_a_quiet_change_posts_no_card_of_its_own(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want_all(*(sending.wanted(about=incident, **each) for each in (CHANGED, {**ACTED, "quiet": True})))
    await sending.send()
    assert sre.tried == 0
    assert await sending.states() == ["card superseded", "reply superseded"]


async def test_a_reply_waits_for_the_card_that_it_goes_below(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    sre.failures = [error(DeliveryReason.VENDOR_ERROR)]
    await sending.want_all(sending.wanted(about=incident, **OPENED), sending.wanted(about=incident, **NOISY))
    await sending.send()
    assert sre.tried == 1
    sending.clock.step(60)
    await sending.send()
    assert sre.seen == ["post incident firing", "reply! it still fires"]


async def test_a_reply_without_any_card_is_a_message_that_says_what_it_is_about(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want(about=await sending.incident(), mentions=("ana",), **NOISY)
    await sending.send()
    assert sre.seen == ["post about it: it still fires @ana"]


async def test_digests_are_merged_and_plain_messages_are_not(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    slot = sending.clock.now() + timedelta(hours=1)
    for name in ("one", "two"):
        await sending.want("digest", "opened", await sending.incident(), text=name, not_before=slot)
        await sending.want("plain", "opened", text=name)
    await sending.send()
    sending.clock.step(3600)
    await sending.send()
    assert sre.seen == ["post one", "post two", "post about it: one\ntwo"]


async def test_so_much_that_is_merged_says_what_it_leaves_out(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    storm = await sending.storm()
    await sending.want("storm", "storm", storm_id=storm)
    await sending.want("reply", "storm", storm_id=storm, text="\n".join(f"incident {n}" * 5 for n in range(100)))
    await sending.send()
    _, reply = sre.seen
    assert len(reply) < 3000
    assert "lines more" in reply


async def test_a_storm_has_one_live_card_and_a_thread(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    storm = await sending.storm(incidents=20)
    for count in (20, 40, 60):
        await sending.storm(incidents=count, id=storm)
        await sending.want_all(
            sending.wanted("storm", "storm", storm_id=storm),
            sending.wanted("reply", "storm", storm_id=storm, text=f"{count} by now"),
        )
        await sending.send()
    await sending.storm(incidents=60, id=storm, over=True)
    await sending.want("storm", "storm", storm_id=storm)
    await sending.send()
    replies = [each for each in sre.seen if each.startswith("reply")]
    assert replies == [f"reply {count} by now" for count in (20, 40, 60)]
    assert [each for each in sre.seen if each not in replies] == [
        "post storm of 20",
        "update storm of 40",
        "update storm of 60",
        "update storm of 60, over",
    ]
    assert [each for each in sre.seen if each.startswith("reply")] == [
        "reply 20 by now",
        "reply 40 by now",
        "reply 60 by now",
    ]


async def test_where_nothing_can_be_changed_a_storm_is_told_when_it_begins_and_when_it_ends(
    alert_database: Database,
) -> None:
    ops = Obedient(abilities=SIMPLE)
    sending = Sending(alert_database, ops)
    storm = await sending.storm(incidents=20)
    for count in (20, 40):
        await sending.storm(incidents=count, id=storm)
        await sending.want("storm", "storm", storm_id=storm)
        await sending.want("reply", "storm", storm_id=storm, text="more")
        await sending.send()
    await sending.storm(incidents=40, id=storm, over=True)
    await sending.want("storm", "storm", storm_id=storm)
    await sending.send()
    assert ops.seen == ["post storm of 20", "post storm of 40, over"]


async def test_what_people_have_to_notice_goes_first(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    await sending.want("plain", "canary", text="canary")
    await sending.want(about=await sending.incident(), **OPENED)
    await sending.want("storm", "storm", storm_id=await sending.storm())
    await sending.send()
    assert sre.seen == ["post storm of 20", "post incident firing", "post canary"]


async def test_a_card_tells_of_its_family(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    parent = await sending.incident(labels={"alertname": "NodeDown"})
    child = await sending.incident(labels={"alertname": "PodDown"}, parent_id=parent.id)
    await sending.incident(labels={"alertname": "Over"}, parent_id=parent.id, state=IncidentState.RESOLVED)
    for each in (parent, child):
        await sending.want(about=each, **OPENED)
    await sending.send()
    assert sre.seen == ["post incident firing, above PodDown", "post incident firing, below NodeDown"]


async def test_the_timeline_tells_who_was_told_and_metrics_how_long_it_took(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    incident = await sending.incident()
    await sending.want(about=incident, **OPENED)
    await sending.send()
    await sending.want(about=incident, **CHANGED)
    await sending.send()
    assert await sending.rows("SELECT kind, text FROM timeline") == [("notified", "told sre: opened")]
    assert [each.seconds for each in sending.attempts] == [1.0, 1.0]


async def test_while_it_runs_what_is_queued_is_sent_at_once(alert_database: Database) -> None:
    sre = Obedient()
    sending = Sending(alert_database, sre)
    running = asyncio.create_task(sending.delivery.run())

    async def sent() -> bool:
        return sre.seen == ["post now"]

    try:
        await sending.want("plain", "opened", text="now")
        await eventually(sent)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_press_shows_on_the_message_and_a_link_on_the_card_of_its_channel(alert_database: Database) -> None:
    sre, ops = Obedient("sre"), Obedient("ops", SIMPLE)
    policy = {"channels": {"sre": CHANNELS["sre"], "ops": {"kind": "teams", "secret": "ops"}}}
    sending = Sending(alert_database, sre, ops, policy=policy)
    incident = await sending.incident()
    for channel in ("sre", "ops"):
        await sending.want(about=incident, channel=channel, **OPENED)
    await sending.send()
    await sending.deliveries.acted(MessageRef(conversation="C1", id="1"), sending.clock.now())
    assert (await sending.states("sre"), await sending.states("ops")) == (["card acted"], ["card accepted"])
    await sending.deliveries.acted_on("ops", incident.id, sending.clock.now())
    assert await sending.states("ops") == ["card acted"]
