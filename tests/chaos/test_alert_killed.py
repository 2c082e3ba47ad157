"""SIGKILL amid the posts of Alertmanager: what was answered with 200 is there, and took effect once."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import httpx
import pytest
from tests.support.alert_intake import a_post, an_alert
from tests.support.alert_service import AlertService
from tests.support.service import free_port, start_program

pytestmark = pytest.mark.database

CONNECTIONS, POSTS = 8, 240
PATH = "/api/v1/webhooks/alertmanager"


class Alertmanager:
    """Posts each group until it is answered with 200, as Alertmanager does on whatever else happens."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._waiting = iter(range(POSTS))
        self.answered: list[int] = []

    async def run(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, limits=limits, timeout=30) as http:
            await asyncio.gather(*(self._connection(http) for _ in range(CONNECTIONS)))

    async def _connection(self, http: httpx.AsyncClient) -> None:
        for number in self._waiting:
            body = a_post(an_alert(f"checkout-{number}"), an_alert(f"search-{number}"), group=f"group {number}")
            while not await self._taken(http, body):
                await asyncio.sleep(0.05)
            self.answered.append(number)

    async def _taken(self, http: httpx.AsyncClient, body: bytes) -> bool:
        try:
            return (await http.post(PATH, content=body)).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="alert-service-") as folder:
        yield Path(folder)


async def test_what_was_answered_took_effect_once_whenever_it_was_killed(alert_url: str, folder: Path) -> None:
    port, token, luck = free_port(), "0123456789abcdef", Random()
    service = start_program(AlertService, None, folder, alert_url, {}, port=port, token=token)
    try:
        await service.ready()
        alertmanager = Alertmanager(service.url, token)
        posting = asyncio.create_task(alertmanager.run())
        await reaches(alertmanager, POSTS // 3)
        await asyncio.sleep(luck.uniform(0, 0.2))
        await service.kill()
        await service.close()
        service = start_program(AlertService, None, folder, alert_url, {}, port=port, token=token)
        async with asyncio.timeout(120):
            await posting
        await service.ready()
        await service.reaches("inbox_waiting", lambda value: value == 0)
        await service.until("incidents", lambda page: len(page["items"]) == POSTS, limit=500)
        incidents = await service.incidents(limit=500)
    finally:
        await service.close()
    assert sorted(alertmanager.answered) == list(range(POSTS))
    assert sorted(each["group_key"] for each in incidents) == sorted(f"group {number}" for number in range(POSTS))
    assert {(each["state"], each["alerts"], each["firing"]) for each in incidents} == {("firing", 2, 2)}


async def reaches(alertmanager: Alertmanager, answers: int) -> None:
    async with asyncio.timeout(120):
        while len(alertmanager.answered) < answers:
            await asyncio.sleep(0.005)
