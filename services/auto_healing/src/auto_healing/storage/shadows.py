"""What rules would have done where they only watch, and how it ended, in the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from auto_healing.fault import Fault
from auto_healing.plan import Plan
from auto_healing.policy.settings import Promotion
from auto_healing.run import RunState
from auto_healing.shadow import ShadowCase, Tally, case_of, troubles
from auto_healing.storage.fence import fenced
from auto_healing.storage.models import run, shadow
from common.contracts import ObjectKey
from common.database.connections import Database

_JUDGED = [RunState.HEALED.value, RunState.FAILED.value, RunState.UNDONE.value]
_COUNTED = ("watched", "went_away", "misfits", "declined", "open")
_STILL_OPEN = shadow.c.resolved_at.is_(None)
_OPEN = (shadow.c.rule, shadow.c.code, shadow.c.kind, shadow.c.namespace, shadow.c.name)
_INSERT = insert(shadow)
_OPEN_CASES = select(
    shadow.c.id, shadow.c.code, shadow.c.kind, shadow.c.namespace, shadow.c.name, shadow.c.at, shadow.c.given_up_at
).where(_STILL_OPEN)
# The same trouble is one case, however often it is looked at. It counts as declined only if it always was.
_RECORD = _INSERT.on_conflict_do_update(
    index_elements=list(_OPEN),
    index_where=_STILL_OPEN,
    set_={
        "declined": shadow.c.declined & _INSERT.excluded.declined,
        "fits": func.coalesce(_INSERT.excluded.fits, shadow.c.fits),
    },
    # An update that changes nothing would write the row anew, at every look.
    where=(shadow.c.declined & ~_INSERT.excluded.declined)
    | (_INSERT.excluded.fits.is_not(None) & shadow.c.fits.is_distinct_from(_INSERT.excluded.fits)),
)


class Shadows:
    """Cases by rule. Each is open until its trouble has gone; past the time to settle it counts as not by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, plans: Sequence[Plan], at: datetime, *, epoch: int | None) -> int:
        """Remember what the observed ones of the plans would have done; how many those are. Raises Deposed."""
        found = {_key(each): each for plan in plans if (each := case_of(plan, at)) is not None}
        if found:
            async with fenced(self._database, epoch) as connection:
                await connection.execute(_RECORD, [_values(each) for each in found.values()])
        return len(found)

    async def settle(self, faults: Sequence[Fault], now: datetime, thresholds: Promotion, *, epoch: int | None) -> None:
        """Note which trouble has gone, and which has outlived the time to go by itself. `faults` are all open ones."""
        still = troubles(faults)
        late: list[UUID] = []
        gone: list[UUID] = []
        async with self._database.begin() as connection:
            for case in await connection.execute(_OPEN_CASES):
                if case.given_up_at is None and case.at < now - thresholds.settle:
                    late.append(case.id)
                if (case.code, ObjectKey(case.kind, case.namespace, case.name)) not in still:
                    gone.append(case.id)
        if not late and not gone:
            return  # as at nearly every look, and nobody but the leader writes here
        async with fenced(self._database, epoch) as connection:
            await connection.execute(update(shadow).where(shadow.c.id.in_(late)).values(given_up_at=now))
            await connection.execute(update(shadow).where(shadow.c.id.in_(gone)).values(resolved_at=now))

    async def tallies(self, since: datetime) -> dict[str, Tally]:
        """By rule, of cases and runs that began since then."""
        async with self._database.begin() as connection:
            watched = {row.rule: row._mapping for row in await connection.execute(_watched(since))}
            outcomes: dict[str, list[bool]] = defaultdict(list)
            for rule, helped in await connection.execute(_acted(since)):
                outcomes[rule].append(helped)
        return {
            rule: Tally(**_counts(watched.get(rule)), **_runs(outcomes[rule]))
            for rule in watched.keys() | outcomes.keys()
        }


def _counts(row: Mapping[str, Any] | None) -> dict[str, int]:
    return {} if row is None else {name: row[name] for name in _COUNTED}


def _runs(outcomes: Sequence[bool]) -> dict[str, int]:
    """Newest first: whether each helped."""
    failures = next((number for number, helped in enumerate(outcomes) if helped), len(outcomes))
    return {"runs": len(outcomes), "healed": sum(outcomes), "failures_in_row": failures}


def _watched(since: datetime) -> Select[Any]:
    allowed, column = ~shadow.c.declined, shadow.c
    ended = allowed & (column.resolved_at.is_not(None) | column.given_up_at.is_not(None))
    counts = {
        "watched": ended,
        "went_away": ended & column.given_up_at.is_(None),
        "misfits": ended & column.fits.is_(False),
        "declined": column.declined,
        "open": allowed & ~ended,
    }
    counted = (func.count().filter(condition).label(name) for name, condition in counts.items())
    return select(column.rule, *counted).where(column.at >= since).group_by(column.rule)


def _acted(since: datetime) -> Select[Any]:
    helped = (run.c.state == RunState.HEALED.value) & run.c.recurred_at.is_(None)
    return (
        select(run.c.rule, helped)
        .where(run.c.state.in_(_JUDGED), run.c.started_at >= since)
        .order_by(run.c.ended_at.desc(), run.c.id)
    )


def _key(case: ShadowCase) -> tuple[str, str, ObjectKey]:
    return (case.rule, case.code, case.object)


def _values(case: ShadowCase) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "rule": case.rule,
        "action": case.action,
        "kind": case.object.kind,
        "namespace": case.object.namespace,
        "name": case.object.name,
        "code": case.code,
        "at": case.at,
        "declined": case.declined,
        "fits": case.fits,
    }
