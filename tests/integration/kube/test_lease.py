"""Leader election on a real API server: one leads, another takes over, and never two at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.apiserver import StandIn
from tests.support.clock import SteppedClock
from tests.support.following import connected, until

from common.clock import SystemClock
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.lease import LeaderElection, LeaseSettings, Standing
from common.kube.settings import KubeSettings
from devcluster import DevCluster

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/monitor"
SETTINGS = LeaseSettings(duration_seconds=3, renew_within_seconds=2.0, retry_seconds=0.2)


@pytest.fixture
async def api(devcluster_shared: DevCluster) -> AsyncIterator[Api]:
    async with await connect(KubeSettings(kubeconfig=devcluster_shared.kubeconfig)) as api:
        yield api


def election(api: Api, namespace: str, identity: str, clock: SteppedClock | SystemClock) -> LeaderElection:
    return LeaderElection(api, namespace=namespace, name="monitor", identity=identity, settings=SETTINGS, clock=clock)


@pytest.mark.cluster
async def test_a_standby_takes_over_when_the_leader_falls_silent(api: Api, namespace: str) -> None:
    first_clock, second_clock = SteppedClock(), SteppedClock()
    first = election(api, namespace, "first", first_clock)
    second = election(api, namespace, "second", second_clock)
    assert await first.attempt() is Standing.LEADING
    assert await second.attempt() is Standing.STANDBY
    assert (second.leader, first.term, first.leading, second.leading) == ("first", 1, True, False)
    first_clock.step(1.0)
    second_clock.step(2.9)
    assert await first.attempt() is Standing.LEADING  # a renewal starts the standby's patience anew
    assert await second.attempt() is Standing.STANDBY
    second_clock.step(2.9)
    assert await second.attempt() is Standing.STANDBY
    first_clock.step(2.1)
    assert not first.leading  # the leader stops by itself before the other begins
    second_clock.step(0.2)
    assert await second.attempt() is Standing.LEADING
    assert (second.term, second.leading) == (2, True)
    assert await first.attempt() is Standing.STANDBY
    assert first.leader == "second"


@pytest.mark.cluster
async def test_clocks_that_disagree_by_hours_do_no_harm(api: Api, namespace: str) -> None:
    ahead, behind = SteppedClock(), SteppedClock()
    ahead.jump(timedelta(hours=4))
    first = election(api, namespace, "first", behind)
    second = election(api, namespace, "second", ahead)
    assert await first.attempt() is Standing.LEADING
    assert await second.attempt() is Standing.STANDBY
    behind.step(1.0)
    assert await first.attempt() is Standing.LEADING


@pytest.mark.cluster
async def test_of_two_who_claim_at_once_one_leads(api: Api, namespace: str) -> None:
    elections = [election(api, namespace, f"replica-{number}", SteppedClock()) for number in range(5)]
    standings = await asyncio.gather(*(one.attempt() for one in elections))
    assert standings.count(Standing.LEADING) == 1
    assert sum(one.leading for one in elections) == 1


@pytest.mark.cluster
async def test_a_leader_that_ends_gives_the_lease_back_at_once(api: Api, namespace: str) -> None:
    told: list[str] = []
    first = election(api, namespace, "first", SystemClock())
    task = asyncio.create_task(first.run(lambda: told.append("held"), lambda: told.append("lost")))
    await until(lambda: told == ["held"])
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert told == ["held", "lost"]
    second = election(api, namespace, "second", SteppedClock())
    assert await second.attempt() is Standing.LEADING
    assert second.term == 2


async def test_a_leader_without_an_api_server_stops_in_time(tmp_path: Path) -> None:
    told: list[str] = []
    path = LEASES.format("x")
    async with StandIn().serving() as server, connected(server, tmp_path, attempts=1) as api:
        lease = b'{"metadata":{"name":"monitor","namespace":"x"},"spec":{"holderIdentity":"me","leaseTransitions":4}}'
        server.answer(path, 200, lease, times=2)
        server.hush(path)
        one = election(api, "x", "me", SystemClock())
        task = asyncio.create_task(one.run(lambda: told.append("held"), lambda: told.append("lost")))
        await until(lambda: told == ["held", "lost"])
        assert one.term == 4
        assert not one.leading
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("duration", "renew", "retry"),
    [
        pytest.param(10, 10.0, 2.0, id="a leader that gives up when the standby begins"),
        pytest.param(10, 2.0, 2.0, id="no second attempt before giving up"),
    ],
)
def test_times_under_which_two_could_lead_are_refused(duration: int, renew: float, retry: float) -> None:
    with pytest.raises(ValueError, match="two may lead at once"):
        LeaseSettings(duration_seconds=duration, renew_within_seconds=renew, retry_seconds=retry)
