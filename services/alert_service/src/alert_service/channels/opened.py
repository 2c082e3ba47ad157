"""The channels of the policy that holds: made anew when it changes, over one pool of connections."""

import logging
from collections.abc import Callable, Collection, Sequence

import httpx

from alert_service.channels.channel import Channel
from alert_service.channels.making import Made, make_channels
from alert_service.channels.posting import a_client
from alert_service.policy.settings import AlertPolicy
from alert_service.settings import AlertSettings
from common.clock import Clock
from common.policy.mistakes import Mistake
from common.settings import renewed

logger = logging.getLogger(__name__)


class Channels:
    """Closed with `close`."""

    def __init__(
        self,
        settings: AlertSettings,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._policy = policy
        self._http = http or a_client()
        self._made: tuple[AlertPolicy, Made] | None = None

    def get(self, name: str) -> Channel | None:
        """None: the policy names no such channel, or it cannot be made; `why_not` tells."""
        return self._now().channels.get(name)

    def why_not(self, name: str) -> str:
        """What to do about a channel that is not there."""
        for each in self._now().mistakes:
            if each.path == f"channels.{name}":
                return each.message
        return f"the policy has no channel {name} any more"

    @property
    def names(self) -> Collection[str]:
        """Those that the policy names, whether they can be made or not."""
        return self._policy().channels.keys()

    @property
    def mistakes(self) -> Sequence[Mistake]:
        """All at once, for the log and the readiness probe."""
        return self._now().mistakes

    def renew(self) -> None:
        """A vendor takes a secret no more: whoever mounts it may have replaced it in its file."""
        found = renewed(self._settings)
        if (found.slack, found.channels) != (self._settings.slack, self._settings.channels):
            logger.info("the secrets of channels have changed, and are used from now on")
            self._settings, self._made = found, None

    async def close(self) -> None:
        await self._http.aclose()

    def _now(self) -> Made:
        policy = self._policy()
        if self._made is None or self._made[0] is not policy:
            made = make_channels(policy, self._settings, http=self._http, now=self._clock.now)
            self._made = (policy, made)
            for each in made.mistakes:
                logger.warning("%s cannot be used: %s", each.path, each.message)
        return self._made[1]
