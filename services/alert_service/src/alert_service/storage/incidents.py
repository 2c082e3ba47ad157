"""Incidents, their alerts and their timelines. Whoever changes one holds its row until the change is stored."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Integer, Text, and_, bindparam, case, cast, delete, exists, func, not_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.incident import Healing, Incident, IncidentState, Member, SuppressionReason
from alert_service.incidents.settle import Settled
from alert_service.routing.correlation import reach_of
from alert_service.storage.bulk import Insert
from alert_service.storage.incident_rows import (
    Bond,
    incident_of,
    incident_row,
    member_of,
    member_row,
    object_tie,
    tie_keys,
    timeline_rows,
)
from alert_service.storage.models import card, healing, incident, member, tie, timeline
from alert_service.turns import Turns
from common.contracts.objects import ObjectKey

OPEN = incident.c.state != IncidentState.RESOLVED
_MOST_NEAR = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is stored as one: `before` is None for a new incident, and how it was loaded for any other."""

    before: Incident | None
    settled: Settled
    ties: frozenset[str] | None = None  # where they are known already


_KEEP_INCIDENT = Insert(incident, keys=["id"])
_KEEP_MEMBER = Insert(member, keys=["incident_id", "fingerprint"])
_KEEP_TIE = Insert(tie, keys=["key", "incident_id"])
_KEEP_HEALING = Insert(healing, keys=["kind", "namespace", "name"], newest="at")
_ADD_LINES = Insert(timeline)
# JSON is decoded once, into what it stands for.
MEMBER_COLUMNS = (*(each for each in member.c if each.name != "alert"), cast(member.c.alert, Text).label("alert"))
VALUE = cast(incident.c.value, Text).label("value")


async def newest_of(connection: AsyncConnection, keys: Collection[str]) -> dict[str, Incident]:
    """The newest incident of each group, locked. Those that are not there are not in the answer."""
    newest = (
        select(incident.c.id)
        .ext(distinct_on(incident.c.key))
        .where(incident.c.key.in_(keys))
        .order_by(incident.c.key, incident.c.opened_at.desc())
    )
    return {each.key: each for each in await _loaded(connection, incident.c.id.in_(newest))}


async def by_ids(connection: AsyncConnection, ids: Collection[UUID], *, lock: bool = True) -> dict[UUID, Incident]:
    """With `lock`, until the end of the transaction."""
    return {each.id: each for each in await _loaded(connection, incident.c.id.in_(ids), lock=lock)}


