"""The database and all that rests on it. It is opened in the background: the service answers before it is there."""

import asyncio
import logging
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
from auto_healing.storage.pauses import Pauses
from auto_healing.storage.progress import Progress
from auto_healing.storage.runs import Runs
from auto_healing.storage.shadows import Shadows
from auto_healing.storage.tombstones import Tombstones
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.database.connections import Database
from common.database.embedded import EmbeddedFailed
from common.database.errors import DatabaseError
from common.database.migrate import MigrationFailed
from common.database.source import DatabaseSource
from common.database.work import WorkQueue
from common.logs import Complaint

logger = logging.getLogger(__name__)

MIGRATIONS = "auto_healing:migrations"
_AGAIN_SECONDS = 2.0
_LEADING_CONNECTIONS = 3  # the lock, the look at who leads, the claim: what readers must never hold up


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What there is once the database is open. `leading` has connections of its own, for the election."""

    leading: Database
    queue: WorkQueue
    jobs: Jobs
    past: Past
    progress: Progress
    stored: Stored


class Storage:
    """Opened once; says why while it is not."""

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
        self.opened: Opened | None = None
        self.reason = "the database is not open yet"
        self._settings = settings
        self._clock = clock
        self._past = past
        self._approval = approval
        self._on_events = on_events
        self._snapshot = snapshot
        self._source = DatabaseSource(settings.database, schema=SCHEMA, service=SERVICE, scripts=MIGRATIONS)
        self._complaint = Complaint(logger, clock)

    @property
    def stored(self) -> Stored | None:
        return None if self.opened is None else self.opened.stored

    async def open(self) -> Opened:
        """Start or find the database and bring its tables up to date, as often as it takes."""
        while self.opened is None:
            try:
                self.opened = await self._open()
            except (DatabaseError, EmbeddedFailed, MigrationFailed) as error:
                self.reason = f"the database cannot be opened: {error}"
                self._complaint.warn(f"{self.reason}; trying again")
                await asyncio.sleep(_AGAIN_SECONDS)
        self.reason = ""
        return self.opened

    async def trouble(self) -> str | None:
        """Why nothing can be stored; None when all is well. For a probe, which the public may read."""
        if self.opened is None:
            return self.reason
        return await self.opened.stored.database.trouble()

    async def close(self) -> None:
        """Let go of the database; an embedded one ends when nobody else holds it."""
        if self.opened is not None:
            await self.opened.queue.close()
            await self.opened.stored.database.close()
            await self.opened.leading.close()
        await self._source.close()

    async def _open(self) -> Opened:
        target, pools = await self._source.ready(), self._settings.database
        database = Database(target, pools)
        queue = WorkQueue(target, pools)
        await queue.open()
        jobs, past = Jobs(queue), self._past
        return Opened(
            leading=Database(target, pools.model_copy(update={"pool_size": _LEADING_CONNECTIONS})),
            queue=queue,
            jobs=jobs,
            past=past,
            progress=Progress(database, jobs, past),
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
