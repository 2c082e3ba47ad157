"""When another channel stands in, for what, and what it says then."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.alert_sending import SIMPLE, Obedient, Sending, error

from alert_service.channels.channel import DeliveryReason
from alert_service.storage.incidents import by_ids
from common.database.connections import Database

pytestmark = pytest.mark.database

POLICY: dict[str, Any] = {
    "channels": {
        "sre": {"kind": "slack", "conversation": "#sre", "fallback": "ops"},
        "ops": {"kind": "teams", "secret": "ops"},
    }
}
OPENED = {"kind": "card", "reason": "opened", "loud": True}


class Two:
    """A channel, and the one that stands in for it."""

    def __init__(self, database: Database, sre: Obedient | None = None, **changed: Any) -> None:
        self.sre, self.ops = sre or Obedient("sre"), Obedient("ops", SIMPLE)
        channels = {name: {**part, **changed} if name == "sre" else part for name, part in POLICY["channels"].items()}
        self.sending = Sending(database, self.sre, self.ops, policy={"channels": channels})

    async def pass_(self, seconds: float = 0) -> None:
        """Time, and what is due then."""
        self.sending.clock.step(seconds)
        for _ in range(2):
            await self.sending.send()
            await self.sending.fallbacks.work()
        await self.sending.send()


async def test_while_only_a_person_can_mend_a_channel_everything_loud_goes_to_the_other_at_once(
    alert_database: Database,
) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    for _ in range(3):
        await two.sending.want(about=await two.sending.incident(), **OPENED)
    await two.sending.want("card", "changed", await two.sending.incident(), quiet=True)
    await two.pass_()
    why = "(Meant for sre, which did not take it: it says credentials)"
    assert two.ops.seen == [f"post incident firing {why}"] * 3
    assert two.sre.tried == 1
    await two.pass_(5)
    assert len(two.ops.seen) == 3


async def test_the_other_channel_hears_from_then_on_how_the_incident_goes_on(alert_database: Database) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    incident = await two.sending.incident(channels=("sre",))
    await two.sending.want(about=incident, **OPENED)
    await two.pass_()
    async with alert_database.begin() as connection:
        stored = (await by_ids(connection, [incident.id]))[incident.id]
    assert stored == replace(incident, channels=("sre", "ops"))


async def test_once_it_is_mended_the_channel_gets_what_it_missed(alert_database: Database) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    await two.sending.want(about=await two.sending.incident(), **OPENED)
    await two.pass_()
    two.sre.down = None
    await two.pass_(60)
    assert two.sre.seen == ["post incident firing"]
    assert len(two.ops.seen) == 1


async def test_a_channel_that_is_away_for_a_while_has_its_time_to_come_back(alert_database: Database) -> None:
    two = Two(alert_database, confirm_within="5m")
    two.sre.down = error(DeliveryReason.UNREACHABLE)
    await two.sending.want(
        "reply", "escalated", await two.sending.incident(), loud=True, text="nobody has it", mentions=("ana",)
    )
    await two.pass_(299)
    assert two.ops.seen == []
    await two.pass_(1)
    assert two.ops.seen == [
        "post about it: nobody has it\nMeant for sre, which did not take it: it says unreachable @ana"
    ]


async def test_what_was_given_up_is_told_by_the_other(alert_database: Database) -> None:
    two = Two(alert_database, confirm_within="0s")
    two.sre.failures = [error(DeliveryReason.REFUSED, retryable=False)] * 2
    await two.sending.want(about=await two.sending.incident(), **OPENED)
    await two.pass_()
    assert two.ops.seen == ["post incident firing (Meant for sre, which did not take it: it says refused)"]
    kinds = await two.sending.rows("SELECT kind FROM timeline ORDER BY id")
    assert kinds == [("delivery_failed",), ("delivery_failed",), ("notified",)]


async def test_what_a_vendor_only_accepted_is_copied_unless_somebody_acts(alert_database: Database) -> None:
    two = Two(alert_database, Obedient("sre", SIMPLE), confirm_within="5m")
    seen, unseen = await two.sending.incident(), await two.sending.incident()
    for each in (seen, unseen):
        await two.sending.want(about=each, **OPENED)
    await two.pass_()
    await two.sending.becomes(seen, "acknowledged")
    await two.pass_(300)
    assert two.ops.seen == ["post incident firing (Also sent to sre, where nobody was seen to act on it within 5 min)"]


async def test_what_was_posted_is_confirmed(alert_database: Database) -> None:
    two = Two(alert_database)
    await two.sending.want(about=await two.sending.incident(), **OPENED)
    await two.pass_()
    await two.pass_(3600)
    assert two.ops.seen == []


async def test_what_the_other_channel_was_told_anyway_is_not_copied(alert_database: Database) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.NO_CONVERSATION, retryable=False)
    incident = await two.sending.incident()
    for channel in ("sre", "ops"):
        await two.sending.want(about=incident, channel=channel, **OPENED)
    await two.pass_()
    assert two.ops.seen == ["post incident firing"]


async def test_a_canary_is_to_fail_where_it_flies(alert_database: Database) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    await two.sending.want("plain", "canary", text="canary")
    await two.pass_()
    assert two.ops.seen == []


async def test_a_storm_is_told_by_the_other_once(alert_database: Database) -> None:
    two = Two(alert_database)
    two.sre.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    storm = await two.sending.storm(incidents=20)
    for _ in range(3):
        await two.sending.want("storm", "storm", storm_id=storm)
        await two.pass_()
    assert two.ops.seen == ["post storm of 20 (Meant for sre, which did not take it: it says credentials)"]


async def test_two_channels_that_stand_in_for_each_other_do_not_pass_a_message_to_and_fro(
    alert_database: Database,
) -> None:
    two = Two(alert_database)
    channels = {**POLICY["channels"], "ops": {"kind": "teams", "secret": "ops", "fallback": "sre"}}
    two.sending.policy = two.sending.policy.model_validate({"channels": channels})
    for each in (two.sre, two.ops):
        each.down = error(DeliveryReason.CREDENTIALS, retryable=False)
    await two.sending.want("plain", "opened", text="one")
    for _ in range(4):
        await two.pass_(timedelta(minutes=6).total_seconds())
    assert await two.sending.rows("SELECT channel FROM delivery ORDER BY number") == [("sre",), ("ops",)]
    now = two.sending.clock.now()
    reports = await two.sending.reports.report(now - timedelta(hours=1), now)
    assert {each.channel: each.copied for each in reports} == {"sre": 1, "ops": 0}
