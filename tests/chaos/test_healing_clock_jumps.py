"""The clock of a whole healer is set forward and back while it works: nothing is done twice, all is accounted for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.healing_service import HealingService
from tests.support.healing_shifted import POLICY, VARIABLE, Calendar, ShiftedHealing
from tests.support.healing_team import GUARDS, a_shop, all_in_order, break_one, team_of, was_replaced

from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]

NAMES = ("cart", "checkout")
# Less than `lease_age`: kubelets renew the Leases of nodes by their own clocks, and a healer far ahead is blind.
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    with a_shop(*NAMES) as cluster:
        yield cluster


async def test_set_forward_and_back_it_heals_each_fault_once(
    shop: DevCluster, healing_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = Calendar(tmp_path)
    calendar.set(HALF_AN_HOUR)
    monkeypatch.setenv(VARIABLE, str(calendar.file))
    policy = POLICY.format(mode="auto", guards=GUARDS)
    async with team_of(shop.kubeconfig, healing_url, tmp_path, policy) as team:
        healer = await team.start_healer(service=ShiftedHealing)
        await healer.storing()
        victims = []
        for name, shift in (("cart", timedelta()), ("checkout", HALF_AN_HOUR)):
            victims.append(await break_one(shop, name))
            await healer.says("verifying", "delete-pod", within=180, name=victims[-1])
            calendar.set(shift)  # back, and then forward again, while the effect is watched
            await was_replaced(healer, shop, victims[-1])
        assert healer.log.count("this replica leads") == 1  # it never lost that
        for victim in victims:
            await was_replaced(healer, shop, victim)  # still once
        await in_order_of_what_happened(healer, victims)
        await all_in_order(healer, shop)


async def in_order_of_what_happened(healer: HealingService, victims: list[str]) -> None:
    """What the ledger tells of each run follows one upon the other, whatever its clock said."""
    ledger = await healer.ledger()
    assert [entry["seq"] for entry in ledger] == sorted({entry["seq"] for entry in ledger})
    for victim in victims:
        told = [entry["event"] for entry in ledger if entry["name"] == victim and entry["run_id"]]
        kept = ("proposed", "step-started", "step-ended", "verifying", "healed")
        assert [event for event in told if event in kept] == list(kept), told
