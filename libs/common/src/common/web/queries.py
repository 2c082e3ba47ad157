"""Parameters that a route does not know: an answer without the filter that was meant would mislead."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from common.policy.mistakes import nearest
from common.web.problems import Mistake, Problem


async def only_known(request: Request) -> None:
    """Raises a problem of 422 for a question with parameters that the route does not describe."""
    if request.method not in {"GET", "HEAD"} or not request.query_params:
        return
    known = _described(request)
    mistakes = [
        # model_construct: a name that the client made up may hold what pydantic would refuse.
        Mistake.model_construct(location="query", path=f"/{name}", message=f"no such parameter{nearest(name, known)}")
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if mistakes:
        raise Problem(422, f"the request has {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}", errors=mistakes)


def _described(request: Request) -> set[str]:
    paths: Mapping[str, Any] = request.app.openapi()["paths"]
    operation = paths.get(request.scope["route"].path, {}).get("get", {})
    return {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
