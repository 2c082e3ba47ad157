"""Keeps the gauges right while this replica leads: what is counted is the same for all replicas, and told by one."""

import asyncio
import logging
from collections.abc import Callable

from alert_service.storage.counts import Counts, count
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0


class Counting:
    """`on_counted` is told of every count, and None once nobody counts here any more."""

    def __init__(self, database: Database, clock: Clock, *, on_counted: Callable[[Counts | None], None]) -> None:
        self._database = database
        self._on_counted = on_counted
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    self._on_counted(await count(self._database))
                    self._complaint.over()
                except DatabaseError as error:
                    self._complaint.warn(f"the gauges wait for the database: {error}")
                await asyncio.sleep(_EVERY_SECONDS)
        finally:
            self._on_counted(None)
