"""Whose turn it is: each incident that begins to escalate by round robin takes the next one."""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.policy import AlertPolicy
from alert_service.storage.models import rota

_INSERT = insert(rota)
_ADD = _INSERT.on_conflict_do_update(
    index_elements=["escalation"], set_={"taken": rota.c.taken + _INSERT.excluded.taken}
)


class Rota:
    """For one transaction: begun with the turns that were taken before, ended by `keep`."""

    def __init__(self, taken: Mapping[str, int]) -> None:
        self._before = taken
        self._taken: Counter[str] = Counter()

    @classmethod
    async def of(cls, connection: AsyncConnection, policy: AlertPolicy) -> "Rota":
        """Nothing is read where nobody takes turns."""
        named = [name for name, part in policy.escalations.items() if any(each.round_robin for each in part.steps)]
        if not named:
            return cls({})
        rows = await connection.execute(select(rota).where(rota.c.escalation.in_(named)))
        return cls(dict.fromkeys(named, 0) | {row.escalation: row.taken for row in rows})

    def next(self, escalation: str) -> int:
        """The turn that whoever begins takes; 0 where nobody takes turns."""
        if escalation not in self._before:
            return 0
        self._taken[escalation] += 1
        return self._before[escalation] + self._taken[escalation] - 1

    async def keep(self, connection: AsyncConnection) -> None:
        rows = [{"escalation": name, "taken": count} for name, count in sorted(self._taken.items())]
        if rows:
            await connection.execute(_ADD, rows)
