"""`auto-healing serve` beside `health-monitor serve`, each a process of its own, over one database."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.service import AUTO_HEALING, Json, Service, free_port, running, start_program


class HealingService(Service):
    """A running auto_healing."""

    program = AUTO_HEALING

    async def ledger(self, **filters: Any) -> list[Json]:
        """All entries, oldest first."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("audit", limit=500, **cursor, **filters)
            found += page["items"]
            if page["next_cursor"] is None:
                return found[::-1]
            cursor = {"cursor": page["next_cursor"]}

    async def says(self, event: str, action: str = "", *, within: float, **fields: str) -> Json:
        """The first entry of the ledger with these fields, waited for."""
        wanted = {"event": event, "action": action, **fields}

        found: list[Json] = []

        async def is_there() -> Json | None:
            found[:] = await self.ledger()
            return next((each for each in found if all(each[name] == wanted[name] for name in wanted)), None)

        try:
            entry: Json = await self.eventually(is_there, within)
        except AssertionError as error:
            told = [
                f"{each['event']} {each['action']} {each['name']}: {each['message']}" for each in await self.ledger()
            ]
            raise AssertionError(f"the ledger never said {wanted}; it says:\n" + "\n".join(told[-60:])) from error
        return entry


@asynccontextmanager
async def healing_pair(
    kubeconfig: Path,
    database_url: str,
    policy: Path,
    *,
    healing: Mapping[str, object] | None = None,
    token: str | None = None,
    **monitor_settings: object,
) -> AsyncIterator[tuple[Service, HealingService]]:
    """Both services, and the webhook between them; `healing` are more settings of auto_healing, `token` is a test's."""
    port = free_port()
    async with running(kubeconfig, database_url, **monitor_settings) as monitor:
        await monitor.storing()
        answer = await monitor.answer(
            "/api/v1/subscriptions", "POST", json={"url": f"http://127.0.0.1:{port}/api/v1/events"}
        )
        assert answer.status_code == 201, answer.text
        secret = answer.json()["secret"]
        settings = {
            "CLUSTER__NAME": "test",
            "MONITOR__URL": monitor.url,
            "MONITOR__TOKEN": monitor.token,
            "MONITOR__WEBHOOK_SECRETS": secret,
            "POLICY__FILE": policy,
            **(healing or {}),
        }
        with tempfile.TemporaryDirectory(prefix="auto-healing-") as folder:
            healer = start_program(
                HealingService, kubeconfig, Path(folder), database_url, settings, port=port, token=token
            )
            healer.secrets += [secret, monitor.token]
            monitor.secrets.append(secret)
            try:
                await healer.storing()
                yield monitor, healer
            finally:
                await healer.close()
