"""Lists of zones, nodes, namespaces, workloads and pods, and each of them alone."""

import logging
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from common.contracts import ObjectKey
from common.contracts.objects import ZONE
from common.database.errors import DatabaseError
from common.web.paging import Cursors, Page
from common.web.parts import MAY_READ
from common.web.problems import Problem, responses
from health_monitor.api.answers import answer, answer_page
from health_monitor.api.parameters import Filtered, Namespace, Paging
from health_monitor.api.services import Services, StartedServices
from health_monitor.api.shapes import ClusterView, Detail, NodeSummary, PodSummary, Summary, Timeline, WorkloadSummary
from health_monitor.view.view import Filter
from health_monitor.view.walks import Collection, Sort

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["objects"], dependencies=[MAY_READ])

Name = Annotated[str, Path(max_length=253, description="Its name", examples=["checkout"])]
InNamespace = Annotated[str, Path(max_length=253, description="The namespace it is in", examples=["shop"])]
Kind = Annotated[str, Path(max_length=253, description="Its kind", examples=["Deployment"])]
_CURSORS = {
    (collection, sort): Cursors(f"{collection} by {sort}", tuple[float, tuple[str, str, str]])
    for collection in Collection
    for sort in Sort
}
_TIMELINE_EVENTS = 50


@router.get("/cluster", response_model=ClusterView)
async def cluster(services: StartedServices) -> Response:
    """The cluster at a glance: its score, what took how much, and how much of it was seen."""
    return answer(ClusterView, services.view.describe.cluster(services.cluster_name, services.now()))


@router.get("/zones", response_model=Page[Summary])
async def zones(services: StartedServices, wanted: Filtered, paging: Paging) -> Response:
    """Zones, the worst first."""
    return _page(services, Collection.ZONES, Page[Summary], wanted, paging)


@router.get("/nodes", response_model=Page[NodeSummary])
async def nodes(services: StartedServices, wanted: Filtered, paging: Paging) -> Response:
    """Nodes, the worst first."""
    return _page(services, Collection.NODES, Page[NodeSummary], wanted, paging)


@router.get("/namespaces", response_model=Page[Summary])
async def namespaces(services: StartedServices, wanted: Filtered, paging: Paging) -> Response:
    """Namespaces, the worst first."""
    return _page(services, Collection.NAMESPACES, Page[Summary], wanted, paging)


@router.get("/workloads", response_model=Page[WorkloadSummary])
async def workloads(
    services: StartedServices, wanted: Filtered, paging: Paging, namespace: Namespace = None
) -> Response:
    """Top controllers, and pods that have none; the worst first."""
    wanted = replace(wanted, namespace=namespace)
    return _page(services, Collection.WORKLOADS, Page[WorkloadSummary], wanted, paging)


@router.get("/pods", response_model=Page[PodSummary])
async def pods(services: StartedServices, wanted: Filtered, paging: Paging, namespace: Namespace = None) -> Response:
    """Pods, the worst first."""
    return _page(services, Collection.PODS, Page[PodSummary], replace(wanted, namespace=namespace), paging)


@router.get("/zones/{zone}", response_model=Detail, responses=responses(404))
async def zone(services: StartedServices, zone: Name) -> Response:
    """One zone."""
    return await _one(services, ObjectKey(ZONE, "", zone))


@router.get("/nodes/{name}", response_model=Detail, responses=responses(404))
async def node(services: StartedServices, name: Name) -> Response:
    """One node."""
    return await _one(services, ObjectKey("Node", "", name))


@router.get("/namespaces/{name}", response_model=Detail, responses=responses(404))
async def namespace(services: StartedServices, name: Name) -> Response:
    """One namespace."""
    return await _one(services, ObjectKey("Namespace", "", name))


@router.get("/workloads/{namespace}/{kind}/{name}", response_model=Detail, responses=responses(404))
async def workload(services: StartedServices, namespace: InNamespace, kind: Kind, name: Name) -> Response:
    """One workload: a top controller, or a pod that has none."""
    return await _one(services, ObjectKey(kind, namespace, name))


@router.get("/pods/{namespace}/{name}", response_model=Detail, responses=responses(404))
async def pod(services: StartedServices, namespace: InNamespace, name: Name) -> Response:
    """One pod."""
    return await _one(services, ObjectKey("Pod", namespace, name))


def _page(
    services: Services, collection: Collection, shape: type[Page[Any]], wanted: Filter, paging: Paging
) -> Response:
    cursors = _CURSORS[collection, paging.sort]
    position = cursors.decode(paging.cursor)
    found = services.view.objects(collection, wanted, sort=paging.sort, limit=paging.limit, position=position)
    return answer_page(shape, found, cursors)


async def _one(services: Services, key: ObjectKey) -> Response:
    detail = services.view.describe.detail(key)
    if detail is None:
        raise Problem(404, f"there is no {key}, or it is of a kind that has no score")
    return answer(Detail, replace(detail, timeline=await _timeline(services, key)))


async def _timeline(services: Services, key: ObjectKey) -> Timeline:
    """What happened to it. The rest of the answer does not depend on the database, so it is given without, too."""
    stored = services.storage.stored
    if stored is None:
        return Timeline(note=services.storage.reason)
    try:
        events = await stored.events.timeline(key, limit=_TIMELINE_EVENTS)
    except DatabaseError as error:
        logger.warning("no timeline: %s", error)
        return Timeline(note="the database does not answer at the moment; the log says why")
    return Timeline(events=tuple(events))
