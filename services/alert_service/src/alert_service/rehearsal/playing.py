"""Plays a rehearsal: every card on every channel, what comes back of it, and the escalations by a faster clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from alert_service.cards.card import Card
from alert_service.channels.channel import Buttons, Channel, MessageRef
from alert_service.delivery.rendering import Cards
from alert_service.durations import shortly
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.compressed import Called, calls
from alert_service.rehearsal.report import Outcome, Report, Step, Tried
from alert_service.rehearsal.scenes import life, others, storm
from alert_service.rehearsal.stage import Stage
from alert_service.rehearsal.way_back import WayBack

_NO_ADDRESS = "ALERT_SERVICE_LINKS__URL is not set: the address at which vendors and people reach the service"
_NO_KEYS = "ALERT_SERVICE_LINKS__KEYS is not set, so the service would not know the links of this run"


Pressed = Callable[[MessageRef, float], Awaitable[str]]
"""Waits so many seconds for somebody to press a button of a message; who it was, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is rehearsed."""

    channels: Sequence[str]
    escalations: Sequence[str] = ()
    escalation_seconds: float = 20.0  # how long each may take, by a clock that runs so much faster
    mention: bool = False  # whether people are really notified by name
    press_seconds: float = 0.0  # how long to wait for a person to press a button


class Rehearsal:
    """`wrong` says of channels why they could not be made.

    `way_back` and `pressed` are None where this service's address, or its database, are not known.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        cards: Cards,
        policy: AlertPolicy,
        now: Callable[[], datetime],
        *,
        wrong: Mapping[str, str] | None = None,
        way_back: WayBack | None = None,
        pressed: Pressed | None = None,
    ) -> None:
        self._channels = channels
        self._wrong = wrong or {}
        self._cards = cards
        self._policy = policy
        self._now = now
        self._way_back = way_back
        self._pressed = pressed

    async def play(self, script: Script) -> Report:
        """All channels side by side, then the escalations. A channel that could not be made is a failed step."""
        started = self._now()
        stages = {name: Stage(self._channels[name], self._now) for name in script.channels if name in self._channels}
        await asyncio.gather(*(self._play_on(stage, script) for stage in stages.values()))
        for name in script.escalations:
            await self._escalate(name, stages, script)
        steps = [self._missing(name) for name in script.channels if name not in self._channels]
        steps += [step for stage in stages.values() for step in stage.steps]
        return Report(started_at=started, ended_at=self._now(), steps=tuple(sorted(steps, key=lambda each: each.at)))

    async def _play_on(self, stage: Stage, script: Script) -> None:
        channel, now = stage.channel, self._now()
        await self._live(stage, script)
        for scene in others(uuid4(), now):
            await stage.post(scene.what, self._cards.incident(scene.incident, channel))
        await stage.post("a storm", self._cards.storm(storm(now), channel))
        await stage.post(
            "a message of its own", self._cards.plain("Rehearsal: the cards of this channel end here", channel)
        )

    async def _live(self, stage: Stage, script: Script) -> None:
        """One incident from its opening to its end: one card where it can be changed, else one for each state."""
        channel = stage.channel
        first, *rest = life(uuid4(), self._now())
        card = self._cards.incident(first.incident, channel)
        at = await stage.post(first.what, card)
        await self._come_back(stage, card, at, script)
        for scene in rest:
            card = self._cards.incident(scene.incident, channel)
            if at is not None and channel.abilities.updates:
                await stage.update(scene.what, card, at)
            else:
                await stage.post(scene.what, card)
        if at is not None and channel.abilities.threads:
            await stage.reply("a reply below it", self._cards.plain("Rehearsal: a reply below the card", channel), at)

    async def _come_back(self, stage: Stage, card: Card, at: MessageRef | None, script: Script) -> None:
        """Whether what people press or open would reach this service."""
        buttons = stage.channel.abilities.buttons
        if buttons is Buttons.LINKS:
            await self._open_links(stage, card)
        elif buttons is Buttons.NATIVE:
            await self._look_back(stage)
            if script.press_seconds and at is not None:
                await self._wait_for_press(stage, at, script.press_seconds)

    async def _open_links(self, stage: Stage, card: Card) -> None:
        """As a link preview does: the page has to come, and does nothing."""
        if self._way_back is None or not self._way_back.knows_links:
            why = _NO_ADDRESS if self._way_back is None else _NO_KEYS
            stage.leave_out(Tried.LINK, "links of buttons", why)
            return
        for button in card.buttons:
            if not self._way_back.leads_to(button.url):
                continue
            at = self._now()
            stage.looked(Tried.LINK, f"the link of {button.label}", at, await self._way_back.page(button.url))

    async def _look_back(self, stage: Stage) -> None:
        what = "where Slack posts presses to"
        if self._way_back is None:
            stage.leave_out(Tried.WAY_BACK, what, _NO_ADDRESS)
            return
        at = self._now()
        stage.looked(Tried.WAY_BACK, what, at, await self._way_back.slack())

    async def _wait_for_press(self, stage: Stage, ref: MessageRef, seconds: float) -> None:
        what = "a button of the first card"
        if self._pressed is None:
            stage.leave_out(Tried.PRESS, what, "only the running service sees presses: have its API rehearse")
            return
        at, start = self._now(), time.monotonic()
        who = await self._pressed(ref, seconds)
        outcome = Outcome.DONE if who else Outcome.FAILED
        detail = f"pressed by {who}" if who else f"nobody pressed one within {seconds:g} s"
        stage.note(Tried.PRESS, what, at, outcome, seconds=time.monotonic() - start, detail=detail)

    async def _escalate(self, name: str, stages: Mapping[str, Stage], script: Script) -> None:
        """Step by step, the times in between shortened alike."""
        now = self._now()
        steps = list(calls(name, life(uuid4(), now)[0].incident, self._policy, now=now))
        longest = max((each.after.total_seconds() for each in steps), default=0.0)
        factor = min(1.0, script.escalation_seconds / max(longest, 0.001))
        begun = time.monotonic()
        for step in steps:
            await asyncio.sleep(max(0.0, begun + step.after.total_seconds() * factor - time.monotonic()))
            told = [stages[each] for each in step.channels if each in stages]
            await asyncio.gather(*(self._call(stage, step, mention=script.mention) for stage in told))

    async def _call(self, stage: Stage, step: Called, *, mention: bool) -> None:
        after = shortly(step.after)
        text = f"Rehearsal, {after} after the opening: {step.text}"
        card = self._cards.plain(text, stage.channel, mentions=step.people if mention else ())
        await stage.post(f"{after}: {step.text}", card, Tried.ESCALATION)

    def _missing(self, name: str) -> Step:
        why = self._wrong.get(name, "the policy has no such channel")
        return Step(
            channel=name, tried=Tried.POST, what="every card", outcome=Outcome.FAILED, at=self._now(), detail=why
        )
