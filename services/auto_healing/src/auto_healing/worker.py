"""The duty of a leader towards runs: take over what is unfinished, then carry out and watch."""

import asyncio
import logging
from collections.abc import Callable
from itertools import count

from auto_healing.execute import Executor
from auto_healing.execute.attempts import DATABASE_AWAY, pause
from auto_healing.storage.fence import Deposed
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.runs import Runs
from auto_healing.watch_runs import RunWatch

logger = logging.getLogger(__name__)

# Runs at the same time, of different targets. The guards bound how much is done to the cluster.
CONCURRENCY = 10
# A step is not left half done for want of a moment, and what waits for minutes is taken up by the next leader.
_GRACE_SECONDS = 5.0


class Worker:
    """`run` belongs to the duties of a leader: it is cancelled when this replica leads no more."""

    def __init__(
        self, jobs: Jobs, runs: Runs, executor: Executor, watch: RunWatch, leads: Callable[[], int | None]
    ) -> None:
        self._jobs = jobs
        self._runs = runs
        self._watch = watch
        self._leads = leads
        jobs.carried_out_by(executor.carry_out)

    async def run(self) -> None:
        """Until cancelled, or until another replica leads."""
        epoch = self._leads()
        if epoch is None or not await self._take_over(epoch):
            return
        async with asyncio.TaskGroup() as group:
            working = group.create_task(
                self._jobs.queue.run_worker(concurrency=CONCURRENCY, grace_seconds=_GRACE_SECONDS)
            )
            await self._watch.run(epoch)
            working.cancel()

    async def _take_over(self, epoch: int) -> bool:
        """Nothing is done before the past is known. False when another replica leads by now."""
        for tries in count():
            try:
                for run in await self._runs.take_over(epoch=epoch):
                    logger.info("run %s is taken up again: it was %s", run.id, run.state)
                await self._jobs.delete_old()
            except Deposed:
                return False
            except DATABASE_AWAY as error:
                logger.warning("unfinished runs cannot be read yet: %s", error)
                await pause(tries)
            else:
                return True
        return False
