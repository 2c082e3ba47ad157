"""What the leader does: work off what came in, and what time brings. Each duty is kept running while it leads."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from alert_service.channels.opened import Channels
from alert_service.counting import Counting
from alert_service.delivery.canary import Canary
from alert_service.delivery.delivery import Delivery
from alert_service.delivery.fallbacks import Fallbacks
from alert_service.delivery.rendering import PolicyCards, Rendering
from alert_service.incidents.clockwork import Clockwork
from alert_service.intake.listener import Listener
from alert_service.intake.pipeline import Pipeline
from alert_service.policy import AlertPolicy
from alert_service.rehearsal.rehearser import Rehearser
from alert_service.rehearsal.way_back import WayBack
from alert_service.silences.keeper import SilenceKeeper
from alert_service.storage.opening import Opened
from alert_service.told import Told
from alert_service.upkeep import Upkeep, Work
from common.clock import Clock

Keep = Callable[[str, Work], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outward:
    """The way to people."""

    channels: Channels
    cards: PolicyCards
    way_back: WayBack | None  # None: nobody knows where people reach this service


class Duties:
    """Made once the database is open."""

    def __init__(
        self,
        opened: Opened,
        clock: Clock,
        outward: Outward,
        *,
        policy: Callable[[], AlertPolicy],
        told: Told,
        rehearser: Rehearser,
        upkeep: Upkeep,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._outward = outward
        self._policy = policy
        self._told = told
        self._rehearser = rehearser
        self._upkeep = upkeep

    def all(self, keep: Keep) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """For the leadership, each kept running by `keep`."""
        works = {**self._on_incidents(), **self._on_messages(), "rehearsals": self._rehearser.run, **self._upkeep.works}
        return [partial(keep, name, work) for name, work in works.items()]

    def _on_incidents(self) -> dict[str, Work]:
        """What came in takes effect, and so does time."""
        stored, settling, clock = self._opened.stored, self._opened.settling, self._clock
        policy, told = self._policy, self._told
        pipeline = Pipeline(stored.database, stored.inbox, settling, clock, policy=policy, on_worked=told.worked)
        clockwork = Clockwork(stored.database, settling, clock, policy=policy, on_settled=told.settled)
        listener = Listener(stored.heartbeats, self._opened.alarms, clock, policy=policy, on_looked=told.heartbeats)
        works: dict[str, Work] = {
            "pipeline": pipeline.run,
            "clockwork": clockwork.run,
            "heartbeats": listener.run,
            "counts": Counting(stored.database, clock, on_counted=told.counted).run,
            "clicks left": stored.clicks.run_left,
        }
        if stored.silencing is not None:
            keeper = SilenceKeeper(
                stored.silencing, stored.desk, stored.database, stored.deliveries, clock, policy=policy
            )
            works["silences"] = keeper.run
        return works

    def _on_messages(self) -> dict[str, Work]:
        """People are told, by another channel when one fails, and it is tried whether they would be."""
        stored, outward, clock = self._opened.stored, self._outward, self._clock
        delivery = Delivery(
            stored.deliveries,
            outward.channels,
            Rendering(stored.database, outward.cards),
            clock,
            on_attempt=self._told.attempted,
        )
        fallbacks = Fallbacks(stored.database, stored.deliveries, clock, policy=self._policy, trouble=delivery.trouble)
        canary = Canary(
            stored.database,
            stored.inbox,
            stored.deliveries,
            clock,
            policy=self._policy,
            channel=outward.channels.get,
            way_back=outward.way_back,
            alarms=self._opened.alarms,
            on_result=self._told.canary,
        )
        return {"delivery": delivery.run, "fallbacks": fallbacks.run, "canary": canary.run}
