"""Leased changes over HTTP: what is changed for a while, until when, and giving it back sooner or later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from auto_healing.actions.nodes.cordons import cordon_in
from auto_healing.api.parameters import InNamespace, Named, OfKind
from auto_healing.api.services import AnyServices, Stored, StoredServices, SyncedServices
from auto_healing.leased import ChangeState, LeasedChange
from auto_healing.storage.changes import ChangeFilter
from common.cluster.rows import NodeRow
from common.contracts import ObjectRef
from common.web.instant import Instant
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Operator
from common.web.problems import Mistake, Problem, responses, wrong_request

router = APIRouter(prefix="/api/v1", tags=["changes"])

LONGEST = timedelta(days=30)
_CURSORS = Cursors("changes, newest first", tuple[datetime, UUID])
ChangeId = Annotated[UUID, Path(description="The change's id, as the list of changes tells it")]
Reason = Annotated[
    str,
    Field(max_length=500, description="Why, for whoever reads the ledger", examples=["The node was repaired"]),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShown:
    """A temporary change of one field. At `until` the field gets its value from before, unless it was edited since."""

    id: UUID
    run_id: Annotated[UUID, Field(description="The run that made it")]
    object: ObjectRef
    what: Annotated[str, Field(description="One sentence for people")]
    path: Annotated[Sequence[str], Field(description="Of the field", examples=[["spec", "unschedulable"]])]
    before: Annotated[Any, Field(description="The value to be put back; null: there was none")]
    after: Annotated[Any, Field(description="The value it was given")]
    made_at: datetime
    until: datetime
    state: ChangeState
    ended_at: datetime | None
    reason: Annotated[str, Field(description="How it ended; empty while it is held")]

    @classmethod
    def of(cls, leased: LeasedChange) -> "ChangeShown":
        change = leased.change
        return cls(
            id=leased.id,
            run_id=leased.run_id,
            object=change.target,
            what=change.what,
            path=change.path,
            before=change.before,
            after=change.after,
            made_at=leased.made_at,
            until=change.until,
            state=leased.state,
            ended_at=leased.ended_at,
            reason=leased.reason,
        )


class ReturnRequest(BaseModel):
    """Why it is given back now."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


class ExtendRequest(BaseModel):
    """Until when instead, by `minutes` from now on or by `until`; 30 days ahead at most."""

    model_config = ConfigDict(extra="forbid")

    minutes: Annotated[int | None, Field(ge=1, le=LONGEST // timedelta(minutes=1), description="From now on")] = None
    until: Annotated[Instant | None, Field(description="An instant instead of `minutes`")] = None
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CordonShown:
    """Who cordoned a node. What is not `ours` is never lifted by this service."""

    node: str
    ours: bool
    by: Annotated[str, Field(description="The run and its step, or what is known of somebody else")]
    reason: str
    until: Annotated[datetime | None, Field(description="When it is lifted at the latest; null: nobody says")]
    causes: Annotated[Sequence[str], Field(description="Conditions of the node that were bad when it was cordoned")]

    @classmethod
    def of(cls, node: NodeRow) -> "CordonShown":
        cordon = cordon_in(node)
        return cls(
            node=node.name,
            ours=cordon.ours,
            by=cordon.mark if cordon.ours else cordon.foreign,
            reason=cordon.reason,
            until=cordon.ends_at,
            causes=sorted(cordon.causes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CordonsShown:
    """Every node that is cordoned now, by name."""

    items: Sequence[CordonShown]


@router.get("/changes", dependencies=[MAY_READ])
async def list_changes(
    stored: StoredServices,
    *,
    state: Annotated[ChangeState | None, Query(description="Only in this state")] = None,
    kind: OfKind = None,
    namespace: InNamespace = None,
    name: Named = None,
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[ChangeShown]:
    """Leased changes, the newest first."""
    where = ChangeFilter(state=state, kind=kind, namespace=namespace, name=name)
    found = await stored.changes.list(where, before=_CURSORS.decode(cursor), limit=limit + 1)
    return _CURSORS.page(found, limit, at=lambda each: (each.made_at, each.id), item=ChangeShown.of)


@router.get("/changes/{change_id}", dependencies=[MAY_READ], responses=responses(404))
async def get_change(stored: StoredServices, change_id: ChangeId) -> ChangeShown:
    """One leased change."""
    return ChangeShown.of(await _existing(stored, change_id))


@router.post("/changes/{change_id}/return", status_code=202, responses=responses(404, 409))
async def return_change(
    services: AnyServices, stored: StoredServices, caller: Operator, change_id: ChangeId, why: ReturnRequest
) -> ChangeShown:
    """Give it back now instead of later: the replica that leads does so within seconds."""
    asked = await stored.changes.ask_return(change_id, actor=caller.name, reason=why.reason, now=services.now())
    return await _answer(stored, change_id, asked)


@router.post("/changes/{change_id}/extend", responses=responses(404, 409))
async def extend_change(
    services: AnyServices, stored: StoredServices, caller: Operator, change_id: ChangeId, wanted: ExtendRequest
) -> ChangeShown:
    """Hold it until another instant, later or sooner."""
    now = services.now()
    until = _until(wanted, now)
    extended = await stored.changes.extend(change_id, until, actor=caller.name, reason=wanted.reason, now=now)
    return await _answer(stored, change_id, extended)


@router.get("/cordons", dependencies=[MAY_READ])
async def list_cordons(services: SyncedServices) -> CordonsShown:
    """Which nodes are cordoned, by whom, why and until when."""
    nodes = [node for node in services.snapshot.rows(NodeRow).values() if node.unschedulable]
    return CordonsShown(items=[CordonShown.of(node) for node in sorted(nodes, key=lambda node: node.name)])


async def _existing(stored: Stored, change_id: UUID) -> LeasedChange:
    found = await stored.changes.get(change_id)
    if found is None:
        raise Problem(404, f"there is no change {change_id}")
    return found


async def _answer(stored: Stored, change_id: UUID, changed: bool) -> ChangeShown:
    found = await _existing(stored, change_id)
    if not changed:
        raise Problem(409, f"the change has ended already: {found.state.value}, {found.reason}")
    return ChangeShown.of(found)


def _until(wanted: ExtendRequest, now: datetime) -> datetime:
    if (wanted.minutes is None) == (wanted.until is None):
        raise _wrong("/minutes", "give either minutes or until")
    if wanted.until is None:
        return now + timedelta(minutes=wanted.minutes or 0)
    if not now < wanted.until <= now + LONGEST:
        raise _wrong("/until", "has to lie ahead, and not more than 30 days")
    return wanted.until


def _wrong(path: str, message: str) -> Problem:
    return wrong_request(Mistake(location="body", path=path, message=message))
