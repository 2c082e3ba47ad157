"""A full ledger: how fast it is written, how long its proof takes over the API, and how much memory that needs.

The proof runs in a process of its own (`python -m bench.audit_verify URL`), which is started anew for each reading.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx

from auto_healing.api import audit
from auto_healing.storage.ledger import Entry, Ledger
from bench.figure import Benchmark, Figure
from bench.postgres import temporary_postgres
from bench.processes import peak_mib
from common.contracts import ObjectKey
from common.database.connections import Database
from common.database.engine import Target
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token

ENTRIES, QUICK_ENTRIES = 1_000_000, 10_000
AT_ONCE = 500  # of one transaction, as a storm of decisions makes them
START = datetime(2026, 1, 1, tzinfo=UTC)
ID = "healing.audit_verify"


def _database(url: str) -> Database:
    return Database(Target.of(url, schema="healing", service="bench"), DatabaseSettings())


def _entry(number: int) -> Entry:
    """A refusal, which most entries are."""
    return Entry(
        event="declined",
        at=START + timedelta(seconds=number),
        object=ObjectKey("Pod", f"team-{number % 40}", f"checkout-7d4b9c-{number % 5000:05}"),
        run_id=UUID(int=number) if number % 3 == 0 else None,
        code="pod-crash-loop",
        action="restart-rollout",
        outcome="declined",
        actor="policy",
        guard="cooldown",
        message=f"its owner was acted upon {number % 600} s ago, and may be again in {600 - number % 600} s",
        data={
            "rule": "crash-loops",
            "numbers": {"seconds": number % 600, "cooldown_seconds": 600, "attempts": number % 3},
            "look_again_at": (START + timedelta(seconds=number + 600)).isoformat(),
        },
    )


async def _filled(url: str, entries: int) -> list[float]:
    """Entries per second, of each tenth."""
    await upgrade(Target.of(url, schema="healing", service="bench"), "auto_healing:migrations")
    database, rates = _database(url), []
    ledger, part = Ledger(database), entries // 10
    for first in range(0, entries, part):
        began = time.monotonic()
        for start in range(first, first + part, AT_ONCE):
            await ledger.append(*map(_entry, range(start, min(start + AT_ONCE, first + part))))
        rates.append(part / (time.monotonic() - began))
    await database.close()
    return rates


async def _verify(url: str) -> dict[str, Any]:
    """Ask the API once; what it answered, how long that took and the highest memory of this process."""
    database = _database(url)
    token, known = new_token("bench", Scope.READ)
    app = create_app(
        "auto_healing",
        "bench",
        routers=[audit.router],
        authenticator=StaticTokens.parse(known),
        probes=(),
        metrics=ServiceMetrics("auto_healing", "bench"),
        settings=WebSettings(),
    )
    app.state.services = SimpleNamespace(storage=SimpleNamespace(stored=SimpleNamespace(ledger=Ledger(database))))
    transport, headers = httpx.ASGITransport(app), {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers, timeout=None) as client:
        began = time.monotonic()
        answer = await client.get("/api/v1/audit/verify")
        seconds = time.monotonic() - began
    await database.close()
    return {"proof": answer.raise_for_status().json(), "seconds": seconds, "peak_mib": peak_mib(os.getpid())}


async def _verified(url: str, entries: int) -> tuple[float, float]:
    """Seconds and MiB, from another process. Raises unless it proved every entry."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.audit_verify", url, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the process that proves the ledger ended with {process.returncode}")
    result = json.loads(told.splitlines()[-1])
    if not result["proof"]["intact"] or result["proof"]["entries"] != entries:
        raise RuntimeError(f"the ledger does not prove: {result['proof']}")
    return result["seconds"], result["peak_mib"]


async def run(quick: bool) -> list[Figure]:
    entries, rounds = (QUICK_ENTRIES, 1) if quick else (ENTRIES, 3)
    async with temporary_postgres() as url:
        rates = await _filled(url, entries)
        readings = [await _verified(url, entries) for _ in range(rounds)]
    conditions = f"{entries:,} refusals with three numbers each, PostgreSQL on the same machine"
    proof = f"{conditions}; GET /api/v1/audit/verify in a process of its own, every hash computed anew"
    return [
        Figure(
            id=f"{ID}.seconds",
            what="proof of the whole ledger",
            unit="s",
            target=60,
            better="lower",
            runs=[seconds for seconds, _ in readings],
            conditions=proof,
        ),
        Figure(
            id=f"{ID}.memory",
            what="highest memory of the process that proves it",
            unit="MiB",
            target=256,
            better="lower",
            runs=[mib for _, mib in readings],
            conditions=proof,
        ),
        Figure(
            id="healing.audit_append",
            what="entries appended to the ledger",
            unit="entries/s",
            target=5_000,
            better="higher",
            runs=rates,
            conditions=f"{conditions}; {AT_ONCE} in a transaction, one writer; ten readings while it grows",
        ),
    ]


BENCHMARK = Benchmark(
    id=ID, title="the proof of a ledger of a million entries", run=run, family=("healing.audit_append",)
)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_verify(sys.argv[1]))))
