"""What routes work with, and what they say when it is not there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends

from auto_healing.findings import OpenFindings
from common.cluster.store import Store
from common.database.connections import Database
from common.web.parts import StorageState, services_of, still_reading, stored_of

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API answers from."""

    cluster_name: str
    now: Callable[[], datetime]
    snapshot: Store
    synced: Callable[[], bool]
    world: "Callable[..., World]"  # takes the history, where it is not this replica's own
    policy: "Callable[[], HealingPolicy]"
    policy_file: Any
    storage: StorageState[Stored]
    cluster: "Cluster"  # live reads and writes, for what a person asks for
    acting: Callable[[], bool] = lambda: True  # whether this replica may write to the cluster
    webhook_secrets: Sequence[str] = ()


async def world_of(services: Services) -> "World":
    """Now. A replica that does not lead has heard and done nothing itself: it reads what the leader has.

    Raises DatabaseError.
    """
    if services.acting() or (stored := services.storage.stored) is None:
        return services.world()
    world = services.world(await stored.runs.lately())
    _, heard_at = await stored.inbox.read_up_to()
    findings = OpenFindings()
    findings.load(await stored.inbox.known_findings())
    sight = replace(world.sight, health_monitor_heard_at=heard_at)
    return replace(world, sight=sight, open_findings=findings)


AnyServices = Annotated[Services, Depends(services_of)]


def _synced(services: AnyServices) -> Services:
    """Refuses while the cluster is still being read: a plan for half a cluster would be wrong."""
    if not services.synced():
        raise still_reading()
    return services


def _stored(services: AnyServices) -> Stored:
    return stored_of(services.storage)


SyncedServices = Annotated[Services, Depends(_synced)]
StoredServices = Annotated[Stored, Depends(_stored)]
