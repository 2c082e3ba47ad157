"""What routes work with, and what they say when it is not there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends

from common.database.connections import Database
from common.web.parts import StorageState, services_of, stored_of

if TYPE_CHECKING:
    from alert_service.clicks.clicks import Clicks
    from alert_service.clicks.links import LinkSigner
    from alert_service.clicks.performing import Performing
    from alert_service.incidents.desk import Desk
    from alert_service.policy import AlertPolicy
    from alert_service.policy.file import PolicyFile
    from alert_service.rehearsal.rehearser import Rehearser
    from alert_service.routing.routing import Routes
    from alert_service.silences.silencing import Silencing
    from alert_service.storage.deliveries import Deliveries
    from alert_service.storage.delivery_reports import DeliveryReports
    from alert_service.storage.heartbeats import HeartbeatStore
    from alert_service.storage.inbox import Inbox
    from alert_service.storage.listing import Listing
    from alert_service.storage.rehearsals import Rehearsals
    from alert_service.storage.used_links import UsedLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What rests on the database."""

    database: Database
    inbox: "Inbox"
    deliveries: "Deliveries"
    delivery_reports: "DeliveryReports"
    desk: "Desk"  # the one way in which a person changes an incident
    performing: "Performing"  # the same, where Alertmanager or auto_healing have to do their part
    clicks: "Clicks"
    used_links: "UsedLinks"
    silencing: "Silencing | None"  # None: no Alertmanager is set up
    rehearsals: "Rehearsals"
    listing: "Listing"
    heartbeats: "HeartbeatStore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API answers from."""

    now: Callable[[], datetime]
    policy: "Callable[[], AlertPolicy]"
    routes: "Callable[[], Routes]"  # those of the policy that holds
    policy_file: "PolicyFile | None"
    storage: StorageState[Stored]
    rehearser: "Callable[[], Rehearser | None]" = lambda: None  # None before the channels and the database are there
    slack_signing_secrets: Sequence[str] = ()
    links: "LinkSigner | None" = None  # None: the settings give no address for links
    person_header: str = ""  # in which a proxy in front says who opens a link; empty: there is none
    on_click_answered: Callable[[float], None] = lambda seconds: None
    webhook_secrets: Sequence[str] = ()
    refused: "Callable[[str, str], None]" = lambda source, reason: None  # is told of what was not taken


AnyServices = Annotated[Services, Depends(services_of)]


def _stored(services: AnyServices) -> Stored:
    return stored_of(services.storage)


StoredServices = Annotated[Stored, Depends(_stored)]
