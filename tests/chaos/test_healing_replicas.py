"""Two healers race over one database, and are killed with work in hand: everything is done once, by one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.healing_service import HealingService
from tests.support.healing_team import (
    GUARDS,
    HEALED_SECONDS,
    PEOPLE,
    a_shop,
    all_in_order,
    as_user,
    break_one,
    team_of,
    was_replaced,
)
from tests.support.service import Json

from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]

POLICY = f"""
version: 1
mode: observe
scope: {{opt_in: false}}
rules:
  - name: by-approval
    mode: approve
    match: {{codes: [pod-crash-loop], levels: [pod], min_age: 1s, labels: {{app.kubernetes.io/name: payment}}}}
    ladder: [{{action: delete-pod, verify: 1m}}, call-a-human]
  - name: crash-loop
    mode: auto
    match: {{codes: [pod-crash-loop], levels: [pod], min_age: 1s}}
    ladder: [{{action: delete-pod, verify: 1m}}, call-a-human]
{GUARDS}
"""


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    with a_shop("cart", "checkout", "search", "payment") as cluster:
        yield cluster


async def leaders(*healers: HealingService) -> list[bool]:
    return [await each.metric("leader") == 1 for each in healers]


async def awaiting(healer: HealingService, **filters: str) -> Json:
    """The run that waits for approval."""
    page = await healer.until("runs", lambda page: page["items"], state="awaiting-approval", **filters)
    run: Json = page["items"][0]
    return run


async def approved(healer: HealingService, pod: str) -> Json:
    """Alice says yes, and once more where a guard has refused it since; the run that healed."""

    async def is_healed() -> Json | None:
        runs = (await healer.get("runs", name=pod))["items"]
        for run in runs:
            if run["state"] == "awaiting-approval":
                await healer.answer(f"/api/v1/runs/{run['id']}/approve", "POST", **as_user("alice"))
        return next((run for run in runs if run["state"] == "healed"), None)

    healed: Json = await healer.eventually(is_healed, HEALED_SECONDS)
    return healed


async def test_whoever_is_killed_each_run_is_done_once_and_by_the_one_that_leads(
    shop: DevCluster, health_url: str, tmp_path: Path
) -> None:
    async with team_of(shop.kubeconfig, health_url, tmp_path, POLICY) as team:
        first = await team.start_healer()
        await first.storing()
        second = await team.start_healer(people=PEOPLE | {"mallory": "approve"})
        await second.ready()
        assert await leaders(first, second) == [True, False]

        # Both hear of it, and one acts. It looks up the rights of whoever approved, and knows nobody of that name.
        victims = [await break_one(shop, "cart")]
        refused = await break_one(shop, "payment")
        run = await awaiting(second, name=refused)
        path = f"/api/v1/runs/{run['id']}/approve"
        assert (await second.answer(path, "POST", **as_user("bob"))).status_code == 403
        assert (await first.answer(path, "POST", **as_user("mallory"))).status_code == 401
        assert (await second.answer(path, "POST", **as_user("mallory"))).status_code == 200
        entry = await second.says("declined", "delete-pod", within=60, guard="approval", name=refused)
        assert "mallory" in entry["message"]

        # Who leads is killed as soon as a run is stored, and the other one takes over.
        victims.append(await break_one(shop, "checkout"))
        await second.says("proposed", "delete-pod", within=60, name=victims[1])
        await first.kill()
        await second.reaches("leader", lambda value: value == 1)
        await second.says("verifying", "delete-pod", within=120, name=victims[1])

        # That one is killed too, and something breaks while nobody is there.
        await second.kill()
        victims.append(await break_one(shop, "search"))
        third = await team.start_healer(instead_of=first)

        # Who may approve, does.
        run = await approved(third, refused)
        for victim in [*victims, refused]:
            await was_replaced(third, shop, victim)
        assert run["approved_by"] == "alice"
        await all_in_order(third, shop)
