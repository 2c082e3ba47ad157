"""What the leader does: work off what came in, and what time brings. Each duty is kept running while it leads."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from alert_service.canary import Canary
from alert_service.channels.opened import Channels
from alert_service.clockwork import Clockwork
from alert_service.counting import Counting
from alert_service.delivery import Delivery
from alert_service.fallbacks import Fallbacks
from alert_service.listener import Listener
from alert_service.pipeline import Pipeline
from alert_service.policy import AlertPolicy
from alert_service.rehearsal.rehearser import Rehearser
from alert_service.rehearsal.way_back import WayBack
from alert_service.rendering import PolicyCards, Rendering
from alert_service.silences.keeper import SilenceKeeper
from alert_service.storage.opening import Opened
from alert_service.told import Told
from alert_service.upkeep import Upkeep
from common.clock import Clock

Work = Callable[[], Awaitable[None]]
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
        stored, settling = opened.stored, opened.settling
        delivery = Delivery(
            stored.deliveries,
            outward.channels,
            Rendering(stored.database, outward.cards),
            clock,
            on_attempt=told.attempted,
        )
        self._works: dict[str, Work] = {
            "pipeline": Pipeline(
                stored.database, stored.inbox, settling, clock, policy=policy, on_worked=told.worked
            ).run,
            "clockwork": Clockwork(stored.database, settling, clock, policy=policy, on_settled=told.settled).run,
            "heartbeats": Listener(
                stored.heartbeats, opened.alarms, clock, policy=policy, on_looked=told.heartbeats
            ).run,
            "counts": Counting(stored.database, clock, on_counted=told.counted).run,
            "delivery": delivery.run,
            "fallbacks": Fallbacks(
                stored.database, stored.deliveries, clock, policy=policy, trouble=delivery.trouble
            ).run,
            "canary": Canary(
                stored.database,
                stored.inbox,
                stored.deliveries,
                clock,
                policy=policy,
                channel=outward.channels.get,
                way_back=outward.way_back,
                alarms=opened.alarms,
                on_result=told.canary,
            ).run,
            "rehearsals": rehearser.run,
            **upkeep.works,
        }

        self._works["clicks left"] = stored.clicks.run_left
        if stored.silencing is not None:
            keeper = SilenceKeeper(
                stored.silencing, stored.desk, stored.database, stored.deliveries, clock, policy=policy
            )
            self._works["silences"] = keeper.run

    def all(self, keep: Keep) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """For the leadership, each kept running by `keep`."""
        return [partial(keep, name, work) for name, work in self._works.items()]
