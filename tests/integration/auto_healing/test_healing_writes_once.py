"""Writes to a server that is busy, breaks, or answers late: never twice, and never by who no longer leads."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.apiserver import StandIn, status_body
from tests.support.following import connected

from auto_healing.kube.cluster import NotActing
from auto_healing.kube.live import LiveCluster
from common.clock import SystemClock
from common.contracts import ObjectRef
from common.kube.errors import Unavailable

POD = ObjectRef(kind="Pod", namespace="shop", name="web-1", uid="u-1")
PATH = "/api/v1/namespaces/shop/pods/web-1"
BUSY = status_body(429, "too many requests")


@asynccontextmanager
async def a_cluster(
    folder: Path, may_write: Callable[[], bool] = lambda: True
) -> AsyncIterator[tuple[StandIn, LiveCluster]]:
    async with StandIn().serving() as server, connected(server, folder) as api:
        yield server, LiveCluster(api, may_write, SystemClock())


def sent(server: StandIn, method: str) -> int:
    return sum(each == method for each, _, _ in server.requests)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_what_may_have_been_done_is_not_done_again(tmp_path: Path, status: int) -> None:
    async with a_cluster(tmp_path) as (server, cluster):
        for path in (PATH, f"{PATH}/eviction", "/api/v1/namespaces/shop/pods"):
            server.answer_always(path, status, status_body(status, "something broke"))
        manifest = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}}
        for write in (
            cluster.evict(POD),
            cluster.create(manifest),
            cluster.delete(POD),
            cluster.patch(POD, {"metadata": {"labels": {"a": "b"}}}),
        ):
            with pytest.raises(Unavailable, match="something broke"):
                await write
        assert (sent(server, "POST"), sent(server, "DELETE"), sent(server, "PATCH")) == (2, 1, 1)


async def test_a_busy_server_is_asked_again_since_it_did_nothing(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as (server, cluster):
        server.answer(PATH, 429, BUSY, times=2)
        server.answer(PATH, 200, b"{}")
        assert await cluster.delete(POD)
        assert sent(server, "DELETE") == 3


async def test_who_stops_leading_between_two_attempts_sends_no_second(tmp_path: Path) -> None:
    leads = iter([True, False])
    async with a_cluster(tmp_path, lambda: next(leads)) as (server, cluster):
        server.answer_always(PATH, 429, BUSY)
        with pytest.raises(NotActing):
            await cluster.delete(POD)
        assert sent(server, "DELETE") == 1
