"""The application factory: a FastAPI application with what every service has, in front of the service's own routers."""

import asyncio
import gzip
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from prometheus_client.exposition import choose_encoder
from starlette.types import Lifespan

from common.metrics import ServiceMetrics
from common.web import problems
from common.web.auth import Authenticator, Credentials, Scope, requires
from common.web.limits import Limits
from common.web.probes import Probe, Probes, Readiness
from common.web.queries import only_known
from common.web.requests import Requests
from common.web.settings import WebSettings

# Any route below a credential may answer with these; 404, 409 and the like are the route's own to declare.
COMMON = problems.responses(400, 401, 403, 413, 422, 503)

# For whoever describes a body: `model_json_schema(ref_template=REFERENCE)`.
REFERENCE = "#/components/schemas/{model}"


class _Service(FastAPI):
    """FastAPI whose description knows the shape of a problem, and of bodies that routes read by themselves."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = described = deepcopy(super().openapi())  # parts of it belong to the routes
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            _name(problems.ProblemDetails.model_json_schema(ref_template=REFERENCE), schemas)
            for operation in (each for path in described["paths"].values() for each in path.values()):
                for content in operation.get("requestBody", {}).get("content", {}).values():
                    content["schema"] = _name(content["schema"], schemas)
        return self.openapi_schema


def _name(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema, which is put among the others with all that it is made of; itself when it is one."""
    if "$defs" not in schema:
        return schema
    schemas |= schema.pop("$defs") | {schema["title"]: schema}
    return {"$ref": REFERENCE.format(model=schema["title"])}


def create_app(
    title: str,
    version: str,
    *,
    routers: Sequence[APIRouter],
    authenticator: Authenticator,
    probes: Sequence[Probe],
    metrics: ServiceMetrics,
    settings: WebSettings,
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """Build the application. Routers guard their own routes with `Depends(requires(...))`."""
    app = _Service(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=None,  # served below, to those who may read
        redirect_slashes=False,  # a redirect would be an answer that no route documents
        generate_unique_id_function=_operation_id,
    )
    app.state.authenticator = authenticator
    app.add_middleware(Limits, body_limit_bytes=settings.body_limit_bytes)
    app.add_middleware(Requests, metrics=metrics)  # the last one added is the outermost
    problems.install(app)
    app.include_router(_operations(Probes(probes), metrics, settings))
    for router in routers:
        app.include_router(router, responses=COMMON, dependencies=[Depends(only_known)])
    return app


def _operations(probes: Probes, metrics: ServiceMetrics, settings: WebSettings) -> APIRouter:
    """What machines ask of every service."""
    router = APIRouter(tags=["operations"], responses=problems.responses(400, 413))

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        """The process is alive. Needs no credential."""
        return {"status": "alive"}

    @router.get("/readyz", responses={503: {"model": Readiness}})
    async def readyz(response: Response) -> Readiness:
        """Whether the service can do its work, dependency by dependency; 503 when a required one is missing."""
        readiness = await probes.readiness()
        response.status_code = 200 if readiness.ready else 503
        return readiness

    @router.get("/metrics", response_class=Response, responses=_METRICS)
    async def exposition(request: Request, credentials: Credentials) -> Response:
        """Prometheus metrics. Needs the scope read unless the settings open it."""
        if not settings.metrics_open:
            await requires(Scope.READ)(request, credentials)
        return await asyncio.to_thread(_expose, metrics, request)

    @router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(requires(Scope.READ))])
    async def openapi(request: Request) -> dict[str, Any]:
        described: dict[str, Any] = request.app.openapi()
        return described

    return router


_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **problems.responses(401, 403, 503),
}


def _expose(metrics: ServiceMetrics, request: Request) -> Response:
    """In a thread: thousands of series take tens of milliseconds, which the loop must not wait for."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    body = encode(metrics.registry)
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        # Level 9, the client library's own, costs six times as much and saves a fifth.
        return Response(gzip.compress(body, compresslevel=1), headers=headers | {"Content-Encoding": "gzip"})
    return Response(body, headers=headers)


def _operation_id(route: APIRoute) -> str:
    return route.name
