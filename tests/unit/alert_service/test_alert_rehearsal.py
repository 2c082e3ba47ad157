"""Rehearsals on channels that do as they are told, and the escalation by a faster clock."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from tests.support.clock import NOON, SteppedClock

from alert_service.cards.card import Button, Card, Tone
from alert_service.channels.channel import (
    Abilities,
    Buttons,
    Channel,
    DeliveryError,
    DeliveryReason,
    Message,
    MessageRef,
    Receipt,
    Window,
)
from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import Incident, IncidentState
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.compressed import calls
from alert_service.rehearsal.playing import Rehearsal, Script
from alert_service.rehearsal.report import Outcome, Report, Step, Tried, figures, table
from alert_service.rehearsal.scenes import HARMLESS, life, others
from alert_service.rehearsal.way_back import WayBack
from alert_service.routing.storm import Storm

ANY = UUID(int=1)
ESCALATION = {
    "people": {"ana": {"identity": "ana@example.com"}, "ben": {"identity": "ben@example.com"}},
    "channels": {"sre": {"kind": "slack"}, "leads": {"kind": "teams"}},
    "escalations": {
        "page": {
            "steps": [
                {"after": "5m", "people": ["ana"], "channels": ["sre"]},
                {"after": "10m", "people": ["ben"], "channels": ["leads", "sre"]},
            ],
            "repeat": 1,
        }
    },
}


class Told:
    """A channel that keeps what it is sent; `failures` are raised first."""

    kind = "slack"
    dialect: Any = None

    def __init__(self, name: str = "sre", *, buttons: Buttons = Buttons.NONE, simple: bool = False) -> None:
        self.name = name
        self.abilities = Abilities(updates=not simple, threads=not simple, buttons=buttons)
        self.messages: list[Message] = []
        self.failures: list[DeliveryError] = []

    async def send(self, message: Message) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        if not self.abilities.updates:
            return Receipt(posted=False)
        return Receipt(posted=True, ref=message.update or MessageRef(conversation="C0", id=str(len(self.messages))))

    async def close(self) -> None:
        return


class PlainCards:
    """Cards that say what they are of."""

    def __init__(self, buttons: Sequence[Button] = (), error: str = "") -> None:
        self._buttons, self._error = buttons, error

    def incident(self, incident: Incident, channel: Channel, **ignored: Any) -> Card:
        error = self._error if incident.state is IncidentState.RESOLVED else ""
        return a_card(f"incident {incident.revision}", buttons=self._buttons, error=error)

    def storm(self, storm: Storm, channel: Channel) -> Card:
        return a_card("storm")

    def plain(self, text: str, channel: Channel, *, mentions: Sequence[str] = (), about: str = "") -> Card:
        return a_card(text, mentions=mentions)


def a_card(title: str, **fields: Any) -> Card:
    return Card(title=title, tone=Tone.INFO, fallback=title, **fields)


async def rehearsed(
    *channels: Told, script: Script | None = None, cards: PlainCards | None = None, **parts: Any
) -> Report:
    policy = AlertPolicy.model_validate(ESCALATION)
    known = {each.name: each for each in channels}
    rehearsal = Rehearsal(known, cards or PlainCards(), policy, SteppedClock().now, **parts)
    return await rehearsal.play(script or Script(channels=[each.name for each in channels]))


def outcomes(report: Report, tried: Tried) -> list[Outcome]:
    return [each.outcome for each in report.steps if each.tried is tried]


async def test_a_card_lives_in_place_where_it_can_be_changed() -> None:
    channel = Told()
    report = await rehearsed(channel)
    assert report.passed
    states = len(life(ANY, NOON))
    assert outcomes(report, Tried.UPDATE) == [Outcome.POSTED] * (states - 1)
    assert {each.update.id for each in channel.messages if each.update} == {"1"}
    assert [each.thread.id for each in channel.messages if each.thread] == ["1"]
    assert len(outcomes(report, Tried.POST)) == 1 + len(others(ANY, NOON)) + 2


async def test_every_state_is_a_message_where_nothing_can_be_changed_and_nobody_confirms() -> None:
    report = await rehearsed(Told(simple=True))
    assert report.passed
    assert outcomes(report, Tried.UPDATE) == []
    assert set(outcomes(report, Tried.POST)) == {Outcome.ACCEPTED}
    assert len(outcomes(report, Tried.POST)) == len(life(ANY, NOON)) + len(others(ANY, NOON)) + 2
    assert "does not say whether it was posted" in table(report)


@pytest.mark.parametrize(
    ("reason", "goes_on"),
    [
        pytest.param(DeliveryReason.TOO_LARGE, True, id="one message is too large"),
        pytest.param(DeliveryReason.CREDENTIALS, False, id="the token was revoked"),
        pytest.param(DeliveryReason.NO_CONVERSATION, False, id="the channel is archived"),
    ],
)
async def test_what_fails_is_told_and_the_rest_goes_on_if_it_can(reason: DeliveryReason, goes_on: bool) -> None:
    channel = Told()
    channel.failures = [DeliveryError(reason, "why", retryable=False)]
    report = await rehearsed(channel)
    assert not report.passed
    assert [each.detail for each in report.failed] == [f"{reason}: why"]
    assert bool(channel.messages) is goes_on
    assert ("everything else" in table(report)) is not goes_on


async def test_what_the_vendor_wants_to_wait_for_is_waited_for_once() -> None:
    limited = DeliveryError(
        DeliveryReason.RATE_LIMITED, "ratelimited", retryable=True, retry_after=timedelta(milliseconds=1)
    )
    channel = Told()
    channel.failures = [limited]
    assert (await rehearsed(channel)).passed
    channel.failures = [limited, limited]
    assert [each.detail for each in (await rehearsed(channel)).failed] == ["rate_limited: ratelimited"]


async def test_a_template_that_fails_fails_the_rehearsal_though_plain_text_arrived() -> None:
    report = await rehearsed(Told(), cards=PlainCards(error="line 3: no filter bolt"))
    assert ["no filter bolt" in each.detail for each in report.failed] == [True]


async def test_a_channel_that_could_not_be_made_is_a_failure() -> None:
    script = Script(channels=["sre", "nowhere", "ops"])
    report = await rehearsed(Told(), script=script, wrong={"ops": "needs a token"})
    failed = {each.channel: each.detail for each in report.failed}
    assert failed == {"nowhere": "the policy has no such channel", "ops": "needs a token"}


async def test_nothing_to_try_is_no_success() -> None:
    assert not (await rehearsed()).passed


LINKS = (
    Button(act=ActKind.ACKNOWLEDGE, label="Acknowledge", value="v", url="https://alerts.example.com/l/1"),
    Button(act=ActKind.RUNBOOK, label="Runbook", url="https://example.com/runbook"),
)


def a_way_back(answer: httpx.Response | httpx.HTTPError, seen: list[httpx.Request]) -> WayBack:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return WayBack(http, "https://alerts.example.com/", "a-secret", lambda: NOON)


async def test_links_that_act_are_looked_at_and_others_are_left_alone() -> None:
    seen: list[httpx.Request] = []
    channel = Told(buttons=Buttons.LINKS)
    report = await rehearsed(channel, cards=PlainCards(LINKS), way_back=a_way_back(httpx.Response(200), seen))
    assert [(each.method, str(each.url)) for each in seen] == [("GET", "https://alerts.example.com/l/1")]
    assert outcomes(report, Tried.LINK) == [Outcome.DONE]


@pytest.mark.parametrize(
    ("answer", "saying"),
    [
        pytest.param(httpx.Response(200), "", id="it answers"),
        pytest.param(httpx.Response(502), "https://alerts.example.com answered 502", id="a proxy does"),
        pytest.param(
            httpx.Response(401),
            "https://alerts.example.com answered 401: ALERT_SERVICE_SLACK__SIGNING_SECRET is not the one that the "
            "service has, or a clock is minutes wrong",
            id="it has another signing secret",
        ),
        pytest.param(
            httpx.ConnectError("refused"),
            "no answer from https://alerts.example.com: ConnectError; is the service up, and "
            "ALERT_SERVICE_LINKS__URL its address?",
            id="nobody does",
        ),
    ],
)
async def test_the_address_that_presses_come_to_is_asked_as_slack_does(
    answer: httpx.Response | httpx.HTTPError, saying: str
) -> None:
    seen: list[httpx.Request] = []
    report = await rehearsed(Told(buttons=Buttons.NATIVE), way_back=a_way_back(answer, seen))
    [step] = [each for each in report.steps if each.tried is Tried.WAY_BACK]
    assert step.detail == saying
    assert seen[0].url.path == "/api/v1/slack/interactivity"
    verifier = SignatureVerifier("a-secret", clock=type("Clock", (), {"now": lambda self: NOON.timestamp()})())
    assert verifier.is_valid_request(seen[0].content, dict(seen[0].headers))


async def test_what_cannot_be_tried_is_left_out_with_the_reason() -> None:
    script = Script(channels=["sre"], press_seconds=1)
    report = await rehearsed(Told(buttons=Buttons.NATIVE), script=script)
    left_out = {each.tried: each.detail for each in report.steps if each.outcome is Outcome.LEFT_OUT}
    assert "LINKS__URL is not set" in left_out[Tried.WAY_BACK]
    assert "have its API rehearse" in left_out[Tried.PRESS]
    assert report.passed


@pytest.mark.parametrize(
    ("who", "detail"),
    [pytest.param("ana", "pressed by ana", id="ana"), pytest.param("", "nobody pressed one within 9 s", id="nobody")],
)
async def test_a_press_is_waited_for(who: str, detail: str) -> None:
    async def pressed(ref: MessageRef, seconds: float) -> str:
        assert (ref.id, seconds) == ("1", 9)
        return who

    script = Script(channels=["sre"], press_seconds=9)
    report = await rehearsed(Told(buttons=Buttons.NATIVE), script=script, pressed=pressed)
    [step] = [each for each in report.steps if each.tried is Tried.PRESS]
    assert (step.detail, step.outcome is Outcome.FAILED) == (detail, not who)


def test_an_escalation_is_taken_as_the_policy_has_it() -> None:
    policy = AlertPolicy.model_validate(ESCALATION)
    told = list(calls("page", life(ANY, NOON)[0].incident, policy, now=NOON))
    minutes = [each.after / timedelta(minutes=1) for each in told]
    assert minutes == [5, 15, 20, 30]
    assert [list(each.people) for each in told] == [["ana"], ["ben"], ["ana"], ["ben"]]
    assert [sorted(each.channels) for each in told] == [["sre"], ["leads", "sre"]] * 2
    assert list(calls("nothing", life(ANY, NOON)[0].incident, policy, now=NOON)) == []


@pytest.mark.parametrize("mention", [True, False])
async def test_an_escalation_is_rehearsed_by_a_faster_clock(mention: bool) -> None:
    sre, leads = Told("sre"), Told("leads")
    script = Script(channels=["sre", "leads"], escalations=["page"], escalation_seconds=0.05, mention=mention)
    report = await rehearsed(sre, leads, script=script)
    assert len(outcomes(report, Tried.ESCALATION)) == 6
    steps = [each.card for each in leads.messages if "after the opening" in each.card.title]
    assert steps[0].title.startswith("Rehearsal, 15 min after the opening: ")
    assert [tuple(each.mentions) for each in steps] == [("ben",) if mention else ()] * 2


async def test_a_rehearsal_keeps_the_vendors_pace() -> None:
    channel = Told()
    channel.abilities = replace(channel.abilities, limits=(Window.of(4, seconds=0.2),))
    start = time.monotonic()
    report = await rehearsed(channel)
    assert len(outcomes(report, Tried.POST)) == 6
    assert time.monotonic() - start >= 0.2


def test_a_scene_says_what_it_is_and_carries_what_must_do_nothing() -> None:
    for scene in (*life(ANY, NOON), *others(ANY, NOON)):
        assert "rehearsal" in scene.incident.annotations["summary"]
        assert HARMLESS in scene.incident.annotations["description"]
        assert all(HARMLESS in each.alert.labels.values() for each in scene.incident.members.values())
    assert [each.incident.revision for each in life(ANY, NOON)] == [1, 2, 3, 4, 5, 6]


def test_a_report_is_the_same_after_it_was_stored() -> None:
    step = Step(
        channel="sre", tried=Tried.POST, what="an incident opens", outcome=Outcome.POSTED, at=NOON, seconds=0.25
    )
    report = Report(started_at=NOON, ended_at=NOON, steps=(step,))
    assert Report.from_json(report.to_json()).to_json() == report.to_json()
    lines = table(report).splitlines()
    assert lines[1].split() == ["sre", "post", "an", "incident", "opens", "posted", "0.25", "s"]
    assert lines[-1] == "sre: 1 of 1 went well, the slowest took 0.25 s"


@pytest.mark.parametrize(
    ("outcomes", "line"),
    [
        pytest.param([Outcome.POSTED, Outcome.LEFT_OUT], "1 of 1 went well, the slowest took 0.25 s", id="all well"),
        pytest.param(
            [Outcome.POSTED, Outcome.FAILED], "1 of 2 went well, the slowest took 0.25 s; 1 FAILED", id="one failed"
        ),
        pytest.param(
            [Outcome.ACCEPTED],
            "1 of 1 went well, the slowest took 0.25 s; "
            "for 1 the vendor does not say whether it was posted: look at the channel",
            id="what was only accepted",
        ),
    ],
)
def test_a_channel_has_its_figures_in_one_line(outcomes: list[Outcome], line: str) -> None:
    steps = [Step(channel="sre", tried=Tried.POST, what="it", outcome=each, at=NOON, seconds=0.25) for each in outcomes]
    assert list(figures(Report(started_at=NOON, ended_at=NOON, steps=tuple(steps)))) == [f"sre: {line}"]
