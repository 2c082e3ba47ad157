"""The cluster as it is now, read once: every kind listed in pages, several kinds at a time, and nothing watched."""

import asyncio
from collections.abc import Sequence

from common.clock import Clock, SystemClock
from common.cluster.kinds import KINDS, Kind
from common.cluster.reflector import Reflector
from common.cluster.snapshot import SourceState
from common.cluster.store import Store
from common.cluster.usage import UsagePoller
from common.cluster.watch import ask_version
from common.kube.api import Api
from common.kube.errors import KubeError

AT_ONCE = 4  # more would only wait for the API server, and hold their pages meanwhile


async def scan_cluster(
    api: Api, *, clock: Clock | None = None, kinds: Sequence[Kind] = KINDS, namespace: str = ""
) -> Store:
    """A store with all objects, or with those of one namespace.

    Kinds that are forbidden or not served are unseen, as `sources` of the store tells. Raises KubeErrors when the
    server does not answer, or nothing at all can be seen: a report of that would be about nothing.
    """
    clock = clock or SystemClock()
    store = Store(now=clock.now)
    store.server_version = (await ask_version(api)).git_version
    turns = asyncio.Semaphore(AT_ONCE)

    async def list_one(kind: Kind) -> None:
        async with turns:
            await Reflector(api, kind, store, clock, sink=lambda _changes: None).list_once()

    try:
        async with asyncio.TaskGroup() as tasks:
            for kind in kinds:
                tasks.create_task(list_one(kind.within(namespace)))
            for name in ("Node", "Pod"):
                tasks.create_task(UsagePoller(api, name, store, clock, sink=lambda _changes: None).poll())
    except* KubeError as group:
        raise group.exceptions[0] from None
    sources = [store.sources[kind.name] for kind in kinds]
    if all(source.state is SourceState.UNSEEN for source in sources):
        raise KubeError(f"nothing of the cluster can be read; {sources[0].reason}")
    store.expire_events(clock.now())
    store.api = api.statistics.health
    return store
