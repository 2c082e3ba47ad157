"""All that is wrong now, the worst first."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ
from health_monitor.api.answers import answer_page
from health_monitor.api.parameters import AtLeast, Code, KnownKind, Namespace
from health_monitor.api.services import StartedServices
from health_monitor.api.shapes import FindingView
from health_monitor.view.view import Filter

router = APIRouter(prefix="/api/v1", tags=["findings"], dependencies=[MAY_READ])

_CURSORS = Cursors("findings", tuple[int, str, tuple[str, str, str], str])


def _filter(
    *,
    severity: AtLeast = None,
    code: Code = None,
    kind: Annotated[KnownKind | None, Query(description="Only about objects of this kind", examples=["Pod"])] = None,
    namespace: Namespace = None,
    name: Annotated[str | None, Query(description="Only about objects of this name")] = None,
) -> Filter:
    return Filter(severity=severity, code=code, kind=kind, namespace=namespace, name=name)


@router.get("/findings", response_model=Page[FindingView])
async def findings(
    services: StartedServices,
    wanted: Annotated[Filter, Depends(_filter)],
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Response:
    """Every open finding, also those that were told together as a storm, and muted ones, which say so."""
    found = services.view.findings(wanted, limit=limit, position=_CURSORS.decode(cursor))
    return answer_page(Page[FindingView], found, _CURSORS)
