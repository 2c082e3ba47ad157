"""What the leader does: work off what came in, and what time brings. Each duty is kept running while it leads."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from alert_service.clockwork import Clockwork
from alert_service.pipeline import Pipeline
from alert_service.policy import AlertPolicy
from alert_service.storage.opening import Opened
from alert_service.told import Told
from common.clock import Clock

Work = Callable[[], Awaitable[None]]
Keep = Callable[[str, Work], Coroutine[Any, Any, None]]


class Duties:
    """Made once the database is open."""

    def __init__(self, opened: Opened, clock: Clock, *, policy: Callable[[], AlertPolicy], told: Told) -> None:
        stored, settling = opened.stored, opened.settling
        self._works: dict[str, Work] = {
            "pipeline": Pipeline(
                stored.database, stored.inbox, settling, clock, policy=policy, on_worked=told.worked
            ).run,
            "clockwork": Clockwork(stored.database, settling, clock, policy=policy, on_settled=told.settled).run,
        }

    def all(self, keep: Keep) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """For the leadership, each kept running by `keep`."""
        return [partial(keep, name, work) for name, work in self._works.items()]
