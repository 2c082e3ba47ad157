"""What routes work with, and what they say when it is not there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends

from common.database.connections import Database
from common.web.parts import StorageState, services_of, stored_of

if TYPE_CHECKING:
    from alert_service.desk import Desk
    from alert_service.policy import AlertPolicy
    from alert_service.policy.file import PolicyFile
    from alert_service.rehearsal.rehearser import Rehearser
    from alert_service.routing import Routes
    from alert_service.storage.deliveries import Deliveries
    from alert_service.storage.inbox import Inbox
    from alert_service.storage.listing import Listing
    from alert_service.storage.rehearsals import Rehearsals


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What rests on the database."""

    database: Database
    inbox: "Inbox"
    deliveries: "Deliveries"
    desk: "Desk"  # the one way in which a person changes an incident
    rehearsals: "Rehearsals"
    listing: "Listing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API answers from."""

    cluster_name: str
    now: Callable[[], datetime]
    policy: "Callable[[], AlertPolicy]"
    routes: "Callable[[], Routes]"  # those of the policy that holds
    policy_file: "PolicyFile | None"
    storage: StorageState[Stored]
    rehearser: "Callable[[], Rehearser | None]" = lambda: None  # None before the channels and the database are there
    slack_signing_secrets: Sequence[str] = ()
    webhook_secrets: Sequence[str] = ()


AnyServices = Annotated[Services, Depends(services_of)]


def _stored(services: AnyServices) -> Stored:
    return stored_of(services.storage)


StoredServices = Annotated[Stored, Depends(_stored)]
