"""Parameters that a route does not know: an answer without the filter that was meant would mislead."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from common.policy.mistakes import nearest
from common.web.auth import bearer, identify
from common.web.problems import Mistake, wrong_request

# Of an operation in OpenAPI: for people, whose mail and chat programs add parameters to the links that they follow.
ANY_QUERY = "x-any-query"


async def only_known(request: Request) -> None:
    """Raises a problem of 422 for a question with parameters that the route does not describe.

    Whoever has no credential is told of that alone.
    """
    if request.method not in {"GET", "HEAD"} or not request.query_params:
        return
    operation = _operation(request)
    if operation.get(ANY_QUERY):
        return
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    mistakes = [
        # model_construct: a name that the client made up may hold what pydantic would refuse.
        Mistake.model_construct(location="query", path=f"/{name}", message=f"no such parameter{nearest(name, known)}")
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if mistakes:
        if operation.get("security"):
            await identify(request, await bearer(request))
        raise wrong_request(*mistakes)


def _operation(request: Request) -> Mapping[str, Any]:
    paths: Mapping[str, Any] = request.app.openapi()["paths"]
    operation: Mapping[str, Any] = paths.get(request.scope["route"].path, {}).get("get", {})
    return operation
