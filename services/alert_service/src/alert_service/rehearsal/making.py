"""A rehearsal of a policy and the settings, by themselves: without a database, a queue, or a service that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from alert_service.channels.opened import Channels
from alert_service.clicks.links import LinkSigner
from alert_service.delivery.rendering import Cards, PolicyCards
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.playing import Pressed, Rehearsal
from alert_service.rehearsal.way_back import WayBack
from alert_service.settings import AlertSettings
from common.clock import Clock, SystemClock

_TIMEOUT_SECONDS = 10.0


def rehearsal_of(
    policy: AlertPolicy,
    channels: Channels,
    cards: Cards,
    clock: Clock,
    *,
    way_back: WayBack | None,
    pressed: Pressed | None = None,
) -> Rehearsal:
    """Of the channels as they are now."""
    made = {name: channel for name in policy.channels if (channel := channels.get(name)) is not None}
    wrong = {name: channels.why_not(name) for name in policy.channels if name not in made}
    return Rehearsal(made, cards, policy, clock.now, wrong=wrong, way_back=way_back, pressed=pressed)


def way_back_of(
    settings: AlertSettings, http: httpx.AsyncClient, clock: Clock, *, knows_links: bool = True
) -> WayBack | None:
    """None when nobody knows where people reach this service."""
    if not settings.links.url:
        return None
    secret = settings.slack.signing_secret.get_secret_value().split(",")[0].strip()
    return WayBack(http, settings.links.url, secret, clock.now, knows_links=knows_links)


@asynccontextmanager
async def a_rehearsal(settings: AlertSettings, policy: AlertPolicy) -> AsyncIterator[Rehearsal]:
    """Raises KeysInvalid."""
    clock = SystemClock()
    links = LinkSigner.of(settings.links.url, settings.links.keys.get_secret_value(), settings.links.hours)
    channels = Channels(settings, clock, policy=lambda: policy)
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
            cards = PolicyCards(clock, policy=lambda: policy, links=links)
            has_keys = bool(settings.links.keys.get_secret_value())
            way_back = way_back_of(settings, http, clock, knows_links=has_keys)
            yield rehearsal_of(policy, channels, cards, clock, way_back=way_back)
    finally:
        await channels.close()
