"""Pauses over HTTP: stop all healing, or that of one namespace, and let it go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from auto_healing.api.services import AnyServices, Services, Stored, StoredServices
from auto_healing.facts import Pause
from common.cluster.rows import NamespaceRow
from common.web.auth import Identity
from common.web.instant import Instant
from common.web.parts import MAY_READ, Operator
from common.web.problems import Mistake, Problem, responses, wrong_request

router = APIRouter(prefix="/api/v1/pauses", tags=["pauses"])

NamespaceName = Annotated[
    str, Path(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", description="Name of the namespace")
]


class PauseRequest(BaseModel):
    """Why, and for how long: `minutes` or `until`; neither: until somebody lifts it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="Why, for whoever reads the ledger",
            examples=["Migrating the storage class"],
        ),
    ]
    minutes: Annotated[int | None, Field(ge=1, le=525_600, description="From now on")] = None
    until: Annotated[Instant | None, Field(description="An instant instead of `minutes`")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseShown:
    """One pause in force. Harmful steps stop at once; what is undone or restored goes on."""

    namespace: Annotated[str, Field(description="Empty: everywhere")]
    reason: str
    by: str
    since: datetime
    until: Annotated[datetime | None, Field(description="null: until it is lifted")]

    @classmethod
    def of(cls, pause: Pause) -> "PauseShown":
        return cls(namespace=pause.namespace, reason=pause.reason, by=pause.by, since=pause.since, until=pause.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesShown:
    """All pauses in force, the one for everywhere first."""

    items: Sequence[PauseShown]


@router.get("", dependencies=[MAY_READ])
async def list_pauses(services: AnyServices, stored: StoredServices) -> PausesShown:
    """What is paused now."""
    return PausesShown(items=[PauseShown.of(pause) for pause in await stored.pauses.list(services.now())])


@router.put("/cluster")
async def pause_cluster(
    services: AnyServices, stored: StoredServices, caller: Operator, wanted: PauseRequest
) -> PauseShown:
    """Stop all healing from now on. A pause that is in force is replaced."""
    return await _put("", wanted, services, stored, caller)


@router.delete("/cluster", status_code=204, responses=responses(404))
async def resume_cluster(services: AnyServices, stored: StoredServices, caller: Operator) -> None:
    """Let healing go on, but for namespaces that are paused themselves."""
    await _lift("", services, stored, caller)


@router.put("/namespaces/{namespace}", responses=responses(404))
async def pause_namespace(
    services: AnyServices, stored: StoredServices, caller: Operator, namespace: NamespaceName, wanted: PauseRequest
) -> PauseShown:
    """Stop healing in one namespace. 404 when there is none of that name, so that a slip of the pen pauses nothing."""
    if services.synced() and services.snapshot.get(NamespaceRow, namespace) is None:
        raise Problem(404, f"there is no namespace {namespace}; nothing was paused")
    return await _put(namespace, wanted, services, stored, caller)


@router.delete("/namespaces/{namespace}", status_code=204, responses=responses(404))
async def resume_namespace(
    services: AnyServices, stored: StoredServices, caller: Operator, namespace: NamespaceName
) -> None:
    """Let healing go on in the namespace."""
    await _lift(namespace, services, stored, caller)


async def _put(
    namespace: str, wanted: PauseRequest, services: Services, stored: Stored, caller: Identity
) -> PauseShown:
    now = services.now()
    until = _until(wanted, now)
    pause = Pause(namespace=namespace, reason=wanted.reason, by=caller.name, since=now, until=until)
    await stored.pauses.put(pause)
    return PauseShown.of(pause)


async def _lift(namespace: str, services: Services, stored: Stored, caller: Identity) -> None:
    if not await stored.pauses.lift(namespace, by=caller.name, at=services.now()):
        where = f"namespace {namespace} is" if namespace else "the cluster is"
        raise Problem(404, f"{where} not paused")


def _until(wanted: PauseRequest, now: datetime) -> datetime | None:
    if wanted.minutes is not None and wanted.until is not None:
        raise _wrong("/minutes", "give either minutes or until")
    if wanted.until is not None and wanted.until <= now:
        raise _wrong("/until", "lies in the past")
    return wanted.until if wanted.minutes is None else now + timedelta(minutes=wanted.minutes)


def _wrong(path: str, message: str) -> Problem:
    return wrong_request(Mistake(location="body", path=path, message=message))