async def due(connection: AsyncConnection, now: datetime, limit: int) -> list[Incident]:
    """Those with a timer that is due, locked; what somebody else holds comes the next time."""
    query = (
        select(incident.c.id)
        .where(incident.c.next_at <= now)
        .order_by(incident.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await connection.execute(query)).scalars().all()
    return await _loaded(connection, incident.c.id.in_(ids))


async def ahead(connection: AsyncConnection, at: datetime, limit: int) -> list[Incident]:
    """Open ones whose newest change is later than that, locked; what somebody else holds comes the next time."""
    query = select(incident.c.id).where(OPEN, incident.c.changed_at > at).limit(limit)
    ids = (await connection.execute(query.with_for_update(skip_locked=True))).scalars().all()
    return await _loaded(connection, incident.c.id.in_(ids))


async def look_again(connection: AsyncConnection, now: datetime) -> None:
    """At all that are open, but for those that others decide about: their parents, or the storm that tells of them."""
    held = func.coalesce(incident.c.value["suppression"]["reason"].astext, "")
    looked = and_(OPEN, held.not_in((SuppressionReason.PARENT, SuppressionReason.STORM)))
    await connection.execute(update(incident).where(looked).values(next_at=now))


async def about(connection: AsyncConnection, objects: Collection[ObjectKey]) -> list[Incident]:
    """Open ones with an alert about any of the objects, locked."""
    keys = [object_tie(each) for each in objects]
    return await _loaded(
        connection, and_(OPEN, incident.c.id.in_(select(tie.c.incident_id).where(tie.c.key.in_(keys))))
    )


async def ended_under(connection: AsyncConnection, run_id: UUID, since: datetime) -> list[Incident]:
    """Those that were resolved since while this run of healing was the last that was told of them, locked."""
    lately = and_(incident.c.changed_at >= since, not_(OPEN))
    run = incident.c.value["healing"]["run_id"].astext
    return await _loaded(connection, and_(lately, run == str(run_id)))


async def near(
    connection: AsyncConnection, ties: Collection[Bond], since: datetime, *, lock: bool = True
) -> list[Incident]:
    """Open ones without a parent that have any of these ties and changed since; of very many the oldest."""
    if not ties:
        return []
    keys, but_not = zip(*ties, strict=True)
    wanted = (
        func.unnest(bindparam("keys", list(keys), ARRAY(Text)), bindparam("but_not", list(but_not), ARRAY(Integer)))
        .table_valued("key", "but_not")
        .render_derived()
    )
    tied = select(tie.c.incident_id).join(wanted, and_(tie.c.key == wanted.c.key, tie.c.reach != wanted.c.but_not))
    query = (
        select(incident.c.id)
        .where(incident.c.id.in_(tied))
        .where(OPEN, incident.c.parent_id.is_(None), incident.c.changed_at >= since)
        .order_by(incident.c.opened_at)
        .limit(_MOST_NEAR)
    )
    return await _loaded(connection, incident.c.id.in_(query), lock=lock)


async def untold(connection: AsyncConnection, channel: str, since: datetime, limit: int) -> list[Incident]:
    """The worst of the open ones that opened since and have no card on the channel; not locked."""
    rank = case({each.value: each.rank for each in AlertSeverity}, value=incident.c.severity)
    carded = exists().where(card.c.channel == channel, card.c.incident_id == incident.c.id)
    query = (
        select(incident.c.id)
        .where(OPEN, incident.c.opened_at >= since, not_(carded))
        .order_by(rank.desc(), incident.c.opened_at)
        .limit(limit)
    )
    ids = (await connection.execute(query)).scalars().all()
    return await _loaded(connection, incident.c.id.in_(ids), lock=False)


async def children(connection: AsyncConnection, parents: Collection[UUID]) -> list[Incident]:
    """Open ones that belong to any of them, locked."""
    return await _loaded(connection, and_(OPEN, incident.c.parent_id.in_(parents))) if parents else []


async def _loaded(connection: AsyncConnection, condition: Any, *, lock: bool = True) -> list[Incident]:
    """In the order of their ids, so that whoever locks several locks them in the same order as everybody."""
    query = select(incident.c.id, VALUE).where(condition).order_by(incident.c.id)
    rows = (await connection.execute(query.with_for_update() if lock else query)).all()
    members = await _members(connection, [row.id for row in rows])
    return [incident_of(row.value, members[row.id]) for row in rows]


async def _members(connection: AsyncConnection, ids: Sequence[UUID]) -> Mapping[UUID, dict[str, Member]]:
    found: dict[UUID, dict[str, Member]] = defaultdict(dict)
    if ids:
        query = (
            select(*MEMBER_COLUMNS)
            .where(member.c.incident_id.in_(ids))
            .order_by(member.c.joined_at, member.c.fingerprint)
        )
        turns = Turns()
        for row in await connection.execute(query):
            found[row.incident_id][row.fingerprint] = member_of(row)
            await turns.over()
    return found


async def save(connection: AsyncConnection, changes: Sequence[Saved]) -> None:
    """All of them, in a few statements. Parents come before their children."""
    ordered = sorted(changes, key=lambda each: each.settled.incident.parent_id is not None)
    await _KEEP_INCIDENT.run(
        connection, (incident_row(each.settled.incident, each.settled.next_at) for each in ordered)
    )
    await _KEEP_MEMBER.run(connection, (row for each in changes for row in _changed_members(each)))
    await _ADD_LINES.run(
        connection,
        (row for each in changes for row in timeline_rows(each.settled.incident, each.settled.happenings)),
    )
    await _keep_ties(connection, changes)


def _changed_members(each: Saved) -> Iterable[dict[str, Any]]:
    before = {} if each.before is None else each.before.members
    after = each.settled.incident
    return (
        member_row(after, fingerprint, now)
        for fingerprint, now in after.members.items()
        if before.get(fingerprint) is not now
    )


async def _keep_ties(connection: AsyncConnection, changes: Sequence[Saved]) -> None:
    """Only what is open is looked for."""
    closed = [each.settled.incident.id for each in changes if not each.settled.incident.open]
    if closed:
        await connection.execute(delete(tie).where(tie.c.incident_id.in_(closed)))
    await _KEEP_TIE.run(
        connection,
        (row for each in changes if each.settled.incident.open and _others_fire(each) for row in _tie_rows(each)),
    )


def _tie_rows(each: Saved) -> Iterable[dict[str, Any]]:
    """A group of thousands of pods has thousands of ties: how far it reaches is found once for all of them."""
    incident = each.settled.incident
    reach = reach_of(incident)
    keys = sorted(each.ties or tie_keys(incident))
    return ({"key": key, "incident_id": incident.id, "reach": reach} for key in keys)


def _others_fire(each: Saved) -> bool:
    """What has ended has lost its ties, and gets them again when it is reopened."""
    before, after = each.before, each.settled.incident
    if before is None or not before.open:
        return True
    return any(now.firing and not _fired(before, fingerprint) for fingerprint, now in after.members.items())


def _fired(incident: Incident, fingerprint: str) -> bool:
    member = incident.members.get(fingerprint)
    return member is not None and member.firing


async def remember_healing(connection: AsyncConnection, objects: Collection[ObjectKey], told: Healing) -> None:
    """What happened last stays; a notice may come late."""
    rows = [{**key._asdict(), "at": told.at, "value": told} for key in sorted(set(objects))]
    await _KEEP_HEALING.run(connection, rows)


async def healing_of(connection: AsyncConnection, objects: Collection[ObjectKey]) -> dict[ObjectKey, Healing]:
    """What was last told of them."""
    if not objects:
        return {}
    wanted = (
        func.unnest(
            *(bindparam(name, [getattr(each, name) for each in objects], ARRAY(Text)) for name in ObjectKey._fields)
        )
        .table_valued(*ObjectKey._fields)
        .render_derived()
    )
    same = and_(*(healing.c[name] == wanted.c[name] for name in ObjectKey._fields))
    rows = await connection.execute(select(healing).join(wanted, same))
    return {ObjectKey(row.kind, row.namespace, row.name): msgspec.convert(row.value, Healing) for row in rows}
