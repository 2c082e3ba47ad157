"""What was kept of removed objects: evidence to read, and manifests to restore them from."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from auto_healing.api.parameters import InNamespace, Named, OfKind, OfRun
from auto_healing.api.services import AnyServices, StoredServices
from auto_healing.kube.cluster import NotActing
from auto_healing.kube.restorable import NotRestorable
from auto_healing.restore import Restored, restore
from auto_healing.storage.evidence import Evidence, EvidenceSummary
from auto_healing.storage.listing import Of
from auto_healing.storage.manifests import ManifestSummary
from common.kube.errors import KubeError
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Operator
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["evidence"])

_EVIDENCE = Cursors("evidence", tuple[datetime, UUID])
_MANIFESTS = Cursors("manifests", tuple[datetime, UUID])


def _of(
    *,
    run: OfRun = None,
    kind: OfKind = None,
    namespace: InNamespace = None,
    name: Named = None,
) -> Of:
    return Of(run_id=run, kind=kind, namespace=namespace, name=name)


Wanted = Annotated[Of, Depends(_of)]


@router.get("/evidence", dependencies=[MAY_READ])
async def list_evidence(
    stored: StoredServices, of: Wanted, limit: Limit = 100, cursor: CursorText = None
) -> Page[EvidenceSummary]:
    """Bundles of a run or of an object, the newest first, without their content."""
    found = await stored.evidence.list(of, before=_EVIDENCE.decode(cursor), limit=limit + 1)
    return _EVIDENCE.page(found, limit, at=lambda each: each.position, item=lambda each: each)


@router.get("/evidence/{evidence_id}", dependencies=[MAY_READ], responses=responses(404))
async def get_evidence(
    stored: StoredServices,
    evidence_id: Annotated[UUID, Path(description="The bundle's id, as lists of evidence tell it")],
) -> Evidence:
    """One bundle: logs, events, conditions, revisions, usage and specification, as they were before the action."""
    found = await stored.evidence.get(evidence_id)
    if found is None:
        raise Problem(404, f"there is no evidence {evidence_id}, or it is no longer kept")
    return found


@router.get("/manifests", dependencies=[MAY_READ])
async def list_manifests(
    stored: StoredServices, of: Wanted, limit: Limit = 100, cursor: CursorText = None
) -> Page[ManifestSummary]:
    """Objects that were removed and can be restored, the newest first."""
    found = await stored.manifests.list(of, before=_MANIFESTS.decode(cursor), limit=limit + 1)
    return _MANIFESTS.page(found, limit, at=lambda each: each.position, item=lambda each: each)


@router.post("/manifests/{manifest_id}/restore", responses=responses(404, 409))
async def restore_manifest(
    services: AnyServices,
    stored: StoredServices,
    caller: Operator,
    manifest_id: Annotated[UUID, Path(description="The manifest's id, as lists of manifests tell it")],
) -> Restored:
    """Create the object again, once. 409 says why that cannot be: one of its name exists, or its volume is gone."""
    if not services.acting():
        raise Problem(503, "another replica leads, and may restore it: ask again", headers={"Retry-After": "1"})
    found = await stored.manifests.get(manifest_id)
    if found is None:
        raise Problem(404, f"there is no manifest {manifest_id}, or it is no longer kept")
    try:
        return await restore(found, services.cluster, stored.database, by=caller.name, at=services.now())
    except NotRestorable as error:
        raise Problem(409, str(error)) from None
    except (NotActing, KubeError) as error:
        raise Problem(503, f"it was not restored: {error}", headers={"Retry-After": "2"}) from error
