"""A healer's clock is set forward by a day, and back: approvals and leases end early, which is safe, and stay ended."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.healing_service import HealingService
from tests.support.healing_shifted import POLICY, VARIABLE, Calendar, ShiftedHealing
from tests.support.healing_team import GUARDS, a_shop, all_in_order, as_user, break_one, nodes_of, team_of, was_replaced

from devcluster import DevCluster
from devcluster.api import collection

pytestmark = [pytest.mark.cluster, pytest.mark.database]

A_DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    with a_shop("cart") as cluster:
        yield cluster


async def test_approvals_and_leases_end_by_the_clock_once_and_for_all(
    shop: DevCluster, healing_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set forward by a day they end early, which is safe; set back they do not come to life again."""
    calendar = Calendar(tmp_path)
    calendar.set(timedelta())
    monkeypatch.setenv(VARIABLE, str(calendar.file))
    policy = POLICY.format(mode="approve", guards=GUARDS)
    node = nodes_of(shop)[-1]
    async with team_of(shop.kubeconfig, healing_url, tmp_path, policy) as team:
        healer = await team.start_healer(service=ShiftedHealing)
        await healer.storing()
        wanted = {"action": "cordon", "target": {"kind": "Node", "name": node}, "reason": "a test wants it"}

        async def accepted() -> bool:
            return (await healer.answer("/api/v1/runs", "POST", json=wanted)).status_code == 202

        await healer.eventually(accepted)
        await healer.eventually(lambda: cordoned(shop, node))
        victim = await break_one(shop, "cart")
        waits = await waiting(healer, victim)

        calendar.set(A_DAY)
        await healer.says("expired", "delete-pod", within=120, name=victim)

        async def lifted() -> bool:
            return not await cordoned(shop, node)

        await healer.eventually(lifted)
        calendar.set(timedelta())
        late = await healer.answer(f"/api/v1/runs/{waits['id']}/approve", "POST", **as_user("alice"))
        assert late.status_code == 409, late.text
        again = await waiting(healer, victim)  # another one is proposed, since the cause lasts
        assert again["id"] != waits["id"]
        yes = await healer.answer(f"/api/v1/runs/{again['id']}/approve", "POST", **as_user("alice"))
        assert yes.status_code == 200, yes.text
        await was_replaced(healer, shop, victim)
        assert not await cordoned(shop, node)
        assert healer.log.count("this replica leads") == 1  # it never lost that
        await all_in_order(healer, shop)


async def waiting(healer: HealingService, pod: str) -> dict[str, Any]:
    """The run about the pod that waits for approval, waited for."""
    found = await healer.until(
        "runs", lambda page: page["items"], namespace="shop", name=pod, state="awaiting-approval"
    )
    run: dict[str, Any] = found["items"][0]
    return run


async def cordoned(cluster: DevCluster, node: str) -> bool:
    found = await asyncio.to_thread(cluster.api.get, f"{collection('v1/nodes')}/{node}")
    return bool(found["spec"].get("unschedulable"))
