"""Presses of Slack buttons: stored before they are acknowledged, worked off once, whoever dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.support.alert_acting import Acting, a_press, sentences, signed
from tests.support.alert_database import alert_rows
from tests.support.alert_incidents import an_alert, numbered
from tests.support.waiting import eventually

from alert_service.clients.asking import Refused
from alert_service.incidents.acts import ActKind, Person
from alert_service.incidents.alert import Source
from alert_service.incidents.incident import IncidentState, SuppressionReason
from alert_service.routing.suppression import suppression_of
from common.database.connections import Database

pytestmark = pytest.mark.database


@pytest.fixture
async def acting(alert_database: Database) -> AsyncIterator[Acting]:
    made = Acting(alert_database)
    yield made
    await made.close()


@asynccontextmanager
async def working(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def settled(acting: Acting, many: int = 1) -> None:
    """Until so many presses are worked off, and their people told."""

    async def are() -> bool:
        done = await alert_rows(acting.database, "SELECT count(*) FROM click WHERE done_at IS NOT NULL")
        return bool(done == [(many,)] and len(acting.told.texts) >= many)

    await eventually(are)


async def pressed(acting: Acting, action: str, value: str, user: str = "U0ANA") -> str:
    """What the person is told."""
    count = len(acting.told.texts)
    async with working(acting.clicks.run):
        assert (await acting.press(action, value, user)).status_code == 200
        await settled(acting, count + 1)
    return acting.told.texts[-1][1]


async def test_a_press_is_stored_before_it_is_acknowledged_and_worked_off_after(acting: Acting) -> None:
    incident = await acting.opens()

    answer = await acting.press("acknowledge", acting.value(incident))

    assert (answer.status_code, answer.content) == (200, b"")
    assert await alert_rows(acting.database, "SELECT count(*) FROM click WHERE done_at IS NULL") == [(1,)]
    assert (await acting.incident(incident)).state is IncidentState.FIRING
    async with working(acting.clicks.run):
        await settled(acting)
    now = await acting.incident(incident)
    assert now.acknowledgement is not None
    assert now.acknowledgement.by == "ana@example.com"
    assert acting.told.texts == [("U0ANA", "acknowledged: it is yours for 4 h")]


async def test_the_same_request_again_is_refused_and_does_nothing(acting: Acting) -> None:
    incident = await acting.opens()
    body = a_press("acknowledge", acting.value(incident))
    headers = signed(body, acting.clock.now())

    answers = [(await acting.post_press(body, headers)).status_code for _ in range(3)]

    assert answers == [200, 409, 409]
    assert await alert_rows(acting.database, "SELECT count(*) FROM click") == [(1,)]


async def test_the_same_request_at_the_same_time_is_taken_once(acting: Acting) -> None:
    body = a_press("acknowledge", acting.value(await acting.opens()))
    headers = signed(body, acting.clock.now())

    answers = await asyncio.gather(*(acting.post_press(body, headers) for _ in range(8)))

    assert sorted(each.status_code for each in answers) == [200] + [409] * 7


async def test_a_database_that_is_slow_keeps_slack_waiting_for_no_longer_than_it_waits(
    acting: Acting, caplog: pytest.LogCaptureFixture
) -> None:
    incident = await acting.opens()
    async with acting.database.begin() as connection:
        await connection.execute(text("LOCK TABLE click IN ACCESS EXCLUSIVE MODE"))
        answer = await acting.press("acknowledge", acting.value(incident))
        assert answer.status_code == 503
        assert "the press could not be stored within 2 s" in caplog.text
    assert (await acting.press("acknowledge", acting.value(incident))).status_code == 200


async def test_a_request_of_another_time_is_not_believed(acting: Acting) -> None:
    body = a_press("acknowledge", acting.value(await acting.opens()))

    for late in (301, -301):
        answer = await acting.post_press(body, signed(body, acting.clock.now() - timedelta(seconds=late)))
        assert answer.status_code == 401

    assert acting.refused == [("slack", "too_old"), ("slack", "too_new")]
    assert await alert_rows(acting.database, "SELECT count(*) FROM click") == [(0,)]


async def test_a_forged_request_is_not_believed(acting: Acting) -> None:
    body = a_press("acknowledge", acting.value(await acting.opens()))

    answer = await acting.post_press(body, signed(body, acting.clock.now(), secret="guessed"))

    assert answer.status_code == 401
    assert acting.refused == [("slack", "no_signature_matches")]


async def test_what_slack_asks_beside_presses_is_answered(acting: Acting) -> None:
    challenge = b'{"type":"url_verification","challenge":"abc"}'
    asked = [b"ssl_check=1", challenge, a_press("x", "y", type="view_closed"), b"payload=%7B"]

    answers = [await acting.post_press(body, signed(body, acting.clock.now())) for body in asked]

    assert [each.status_code for each in answers] == [200, 200, 200, 400]
    assert answers[1].json() == {"challenge": "abc"}
    assert await alert_rows(acting.database, "SELECT count(*) FROM click") == [(0,)]


# The verb, the value of the button (None: a good one), who presses, and what they are told.
USELESS = [
    ("acknowledge", "{}", "U0ANA", "newest card"),  # a value that this service never wrote
    ("acknowledge", "", "U0ANA", "newest card"),
    ("launch", None, "U0ANA", "newest card"),
    ("acknowledge", None, "U0EVE", "slack: U0EVE"),  # somebody whom the policy does not know
    ("escalate", None, "U0BEN", "Ben may not escalate"),
    ("approve", None, "U0ANA", "which run"),
    ("silence", None, "U0ANA", "ALERTMANAGER__URL"),
    ("explain", None, "U0ANA", "Why <incident>"),
]


async def test_a_press_that_cannot_be_done_says_why_and_changes_nothing(acting: Acting) -> None:
    incident = await acting.opens()

    for action, value, user, said in USELESS:
        assert said in await pressed(acting, action, acting.value(incident) if value is None else value, user)

    assert await acting.incident(incident) == incident


async def test_a_button_that_opened_a_page_is_acknowledged_and_tells_nothing(acting: Acting) -> None:
    incident = await acting.opens()

    async with working(acting.clicks.run):
        await acting.press("runbook", "", "U0EVE")  # Slack tells of it all the same, without a value
        await eventually(lambda: _all_done(acting, 1))

    assert acting.told.texts == []
    assert await acting.happened(incident) == []


async def test_whoever_may_not_is_written_down(acting: Acting) -> None:
    incident = await acting.opens()

    await pressed(acting, "escalate", acting.value(incident), "U0BEN")

    assert [kind for kind, _ in await acting.happened(incident)] == ["click_refused"]


async def test_a_press_on_an_incident_that_is_not_kept_any_more_says_so(acting: Acting) -> None:
    incident = await acting.opens()
    await alert_rows(acting.database, "DELETE FROM incident")

    assert "kept for some time only" in await pressed(acting, "acknowledge", acting.value(incident))


@pytest.mark.parametrize("verb", ["acknowledge", "silence"])
async def test_an_old_card_does_not_cover_what_it_did_not_show(acting: Acting, verb: str) -> None:
    alerts = [numbered(0, at=acting.clock.now()), numbered(1, at=acting.clock.now(), severity="critical")]
    incident = await acting.opens(*alerts)

    said = await pressed(acting, verb, acting.value(incident, revision=0))

    assert "look again" in said
    now = await acting.incident(incident)
    assert (now.state, now.silenced) == (IncidentState.FIRING, None)


async def test_presses_of_one_incident_keep_their_order(acting: Acting) -> None:
    incident = await acting.opens()
    verbs = ["acknowledge", "unacknowledge"] * 5
    for verb in verbs:
        await acting.press(verb, acting.value(incident, revision=incident.revision), trigger=uuid4().hex)

    async with working(acting.clicks.run):
        await settled(acting, len(verbs))

    kinds = [kind for kind, _ in await acting.happened(incident)]
    assert kinds == ["acknowledged", "unacknowledged"] * 5


async def test_whoever_acknowledges_waits_for_nobody_who_waits_for_healing(acting: Acting) -> None:
    incident, answers = await acting.opens(), asyncio.Event()

    async def approve(run_id: UUID, person: Person) -> None:
        await answers.wait()

    acting.healing.approve = approve  # type: ignore[method-assign,assignment]
    async with working(acting.clicks.run):
        await acting.press("approve", acting.value(incident, run_id=uuid4()))
        await acting.press("acknowledge", acting.value(incident))
        await settled(acting)
        assert [text for _, text in acting.told.texts] == ["acknowledged: it is yours for 4 h"]
        answers.set()
        await settled(acting, 2)


async def test_what_alertmanager_does_not_tell_is_silenced_here(acting: Acting) -> None:
    """Until it is over: when it fires again soon afterwards people are told."""
    incident = await acting.opens(source=Source.HEALTH)

    assert await pressed(acting, "silence", acting.value(incident)) == "silenced until it resolves"

    silenced = await acting.incident(incident)
    assert silenced.suppression is not None
    assert (silenced.suppression.reason, silenced.silences) == (SuppressionReason.SILENCED, ())
    acting.clock.step(60)
    again = replace(silenced, turns=(*silenced.turns, acting.clock.now()))
    assert suppression_of(again, None, acting.policy, unheard=(), now=acting.clock.now()) is None


async def test_healing_is_approved_in_the_name_of_the_person(acting: Acting) -> None:
    incident, run = await acting.opens(), uuid4()

    said = await pressed(acting, "approve", acting.value(incident, run_id=run))

    assert said == "approved: healing starts"
    assert acting.healing.decided == [("approve", run, "ana@example.com")]
    assert [kind for kind, _ in await acting.happened(incident)] == ["approved"]


async def test_what_healing_refuses_is_told_and_written_down(acting: Acting) -> None:
    incident, run = await acting.opens(), uuid4()
    acting.healing.failing = Refused(409, "the run is over")

    said = await pressed(acting, "deny", acting.value(incident, run_id=run))

    assert said == "auto_healing says: the run is over"
    assert await acting.happened(incident) == [
        ("click_refused", "auto_healing refused to let Ana deny it: the run is over")
    ]


async def test_while_healing_does_not_answer_nothing_is_said_to_be_decided(acting: Acting) -> None:
    incident = await acting.opens()
    acting.healing.is_down()

    said = await pressed(acting, "approve", acting.value(incident, run_id=uuid4()))

    assert said == (
        "auto_healing has not confirmed it: auto_healing does not answer; try again in a moment, it counts once"
    )
    assert await acting.happened(incident) == []


async def test_nobody_approves_without_the_right_whatever_the_button_says(acting: Acting) -> None:
    incident = await acting.opens()

    await pressed(acting, "approve", acting.value(incident, run_id=uuid4()), "U0BEN")

    assert acting.healing.decided == []


async def test_a_press_shows_on_its_message(acting: Acting) -> None:
    incident = await acting.opens()
    where = "conversation = 'C0SRE', message_id = '1700000000.000100'"
    await alert_rows(acting.database, f"UPDATE delivery SET state = 'posted', {where}")

    await pressed(acting, "acknowledge", acting.value(incident))
    assert ("acted",) in await alert_rows(acting.database, "SELECT state FROM delivery")


async def test_what_a_replica_left_behind_is_worked_off_by_the_leader(acting: Acting) -> None:
    incident = await acting.opens()
    await acting.press("acknowledge", acting.value(incident))  # and the replica dies
    acting.clock.step(30)
    leader = acting.a_replica()

    async with working(leader.run_left):
        acting.clock.step(60)
        await settled(acting)

    assert (await acting.incident(incident)).state is IncidentState.ACKNOWLEDGED


async def test_what_was_left_behind_for_too_long_is_not_done_any_more(acting: Acting) -> None:
    incident = await acting.opens()
    await acting.press("approve", acting.value(incident, run_id=uuid4()))
    acting.clock.step(3600)

    async with working(acting.a_replica().run_left):
        await settled(acting)

    assert acting.healing.decided == []
    assert "press again" in sentences(acting.told.texts)[0]


async def test_a_press_that_hits_an_error_of_ours_holds_up_nobody(
    acting: Acting, caplog: pytest.LogCaptureFixture
) -> None:
    incident = await acting.opens()
    acting.healing.failing = ZeroDivisionError("a bug")

    assert "an error of this service" in await pressed(acting, "approve", acting.value(incident, run_id=uuid4()))
    assert "it is yours" in await pressed(acting, "acknowledge", acting.value(incident))
    assert "a bug" in caplog.text


async def test_the_address_for_an_answer_is_not_kept(acting: Acting) -> None:
    await pressed(acting, "acknowledge", acting.value(await acting.opens(an_alert(at=acting.clock.now()))))

    payloads = await alert_rows(acting.database, "SELECT payload->>'response_url' FROM click")
    assert payloads == [("",)]


async def test_every_verb_can_be_pressed(acting: Acting) -> None:
    """None of them is an error of ours, whatever is missing around it."""
    incident = await acting.opens()
    for kind in ActKind:
        await acting.press(kind, acting.value(incident))

    async with working(acting.clicks.run):
        await eventually(lambda: _all_done(acting, len(ActKind)))

    assert not [text for _, text in acting.told.texts if "error" in text]


async def _all_done(acting: Acting, many: int) -> bool:
    done = await alert_rows(acting.database, "SELECT count(*) FROM click WHERE done_at IS NOT NULL")
    return done == [(many,)]
