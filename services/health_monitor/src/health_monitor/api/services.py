"""What routes work with, and what they say when it is not there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends

from common.web.parts import StorageState, services_of, still_reading, stored_of
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
    storage: StorageState[Stored]
    stopping: asyncio.Event

    def current_policy(self) -> Policy:
        return DEFAULT_POLICY if self.policy_file is None else self.policy_file.policy


AnyServices = Annotated[Services, Depends(services_of)]


def _started(services: AnyServices) -> Services:
    """Refuses while the cluster is still being read."""
    if not services.engine.started:
        raise still_reading()
    return services


def _stored(services: AnyServices) -> Stored:
    return stored_of(services.storage)


StartedServices = Annotated[Services, Depends(_started)]
StoredServices = Annotated[Stored, Depends(_stored)]
