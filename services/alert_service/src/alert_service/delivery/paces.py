"""Keeps the limits of the vendors, also of what another leader has sent before this one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alert_service.channels.channel import Channel, Window
from alert_service.channels.opened import Channels
from alert_service.delivery.limiter import Limiter
from common.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that went out. `live`: a card, which may have been an update."""

    channel: str
    live: bool
    at: datetime


class Paces:
    """Of all channels. Vendors count the updates of all channels of a kind together."""

    def __init__(self, channels: Channels, clock: Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._before: Sequence[Sent] = ()
        self._posts: dict[str, Limiter] = {}
        self._updates: dict[str, Limiter] = {}

    @property
    def longest(self) -> timedelta:
        """What was sent longer ago counts no more."""
        made = filter(None, map(self._channels.get, self._channels.names))
        windows = [each for channel in made for each in (*channel.abilities.limits, *channel.abilities.update_limits)]
        return max((each.per for each in windows), default=timedelta())

    def remember(self, sent: Iterable[Sent]) -> None:
        """This is what was sent lately, by whatever leader; the oldest first."""
        self._before = list(sent)
        self._posts.clear()
        self._updates.clear()

    def posts(self, channel: Channel) -> Limiter:
        """Whether updates were among what was sent before is not known: they count too."""
        windows = channel.abilities.limits
        return self._kept(self._posts, channel.name, windows, lambda sent: sent.channel == channel.name)

    def updates(self, channel: Channel) -> Limiter:
        """Whether posts of cards were among what was sent before is not known: they count too."""
        windows, kind = channel.abilities.update_limits, channel.kind
        return self._kept(self._updates, kind, windows, lambda sent: sent.live and self._kind_of(sent.channel) == kind)

    def _kept(
        self, limiters: dict[str, Limiter], key: str, windows: Sequence[Window], counts: Callable[[Sent], bool]
    ) -> Limiter:
        known = limiters.get(key)
        if known is None or known.windows != windows:
            known = limiters[key] = Limiter(windows)
            now, monotonic = self._clock.now(), self._clock.monotonic()
            for each in filter(counts, self._before):
                known.take(monotonic - max(0.0, (now - each.at).total_seconds()))
        return known

    def _kind_of(self, name: str) -> str:
        channel = self._channels.get(name)
        return "" if channel is None else channel.kind
