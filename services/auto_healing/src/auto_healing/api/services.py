"""What routes work with, and what they say when it is not there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Request

from common.cluster.store import Store
from common.database.connections import Database
from common.web.auth import Scope, requires
from common.web.problems import Problem

if TYPE_CHECKING:
    from auto_healing.decide import World
    from auto_healing.kube.cluster import Cluster
    from auto_healing.policy import HealingPolicy
    from auto_healing.storage.changes import Changes
    from auto_healing.storage.evidence import EvidenceStore
    from auto_healing.storage.inbox import Inbox
    from auto_healing.storage.ledger import Ledger
    from auto_healing.storage.manifests import Manifests
    from auto_healing.storage.pauses import Pauses
    from auto_healing.storage.runs import Runs
    from auto_healing.storage.shadows import Shadows
    from auto_healing.storage.tombstones import Tombstones


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What rests on the database."""

    database: Database
    inbox: "Inbox"
    ledger: "Ledger"
    runs: "Runs"
    pauses: "Pauses"
    evidence: "EvidenceStore"
    manifests: "Manifests"
    changes: "Changes"
    tombstones: "Tombstones"
    shadows: "Shadows"


class StorageState(Protocol):
    """The database as the API sees it: it may come later than the first request."""

    @property
    def stored(self) -> Stored | None: ...

    @property
    def reason(self) -> str:
        """Why there is nothing stored, when there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API answers from."""

    cluster_name: str
    now: Callable[[], datetime]
    snapshot: Store
    synced: Callable[[], bool]
    world: "Callable[[], World]"
    policy: "Callable[[], HealingPolicy]"
    policy_file: Any
    storage: StorageState
    cluster: "Cluster"  # live reads and writes, for what a person asks for
    acting: Callable[[], bool] = lambda: True  # whether this replica may write to the cluster
    webhook_secrets: Sequence[str] = ()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _synced(services: Annotated[Services, Depends(_services)]) -> Services:
    """Refuses while the cluster is still being read: a plan for half a cluster would be wrong."""
    if not services.synced():
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
SyncedServices = Annotated[Services, Depends(_synced)]
StoredServices = Annotated[Stored, Depends(_stored)]

MAY_READ = Depends(requires(Scope.READ))
MAY_APPROVE = Depends(requires(Scope.APPROVE))
MAY_OPERATE = Depends(requires(Scope.OPERATE))
MAY_ADMIN = Depends(requires(Scope.ADMIN))
