"""Readiness names each dependency, and says which one keeps the service from its work."""

import asyncio

import pytest
from tests.support.web import client_of, sample_app

from common.web.probes import Probe, Probes


async def fine() -> str | None:
    return None


async def broken() -> str | None:
    return "not synced: pods"


async def crashing() -> str | None:
    raise ValueError("postgresql://u:hunter2@h/d")


@pytest.mark.parametrize(
    ("probes", "status", "states"),
    [
        pytest.param([], 200, [], id="nothing to wait for"),
        pytest.param([Probe("a", fine)], 200, [("a", "ready", None)], id="all there"),
        pytest.param(
            [Probe("a", fine), Probe("b", broken)],
            503,
            [("a", "ready", None), ("b", "failing", "not synced: pods")],
            id="a required one missing",
        ),
        pytest.param(
            [Probe("b", broken, required=False)],
            200,
            [("b", "degraded", "not synced: pods")],
            id="one missing that it can do without",
        ),
        pytest.param(
            [Probe("c", crashing)],
            503,
            [("c", "failing", "the probe failed with ValueError")],
            id="a probe that breaks, whose error stays inside",
        ),
    ],
)
async def test_readiness(probes: list[Probe], status: int, states: list[tuple[str, str, str | None]]) -> None:
    async with client_of(sample_app(probes=probes)) as client:
        response = await client.get("/readyz")

    body = response.json()
    assert response.status_code == status
    assert body["ready"] is (status == 200)
    assert [(each["name"], each["state"], each["reason"]) for each in body["dependencies"]] == states


async def test_a_dependency_that_hangs_does_not_hang_the_answer() -> None:
    async def hang() -> str | None:
        await asyncio.Event().wait()
        return None

    readiness = await Probes([Probe("slow", hang, timeout_seconds=0.01)]).readiness()

    assert not readiness.ready
    assert readiness.dependencies[0].reason == "no answer within 0.01 s"


async def test_many_who_ask_at_once_are_one_question() -> None:
    asked = 0

    async def count() -> str | None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return None

    probes = Probes([Probe("a", count)])
    await asyncio.gather(*(probes.readiness() for _ in range(20)))

    assert asked == 1


async def test_liveness_needs_neither_a_credential_nor_a_dependency() -> None:
    async with client_of(sample_app(probes=[Probe("b", broken)])) as client:
        response = await client.get("/livez")

    assert response.status_code == 200
