"""A ClusterWatch over a stand-in API server, hasty enough for tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.apiserver import StandIn, kubeconfig_for
from tests.support.waiting import eventually

from common.cluster.kinds import KINDS, Kind
from common.cluster.reflector import Pace
from common.cluster.watch import ClusterWatch
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.retry import Backoff
from common.kube.settings import KubeSettings

HASTY = Pace(
    page=3,
    silence_seconds=60.0,
    unseen_seconds=(0.1, 0.2),
    backoff=Backoff(first_seconds=0.02, longest_seconds=0.1),
)


def kinds(*names: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if kind.name in names)


@asynccontextmanager
async def connected(stand_in: StandIn, folder: Path, user: Any = None, **settings: Any) -> AsyncIterator[Api]:
    file = folder / "kubeconfig"
    file.write_text(json.dumps(kubeconfig_for(stand_in.url, user)))
    async with await connect(KubeSettings(kubeconfig=file, **settings)) as api:
        yield api


@asynccontextmanager
async def following(api: Api, kinds: Sequence[Kind], pace: Pace = HASTY) -> AsyncIterator[ClusterWatch]:
    """Runs until the block ends; a watch that dies fails the test."""
    watch = ClusterWatch(api, kinds=kinds, pace=pace)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)
