"""What it takes to lead: which lock, and where the last leader left off."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from common.clock import Clock
from common.kube.api import Api
from common.leading.leadership import Leadership
from common.leading.locks import LeaderSettings, lock_for, replica_identity
from health_monitor.engine.engine import Engine
from health_monitor.storage.models import election, stream
from health_monitor.storage.published import latest_scores, published_findings
from health_monitor.storage.storage import Opened, Storage

Keep = Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]


def leadership(
    storage: Storage, opened: Opened, engine: Engine, *, settings: LeaderSettings, api: Api, clock: Clock, keep: Keep
) -> Leadership:
    """Whoever leads stores, delivers and tidies up. `keep` keeps a duty running when it crashes."""
    identity = replica_identity()

    async def gained(epoch: int) -> None:
        findings = await published_findings(opened.leading)
        scores = await latest_scores(opened.leading)
        # Without an await from here on: what the engine tells must be what the outbox takes.
        opened.outbox.lead(epoch)
        outcome = engine.resume(findings, clock.now(), scores)
        storage.put(outcome.events, outcome.scores)

    leads = Leadership(
        opened.leading,
        lock_for(settings, opened.leading, election, identity=identity, api=api, clock=clock),
        identity=identity,
        epochs=stream,
        on_gained=gained,
        on_lost=opened.outbox.follow,
        duties=(
            lambda: keep("deliverer", opened.deliverer.run),
            lambda: keep("retention", opened.retention.run),
        ),
    )
    storage.on_deposed = leads.deposed
    return leads
