"""The ledger over HTTP: searched, exported and proved."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from auto_healing.api.parameters import Event, GuardCode, InNamespace, Named, OfAction, OfKind, OfRun, Word
from auto_healing.api.services import AnyServices, StoredServices
from auto_healing.storage import export
from auto_healing.storage.ledger import LedgerEntry, Search
from auto_healing.storage.proof import Broken, Head, Noted
from common.web.instant import Instant
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ
from common.web.problems import Mistake, Problem

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], dependencies=[MAY_READ])

_CURSORS = Cursors("audit", tuple[int])
_LAST_SEQ = 2**63 - 1
HexHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hexadecimal")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of the ledger. Its hash covers all other fields and the hash of the entry before."""

    seq: Annotated[int, Field(description="Its place: gap-free, from 1 on")]
    at: datetime
    event: Annotated[str, Field(description="What happened", examples=["declined", "step-started", "healed"])]
    run_id: UUID | None
    kind: str
    namespace: str
    name: str
    code: Annotated[str, Field(description="Of the finding that it is about", examples=["pod-crash-loop"])]
    action: Annotated[str, Field(examples=["restart-rollout"])]
    outcome: str
    actor: Annotated[str, Field(description="policy, the service itself, or a person", examples=["policy"])]
    guard: Annotated[str, Field(description="That said no", examples=["cooldown"])]
    message: Annotated[str, Field(description="One sentence for people")]
    data: Annotated[Mapping[str, Any], Field(description="The numbers that it rests on")]
    hash: HexHash

    @classmethod
    def of(cls, entry: LedgerEntry) -> "AuditEntry":
        values = entry.chained._asdict() | {"data": entry.data}
        return cls(**values, hash=entry.hash.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """A place in the chain. Note it where the database's administrators cannot write: it proves all before it."""

    seq: int
    hash: HexHash

    @classmethod
    def of(cls, head: Head) -> "AuditHead":
        return cls(seq=head.seq, hash=head.hash.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProof:
    """Whether the ledger is what was written."""

    intact: bool
    broken: Annotated[Broken | None, Field(description="The first entry that is not as it was written, and why")]
    start: Annotated[AuditHead, Field(description="Taken for granted: the beginning, a rotation, or what was noted")]
    entries: Annotated[int, Field(description="Entries that were proved after the start")]
    head: Annotated[AuditHead, Field(description="The newest entry, as the service last wrote it")]


class Format(StrEnum):
    """`ndjson` can be proved again without the database; `csv` is for spreadsheets."""

    NDJSON = "ndjson"
    CSV = "csv"


def _search(
    *,
    since: Annotated[Instant | None, Query(description="At or after this instant")] = None,
    until: Annotated[Instant | None, Query(description="Before this instant")] = None,
    kind: OfKind = None,
    namespace: InNamespace = None,
    name: Named = None,
    event: Annotated[
        Event | None,
        Query(description="Only with this event, such as declined, step-started or healed", examples=["declined"]),
    ] = None,
    action: OfAction = None,
    outcome: Annotated[
        Word | None, Query(description="Only with this outcome, such as healed or failed", examples=["healed"])
    ] = None,
    actor: Annotated[
        Word | None, Query(description="Only by this actor: policy, auto_healing, or a person", examples=["policy"])
    ] = None,
    code: Annotated[
        Word | None, Query(description="Only about a finding of this check", examples=["pod-crash-loop"])
    ] = None,
    guard: Annotated[
        GuardCode | None, Query(description="Only what this guard declined", examples=["cooldown"])
    ] = None,
    run: OfRun = None,
) -> Search:
    return Search(
        since=since,
        until=until,
        kind=kind,
        namespace=namespace,
        name=name,
        event=event,
        action=action,
        outcome=outcome,
        actor=actor,
        code=code,
        guard=guard,
        run_id=run,
    )


Searched = Annotated[Search, Depends(_search)]


@router.get("")
async def search_audit(
    stored: StoredServices, where: Searched, limit: Limit = 100, cursor: CursorText = None
) -> Page[AuditEntry]:
    """Entries, the newest first: every decision, every refusal with its guard and numbers, every step."""
    position = _CURSORS.decode(cursor)
    before = None if position is None else position[0]
    found = await stored.ledger.search(where, before=before, limit=limit + 1)
    return _CURSORS.page(found, limit, at=lambda each: (each.seq,), item=AuditEntry.of)


_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The entries, the oldest first",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("application/x-ndjson", "text/csv")},
    }
}


@router.get("/export", response_class=StreamingResponse, responses=_EXPORTED)
async def export_audit(
    services: AnyServices,
    stored: StoredServices,
    where: Searched,
    format: Annotated[Format, Query(description="ndjson or csv")] = Format.NDJSON,
) -> StreamingResponse:
    """All entries that match, the oldest first. It ends early, and visibly so, when the database goes away."""
    pages = stored.ledger.export(where)
    first: list[LedgerEntry] = await anext(
        pages, []
    )  # an error before the first byte is a problem, after it a broken answer
    name = f"audit-{services.cluster_name}-{services.now():%Y%m%dT%H%M%SZ}.{format}"
    media_type, lines = _FORMATS[format]
    return StreamingResponse(
        lines(first, pages),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/head")
async def audit_head(stored: StoredServices) -> AuditHead:
    """The newest entry's place and hash, to be noted elsewhere."""
    return AuditHead.of(await stored.ledger.head())


@router.get("/verify")
async def verify_audit(
    stored: StoredServices,
    after: Annotated[
        int | None, Query(ge=1, le=_LAST_SEQ, description="Prove only what follows this entry, whose hash was noted")
    ] = None,
    digest: Annotated[HexHash | None, Query(alias="hash", description="The hash that was noted for `after`")] = None,
) -> AuditProof:
    """Read the whole ledger and prove it: some 30 s for a million entries. With `after` and `hash`, the rest of it."""
    proof = await stored.ledger.verify(_noted(after, digest))
    return AuditProof(
        intact=proof.broken is None,
        broken=proof.broken,
        start=AuditHead.of(proof.start),
        entries=proof.entries,
        head=AuditHead.of(proof.head),
    )


def _noted(seq: int | None, digest: str | None) -> Noted | None:
    if seq is not None and digest is not None:
        return Noted(seq, bytes.fromhex(digest))
    if seq is not None or digest is not None:
        missing, given = ("hash", "after") if digest is None else ("after", "hash")
        mistake = Mistake(location="query", path=f"/{missing}", message=f"belongs to {given}")
        raise Problem(422, "give both after and hash, or neither", errors=[mistake])
    return None


Pages = AsyncIterator[list[LedgerEntry]]


async def _ndjson(first: list[LedgerEntry], rest: Pages) -> AsyncIterator[bytes]:
    yield export.ndjson(first)
    async for page in rest:
        yield export.ndjson(page)


async def _csv(first: list[LedgerEntry], rest: Pages) -> AsyncIterator[str]:
    yield export.csv_header() + export.csv_rows(first)
    async for page in rest:
        yield export.csv_rows(page)


_FORMATS: dict[Format, tuple[str, Callable[[list[LedgerEntry], Pages], AsyncIterator[bytes] | AsyncIterator[str]]]] = {
    Format.NDJSON: ("application/x-ndjson", _ndjson),
    Format.CSV: ("text/csv", _csv),
}
