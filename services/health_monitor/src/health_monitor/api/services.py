"""What routes work with, and what they say when it is not there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request

from common.web.auth import Scope, requires
from common.web.problems import Problem
from health_monitor.engine.engine import Engine
from health_monitor.policy import DEFAULT_POLICY, Policy
from health_monitor.policy.file import PolicyFile
from health_monitor.storage.events import EventLog
from health_monitor.storage.history import ScoreHistory
from health_monitor.stream import Hub
from health_monitor.view.view import View
from health_monitor.webhooks.deliver import Deliverer
from health_monitor.webhooks.subscriptions import Subscriptions

NO_DATABASE = "this service runs without a database, so there are no events, history and subscriptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What rests on the database."""

    events: EventLog
    history: ScoreHistory
    subscriptions: Subscriptions
    deliverer: Deliverer


class StorageState(Protocol):
    """The database as the API sees it: it may come later than the first request, or never."""

    @property
    def stored(self) -> Stored | None: ...

    @property
    def reason(self) -> str:
        """Why there is nothing stored, when there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API answers from."""

    cluster_name: str
    engine: Engine
    view: View
    hub: Hub
    runbook: str
    policy_file: PolicyFile | None
    now: Callable[[], datetime]
    storage: StorageState
    stopping: asyncio.Event

    def current_policy(self) -> Policy:
        return DEFAULT_POLICY if self.policy_file is None else self.policy_file.policy


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _started(services: Annotated[Services, Depends(_services)]) -> Services:
    """Refuses while the cluster is still being read: half a cluster would look broken, or well."""
    if not services.engine.started:
        raise Problem(
            503, "the cluster is still being read; /readyz says what is missing", headers={"Retry-After": "2"}
        )
    return services


def _stored(services: Annotated[Services, Depends(_services)]) -> Stored:
    stored = services.storage.stored
    if stored is None:
        raise Problem(503, services.storage.reason, headers={"Retry-After": "5"})
    return stored


AnyServices = Annotated[Services, Depends(_services)]
StartedServices = Annotated[Services, Depends(_started)]
StoredServices = Annotated[Stored, Depends(_stored)]

MAY_READ = Depends(requires(Scope.READ))
MAY_OPERATE = Depends(requires(Scope.OPERATE))
MAY_ADMIN = Depends(requires(Scope.ADMIN))
