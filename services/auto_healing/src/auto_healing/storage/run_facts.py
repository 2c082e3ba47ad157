"""Reads from runs, ledger and evidence what statistics and recommendations are made of."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.dialects.postgresql import JSONPATH

from auto_healing.plan import Mode
from auto_healing.recommendations import Peaks
from auto_healing.run import RunState
from auto_healing.statistics import OomKill, Refusals, RuleRefusals, RunFact
from auto_healing.storage.evidence import unpacked
from auto_healing.storage.models import evidence, ledger, run
from auto_healing.unanswered import A_PERSON
from common.database.connections import Database

_OOM = '$.fault.findings[*] ? (@.code == "pod-oom-killed").evidence'
_ROWS_AT_ONCE = 1000
_BUNDLES = 50  # that are opened for one answer; each is read and unpacked as a whole
_COLUMNS = (
    *(run.c[name] for name in ("id", "rule", "mode", "action", "owner", "code", "state")),
    *(run.c[name] for name in ("approved_by", "seconds_to_heal", "score_before", "score_after", "recurred_at")),
    run.c.plan["declined"][0]["guard"].astext.label("guard"),
    func.jsonb_path_query_array(run.c.plan, cast(_OOM, JSONPATH)).label("oom"),
)


class RunFacts:
    """Over ranges of time: `since` is included, `until` is not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def runs(self, since: datetime, until: datetime) -> list[RunFact]:
        """Those that were proposed within the range."""
        wanted = select(*_COLUMNS).where(run.c.created_at >= since, run.c.created_at < until)
        facts: list[RunFact] = []
        page = {"yield_per": _ROWS_AT_ONCE}
        async with self._database.begin() as connection, connection.stream(wanted, execution_options=page) as rows:
            async for part in rows.partitions(_ROWS_AT_ONCE):
                facts += [_fact(row) for row in part]
        return facts

    async def refusals(self, since: datetime, until: datetime) -> list[Refusals]:
        """By guard."""
        by_object = (ledger.c.guard, ledger.c.kind, ledger.c.namespace, ledger.c.name)
        # Grouped twice: to count distinct objects in one go would sort all entries.
        of_objects = (
            select(*by_object, func.count().label("times"))
            .where(ledger.c.at >= since, ledger.c.at < until, ledger.c.guard != "")
            .group_by(*by_object)
            .subquery()
        )
        times = cast(func.sum(of_objects.c.times), BigInteger)
        counted = select(of_objects.c.guard, times.label("times"), func.count().label("objects")).group_by(
            of_objects.c.guard
        )
        async with self._database.begin() as connection:
            return [Refusals(**row._mapping) for row in await connection.execute(counted)]

    async def refusals_of_rules(self, since: datetime, until: datetime) -> list[RuleRefusals]:
        """By rule and guard; a person's no to a run is no guard's."""
        rule = ledger.c.data["rule"].as_string()
        counted = (
            select(rule.label("rule"), ledger.c.guard, func.count().label("times"))
            .where(ledger.c.at >= since, ledger.c.at < until, ledger.c.guard.not_in(("", A_PERSON)), rule.is_not(None))
            .group_by(rule, ledger.c.guard)
        )
        async with self._database.begin() as connection:
            return [RuleRefusals(**row._mapping) for row in await connection.execute(counted)]

    async def peaks(self, runs: Sequence[RunFact]) -> Peaks:
        """Highest memory use of containers of workloads that ran out of it, in the newest bundles of their runs."""
        owners = {each.id: each.owner for each in runs if each.oom_kills}
        newest = (
            select(evidence.c.run_id, evidence.c.content)
            .where(evidence.c.run_id.in_(owners))
            .order_by(evidence.c.at.desc())
            .limit(_BUNDLES)
        )
        async with self._database.begin() as connection:
            rows = (await connection.execute(newest)).all() if owners else []
        return await asyncio.to_thread(_peaks, owners, [(row.run_id, row.content) for row in rows])


def _fact(row: Any) -> RunFact:
    return RunFact(
        id=row.id,
        rule=row.rule,
        mode=Mode(row.mode),
        action=row.action,
        owner=row.owner,
        code=row.code,
        state=RunState(row.state),
        approved=bool(row.approved_by),
        guard=row.guard or "",
        seconds_to_heal=row.seconds_to_heal,
        score_before=row.score_before,
        score_after=row.score_after,
        recurred_at=row.recurred_at,
        oom_kills=tuple(
            OomKill(container=str(each.get("container", "")), limit_bytes=int(each.get("memory_limit_bytes", 0)))
            for each in row.oom
        ),
    )


def _peaks(owners: dict[UUID, str], bundles: Sequence[tuple[UUID, bytes]]) -> dict[tuple[str, str], int]:
    peaks: dict[tuple[str, str], int] = {}
    for run_id, packed in bundles:
        for usage in unpacked(packed).get("usage", {}).values():
            for container, used in usage.get("containers", {}).items():
                key = (owners[run_id], container)
                peaks[key] = max(peaks.get(key, 0), int(used.get("memory_bytes", 0)))
    return peaks
