"""A program that heals, and is killed at one named point: `python healing_killed.py '<JSON>'`.

For each (point, plan) it forks a leader that takes the plan from proposed to healed, and kills itself with SIGKILL when
it comes to the point. Points are named after what is under way, and whether it is before or after its commit, or its
request to the API server: `start_step:before`. It prints how each of its children ended.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from tests.support.healing_database import healing_target
from tests.support.healing_execution import Execution, an_execution

from auto_healing.actions import ACTIONS
from auto_healing.kube.live import LiveCluster
from auto_healing.plan import Plan
from auto_healing.run import RunState
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.keeping import Keeping
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.plan_json import from_json
from auto_healing.storage.tombstones import Tombstones
from common.clock import SystemClock
from common.cluster.store import Store
from common.cluster.watch import ClusterWatch
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings

_under_way: ContextVar[str] = ContextVar("under_way", default="")
SECONDS = 60


class Deadly:
    """Where to die."""

    def __init__(self, point: str) -> None:
        self._point = point

    def at(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    def within(self, owner: Any, *names: str) -> None:
        """Commits that happen within these methods are named after them."""
        for name in names:
            self._name(owner, name, getattr(owner, name))

    def _name(self, owner: Any, name: str, method: Any) -> None:
        async def named(*arguments: Any, **options: Any) -> Any:
            token = _under_way.set(name)
            try:
                return await method(*arguments, **options)
            finally:
                _under_way.reset(token)

        setattr(owner, name, named)

    def around(self, owner: Any, *names: str) -> None:
        """Requests to the API server."""
        for name in names:
            self._surround(owner, name, getattr(owner, name))

    def _surround(self, owner: Any, name: str, method: Any) -> None:
        async def surrounded(*arguments: Any, **options: Any) -> Any:
            self.at(f"{name}:before")
            result = await method(*arguments, **options)
            self.at(f"{name}:after")
            return result

        setattr(owner, name, surrounded)


class DeadlyDatabase(Database):
    """Dies before or after a commit."""

    deadly: Deadly

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        name = _under_way.get()
        async with super().begin() as connection:
            yield connection
            self.deadly.at(f"{name}:before")
        self.deadly.at(f"{name}:after")


class Named:
    """A store whose calls are named."""

    def __init__(self, keeping: Keeping, deadly: Deadly) -> None:
        self.save_evidence, self.save_manifest = keeping.save_evidence, keeping.save_manifest
        self.lease, self.release = keeping.lease, keeping.release
        deadly.within(self, "save_evidence", "save_manifest", "lease", "release")


@asynccontextmanager
async def seen(api: Api) -> AsyncIterator[Store]:
    """A live view of the cluster."""
    watch = ClusterWatch(api, clock=SystemClock())
    watching = asyncio.create_task(watch.run())
    try:
        await watch.synced.wait()
        yield watch.store
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def a_leader(kubeconfig: Path, url: str, deadly: Deadly, *, snapshot: Any = None) -> AsyncIterator[Execution]:
    """With the real API server, the real actions and the real stores."""
    database = DeadlyDatabase(healing_target(url), DatabaseSettings())
    database.deadly = deadly
    clock = SystemClock()

    def store_of(run_id: UUID, epoch: int) -> Any:
        keeping = Keeping(
            database=database,
            evidence=EvidenceStore(database),
            manifests=Manifests(database),
            changes=Changes(database),
            tombstones=Tombstones(database),
            clock=clock,
            run_id=run_id,
            epoch=epoch,
        )
        return Named(keeping, deadly)

    async with await connect(KubeSettings(kubeconfig=kubeconfig)) as api, seen(api) as watched:
        leading: list[Execution] = []
        live = LiveCluster(api, lambda: bool(leading) and leading[0].epoch is not None, clock)
        deadly.around(live, "delete", "patch", "event")
        async with an_execution(
            url,
            database=database,
            cluster=live,
            snapshot=watched,
            actions=ACTIONS,
            store_of=store_of,
        ) as execution:
            leading.append(execution)
            deadly.within(execution.runs, "propose", "take_over")
            deadly.within(execution.progress, "start_step", "end_step", "start_undo", "end_undo", "end", "want_undo")
            yield execution


async def heal(kubeconfig: Path, url: str, point: str, plan: Plan, undo: bool) -> None:
    async with asyncio.timeout(SECONDS), a_leader(kubeconfig, url, Deadly(point)) as execution, execution.working():
        (answer,) = await execution.runs.propose([plan], epoch=execution.epoch)
        assert answer.run is not None
        await execution.becomes(answer.run.id, RunState.HEALED, RunState.FAILED)
        if undo:
            await execution.runs.ask_undo(answer.run.id, "bob", "not needed any more")
            await execution.becomes(answer.run.id, RunState.UNDONE)


def child(kubeconfig: Path, url: str, point: str, plan: Any, undo: bool) -> int:
    """Its exit status, as waitpid tells it."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(heal(kubeconfig, url, point, from_json(Plan, plan), undo))
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    task = json.loads(sys.argv[1])
    ended = {
        point: child(Path(task["kubeconfig"]), task["url"], point, plan, task["undo"])
        for point, plan in task["deaths"].items()
    }
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
