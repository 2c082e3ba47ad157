"""What it takes to lead: which lock, and where the last leader left off."""

import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

from common.clock import Clock
from common.kube.api import Api
from common.kube.lease import LeaderElection, LeaseSettings
from health_monitor.engine.engine import Engine
from health_monitor.leader import DatabaseLock, Leadership, Lock
from health_monitor.settings import LeaderSettings
from health_monitor.storage.published import latest_scores, published_findings
from health_monitor.storage.storage import Opened, Storage

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


Keep = Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]


def leadership(
    storage: Storage, opened: Opened, engine: Engine, *, settings: LeaderSettings, api: Api, clock: Clock, keep: Keep
) -> Leadership:
    """Whoever leads stores, delivers and tidies up. `keep` keeps a duty running when it crashes."""
    identity = f"{socket.gethostname()}_{uuid4().hex[:8]}"

    async def gained(epoch: int) -> None:
        findings = await published_findings(opened.leading)
        scores = await latest_scores(opened.leading)
        # Without an await from here on: what the engine tells must be what the outbox takes.
        opened.outbox.lead(epoch)
        outcome = engine.resume(findings, clock.now(), scores)
        storage.put(outcome.events, outcome.scores)

    leads = Leadership(
        opened.leading,
        lock_for(settings, opened, identity=identity, api=api, clock=clock),
        identity=identity,
        on_gained=gained,
        on_lost=opened.outbox.follow,
        duties=(
            lambda: keep("deliverer", opened.deliverer.run),
            lambda: keep("retention", opened.retention.run),
        ),
    )
    storage.on_deposed = leads.deposed
    return leads


def lock_for(settings: LeaderSettings, opened: Opened, *, identity: str, api: Api, clock: Clock) -> Lock:
    """A Lease where there is a pod, else a row in the database."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    if settings.election == "database" or (settings.election == "auto" and not in_pod):
        return DatabaseLock(opened.leading, identity=identity)
    return LeaderElection(
        api,
        namespace=settings.namespace or _own_namespace(),
        name=settings.lease,
        identity=identity,
        settings=LeaseSettings(),
        clock=clock,
    )


def _own_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return "default"
