"""Telling alert_service what the ledger says: from a stored place, at least once, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_database import claim_healing
from tests.support.waiting import eventually

from auto_healing.alert_service import AlertService, AlertServiceUnavailable
from auto_healing.metrics import Metrics
from auto_healing.notifier import Notifier
from auto_healing.storage.fence import Deposed
from auto_healing.storage.ledger import Entry, Ledger
from auto_healing.storage.notified import Notified
from common.contracts import Notice, ObjectKey
from common.database.connections import Database
from common.metrics import ServiceMetrics

pytestmark = pytest.mark.database

DATA = {"rule": "crash-loops", "mode": "auto", "rung": 0}


@dataclass
class Taker:
    """alert_service as seen from here. `status` says what it answers to a notice."""

    status: Callable[[Notice], int] = lambda notice: 204
    taken: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        assert (request.method, request.url.path) == ("POST", "/api/v1/notices")
        notice = Notice.model_validate_json(request.content)
        status = self.status(notice)
        if status == 0:
            raise httpx.ConnectError("connection refused")
        if status == 204:
            self.taken.append(notice.subject.name)
        return httpx.Response(status, text="as it says")


@dataclass
class Telling:
    """The notifier of one replica."""

    notifier: Notifier
    notified: Notified
    ledger: Ledger
    taker: Taker
    metrics: Metrics
    epoch: int

    async def declined(self, *names: str) -> None:
        await self.ledger.append(*(refusal(name) for name in names))

    async def step(self) -> bool:
        return await self.notifier.step(self.epoch)

    async def all(self) -> None:
        while await self.step():
            pass

    def counted(self, outcome: str) -> float:
        found = self.metrics.registry.get_sample_value(
            "auto_healing_notices_total", {"kind": "declined", "outcome": outcome}
        )
        return found or 0.0


def refusal(name: str) -> Entry:
    return Entry(
        event="declined",
        at=SteppedClock().now(),
        actor="policy",
        object=ObjectKey("Pod", "shop", name),
        action="delete-pod",
        guard="cooldown",
        message="not yet",
        data=DATA,
    )


@asynccontextmanager
async def a_telling(database: Database, taker: Taker | None = None) -> AsyncIterator[Telling]:
    taker = taker or Taker()
    client = AlertService("http://alerts", "secret", transport=httpx.MockTransport(taker))
    metrics = Metrics(ServiceMetrics("auto_healing", "1.0"))
    notified = Notified(database)
    notifier = Notifier(client, notified, cluster="test", clock=SteppedClock(), metrics=metrics)
    yield Telling(notifier, notified, Ledger(database), taker, metrics, await claim_healing(database))
    await client.close()


async def test_what_was_written_before_it_was_set_up_is_the_past(healing_database: Database) -> None:
    async with a_telling(healing_database) as telling:
        await telling.declined("long-ago")
        assert not await telling.step()
        await telling.declined("web-1", "web-2")
        await telling.all()
        assert sorted(telling.taker.taken) == ["web-1", "web-2"]
        assert await telling.notified.place() == (3, 3)


@pytest.mark.parametrize("status", [0, 401, 404, 429, 500, 503])
async def test_what_is_not_taken_is_told_again(healing_database: Database, status: int) -> None:
    once = [status]
    taker = Taker(lambda notice: once.pop() if notice.subject.name == "web-2" and once else 204)
    async with a_telling(healing_database, taker) as telling:
        await telling.step()
        await telling.declined("web-1", "web-2", "web-3")
        with pytest.raises(AlertServiceUnavailable):
            await telling.step()
        assert (await telling.notified.place())[0] == 0
        await telling.all()
        assert {"web-1", "web-2", "web-3"} == set(taker.taken)


async def test_a_notice_that_cannot_be_read_there_holds_up_no_other(healing_database: Database) -> None:
    taker = Taker(lambda notice: 400 if notice.subject.name == "web-1" else 204)
    async with a_telling(healing_database, taker) as telling:
        await telling.step()
        await telling.declined("web-1", "web-2")
        await telling.all()
        assert taker.taken == ["web-2"]
        assert (telling.counted("refused"), telling.counted("told")) == (1, 1)


async def test_those_about_one_object_come_in_their_order_and_a_long_backlog_comes_to_its_end(
    healing_database: Database,
) -> None:
    async with a_telling(healing_database) as telling:
        await telling.step()
        await telling.declined(*(f"web-{number % 7}" for number in range(350)))
        await telling.all()
        assert len(telling.taker.taken) == 350
        assert await telling.notified.place() == (350, 350)


async def test_a_replica_that_leads_no_more_moves_nothing_and_the_next_tells_the_rest(
    healing_database: Database,
) -> None:
    async with a_telling(healing_database) as old:
        await old.step()
        await old.declined("web-1")
        async with a_telling(healing_database) as new:
            with pytest.raises(Deposed):
                await old.step()
            await new.all()
            assert new.taker.taken == ["web-1"]


async def test_while_nothing_is_taken_it_says_why_and_then_goes_on(healing_database: Database) -> None:
    down = [503]
    async with a_telling(healing_database, Taker(lambda notice: down[0])) as telling:
        await telling.step()
        await telling.declined("web-1")
        task = asyncio.create_task(telling.notifier.run(telling.epoch))
        try:
            await eventually(telling.notifier.trouble)
            assert "answers 503: as it says" in telling.notifier.reason
            down[0] = 204

            async def told() -> bool:
                return await telling.notified.place() == (1, 1) and await telling.notifier.trouble() is None

            await eventually(told)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert telling.taker.taken == ["web-1"]
