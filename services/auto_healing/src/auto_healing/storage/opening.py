"""The database and all that rests on it. It is opened in the background: the service answers before it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from auto_healing.actions.action import Store
from auto_healing.api.services import Stored
from auto_healing.metrics import SERVICE
from auto_healing.past import Past
from auto_healing.plan import Plan
from auto_healing.settings import HealingSettings
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.inbox import Inbox
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.keeping import Keeping
from auto_healing.storage.ledger import Ledger
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.models import SCHEMA
from auto_healing.storage.notified import Notified
from auto_healing.storage.pauses import Pauses
from auto_healing.storage.progress import Progress
from auto_healing.storage.runs import Runs
from auto_healing.storage.shadows import Shadows
from auto_healing.storage.tombstones import Tombstones
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.database.connections import Database
from common.database.opening import Opening
from common.database.work import WorkQueue

MIGRATIONS = "auto_healing:migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What there is once the database is open. `leading` has connections of its own, for the election."""

    leading: Database
    queue: WorkQueue
    jobs: Jobs
    past: Past
    progress: Progress
    notified: Notified
    stored: Stored


class Storage(Opening[Opened]):
    """Makes what rests on the database."""

    def __init__(
        self,
        settings: HealingSettings,
        clock: Clock,
        past: Past,
        *,
        snapshot: Callable[[], ClusterSnapshot],
        approval: Callable[[Plan], timedelta],
        on_events: Callable[[int], None],
    ) -> None:
        super().__init__(settings.database, clock, schema=SCHEMA, service=SERVICE, scripts=MIGRATIONS)
        self._clock = clock
        self._past = past
        self._approval = approval
        self._on_events = on_events
        self._snapshot = snapshot

    @property
    def stored(self) -> Stored | None:
        return None if self.opened is None else self.opened.stored

    async def close(self) -> None:
        if self.opened is not None:
            await self.opened.queue.close()
        await super().close()

    async def _made(self, database: Database, leading: Database) -> Opened:
        queue = WorkQueue(database.target, self._pools)
        await queue.open()
        jobs, past = Jobs(queue), self._past
        return Opened(
            leading=leading,
            queue=queue,
            jobs=jobs,
            past=past,
            progress=Progress(database, jobs, past),
            notified=Notified(database),
            stored=Stored(
                database=database,
                inbox=Inbox(database, on_new=self._on_events),
                ledger=Ledger(database),
                runs=Runs(database, jobs, self._clock, past, self._snapshot, approval=self._approval),
                pauses=Pauses(database),
                evidence=EvidenceStore(database),
                manifests=Manifests(database),
                changes=Changes(database),
                tombstones=Tombstones(database),
                shadows=Shadows(database),
            ),
        )


def store_of(stored: Stored, clock: Clock, run_id: UUID, epoch: int) -> Store:
    """What the actions of one run keep their evidence, manifests and temporary changes in."""
    return Keeping(
        database=stored.database,
        tombstones=stored.tombstones,
        evidence=stored.evidence,
        manifests=stored.manifests,
        changes=stored.changes,
        clock=clock,
        run_id=run_id,
        epoch=epoch,
    )
