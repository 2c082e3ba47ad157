"""Runs over HTTP: what is being done, by whom and why; asking for it, saying yes or no, and taking it back."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from auto_healing.api.delegation import OnBehalfOf
from auto_healing.api.parameters import InNamespace, Named, OfAction, OfKind, RunId, Word, wrong_action
from auto_healing.api.run_shapes import RunBrief, RunShown
from auto_healing.api.services import Services, Stored, StoredServices, SyncedServices, world_of
from auto_healing.decide import plan_for
from auto_healing.kube.paths import RESOURCES_BY_KIND
from auto_healing.placement.placements import Placements
from auto_healing.plan import Plan
from auto_healing.run import RunState
from auto_healing.storage.decisions import NotNow
from auto_healing.storage.listing import Of
from auto_healing.storage.proposing import Proposal
from auto_healing.storage.run_reading import RunFilter
from auto_healing.storage.runs import NoSuchRun
from common.contracts import Finding, ObjectKey, ObjectRef
from common.web.auth import Identity
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Approver, Operator
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

_CURSORS = Cursors("runs", tuple[datetime, UUID])
_MOST_EVIDENCE = 500
Name = Annotated[str, Field(max_length=253)]
Value = (
    bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[str, Field(max_length=1000)]
)
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, in words for whoever reads the ledger",
        examples=["Its disk is replaced this afternoon"],
    ),
]


class TargetRequest(BaseModel):
    """An object. With `uid` only that life of it."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(min_length=1, max_length=63, description="Kind of the object", examples=["Pod"])]
    namespace: Annotated[Name, Field(description="Empty for cluster-scoped kinds")] = ""
    name: Annotated[Name, Field(min_length=1, description="Its name", examples=["checkout-7d4b9c-x2x9z"])]
    uid: Annotated[str, Field(max_length=64, description="Only while the object has this uid; empty: any")] = ""

    @model_validator(mode="after")
    def _in_its_place(self) -> "TargetRequest":
        resource = RESOURCES_BY_KIND.get(self.kind)
        if resource is not None and resource.namespaced != bool(self.namespace):
            raise ValueError(
                f"a {self.kind} is in a namespace: give its namespace, too"
                if resource.namespaced
                else f"a {self.kind} is in no namespace: leave namespace out"
            )
        return self


class RunRequest(BaseModel):
    """An action on an object. The guards are the same as for the policy's own."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, Field(max_length=63, description="Code of the action", examples=["delete-pod"])]
    target: TargetRequest
    parameters: Annotated[dict[Name, Value], Field(max_length=20, description="As the catalogue of actions says")] = {}
    reason: Reason


class DenyRequest(BaseModel):
    """Why not."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str,
        Field(max_length=500, description="Why not, for whoever reads the ledger", examples=["Wait for the rollout"]),
    ] = ""


class UndoRequest(BaseModel):
    """Why it is to be taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def _filter(
    *,
    state: Annotated[list[RunState] | None, Query(max_length=20, description="In one of these states")] = None,
    rule: Annotated[Word | None, Query(description="Only of this rule of the policy", examples=["crash-loop"])] = None,
    action: OfAction = None,
    kind: OfKind = None,
    namespace: InNamespace = None,
    name: Named = None,
) -> RunFilter:
    return RunFilter(states=frozenset(state or ()), rule=rule, action=action, kind=kind, namespace=namespace, name=name)


@router.get("", dependencies=[MAY_READ])
async def list_runs(
    stored: StoredServices,
    where: Annotated[RunFilter, Depends(_filter)],
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[RunBrief]:
    """Runs, the newest first. What was refused without a person's asking is no run: the audit has it."""
    found = await stored.runs.search(where, before=_CURSORS.decode(cursor), limit=limit + 1)
    return _CURSORS.page(found, limit, at=lambda run: (run.created_at, run.id), item=RunBrief.of)


@router.get("/{run_id}", dependencies=[MAY_READ], responses=responses(404))
async def get_run(stored: StoredServices, run_id: RunId) -> RunShown:
    """One run: its plan, its steps, its entries in the ledger, and what was kept before anything was removed."""
    run = await stored.runs.get(run_id)
    if run is None:
        raise Problem(404, f"there is no run {run_id}")
    return RunShown.of(
        run,
        await stored.runs.steps(run_id),
        await stored.ledger.of_run(run_id),
        await stored.evidence.list(Of(run_id=run_id), limit=_MOST_EVIDENCE),
    )


@router.post("", status_code=202, responses=responses(409))
async def ask_for_run(
    services: SyncedServices, stored: StoredServices, caller: Operator, wanted: RunRequest
) -> RunBrief:
    """Have an action done now. 409 when a guard declines it: `guard`, `numbers` and `look_again_at` say why."""
    plan = await _plan(services, stored, wanted, caller)
    proposal = Proposal(plan=plan, requested_by=caller.name, reason=wanted.reason)
    (answer,) = await stored.runs.propose([proposal], epoch=None)
    if answer.run is None or answer.declined:
        first = answer.declined[0]
        raise Problem(
            409,
            f"declined by {first.guard}: {first.message}",
            run=None if answer.run is None else str(answer.run.id),
            guard=first.guard,
            numbers=dict(first.numbers),
            look_again_at=None if first.look_again_at is None else first.look_again_at.isoformat(),
        )
    return RunBrief.of(answer.run)


@router.post("/{run_id}/approve", responses=responses(404, 409))
async def approve_run(stored: StoredServices, caller: Approver, person: OnBehalfOf, run_id: RunId) -> RunBrief:
    """Say yes to a run that waits for it. It begins at once, if the guards still let it."""
    try:
        return RunBrief.of(await stored.runs.approve(run_id, caller, person=person))
    except (NoSuchRun, NotNow) as error:
        raise _refused(error) from None


@router.post("/{run_id}/deny", responses=responses(404, 409))
async def deny_run(
    stored: StoredServices, caller: Approver, person: OnBehalfOf, run_id: RunId, why: DenyRequest
) -> RunBrief:
    """Say no to a run that has not begun."""
    try:
        return RunBrief.of(await stored.runs.deny(run_id, caller, why.reason, person=person))
    except (NoSuchRun, NotNow) as error:
        raise _refused(error) from None


@router.post("/{run_id}/undo", status_code=202, responses=responses(404, 409))
async def undo_run(stored: StoredServices, caller: Operator, run_id: RunId, why: UndoRequest) -> RunBrief:
    """Take back what a run has done, as far as that is possible; a run that is under way is stopped first."""
    try:
        return RunBrief.of(await stored.runs.ask_undo(run_id, caller.name, why.reason))
    except (NoSuchRun, NotNow) as error:
        raise _refused(error) from None


def _refused(error: NoSuchRun | NotNow) -> Problem:
    return Problem(404 if isinstance(error, NoSuchRun) else 409, str(error))


async def _plan(services: Services, stored: Stored, wanted: RunRequest, caller: Identity) -> Plan:
    target = ObjectRef(**wanted.target.model_dump())
    findings = await _findings(stored, target.key)
    world = await world_of(services)
    placements = Placements(world.snapshot, world.now)
    try:
        return plan_for(
            wanted.action,
            target,
            wanted.parameters,
            world=world,
            placements=placements,
            findings=findings,
            reason=f"{caller.name} asked for it: {wanted.reason}",
        )
    except ValueError as error:
        raise wrong_action(error) from None


async def _findings(stored: Stored, about: ObjectKey) -> list[Finding]:
    """What is open about an object: whether it helped is judged by that."""
    known = await stored.inbox.known_findings()
    return [each.finding for each in known if each.resolved_at is None and each.finding.object.key == about]
