"""docs/api.md and docs/openapi.json: what can be asked over HTTP."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens
from health_monitor.api.routes import ROUTERS
from health_monitor.api.services import MAY_ADMIN, MAY_OPERATE, MAY_READ
from health_monitor.docs.notice import GENERATED

VERSION = "v1"  # of the interface; releases of the program do not change the document

INTRODUCTION = """\
# API

Everything below `/api/v1` takes and gives JSON; [openapi.json](openapi.json) is the full description, for generators of
clients, and is also served at `/openapi.json`. A field may be added within `v1`; none is renamed or removed.

- **Credential**: `Authorization: Bearer TOKEN` on every route but `/livez` and `/readyz`. The scope that a route needs
  is told with it; `/metrics` needs `read` unless the settings open it.
- **Errors** are problem details (RFC 9457, `application/problem+json`): 400 and 422 name each mistake, 401 and 403 are
  about the credential, 413 about the size, 503 says what is missing.
- **Pages**: `limit` and `cursor`; give `next_cursor` of an answer as `cursor` to get the page after it.
"""

_SCOPES = ((MAY_ADMIN, "admin"), (MAY_OPERATE, "operate"), (MAY_READ, "read"))


def openapi_document() -> str:
    return json.dumps(_app().openapi(), indent=1, ensure_ascii=False) + "\n"


def api_document() -> str:
    lines = [GENERATED, "", INTRODUCTION]
    for tag, operations in _by_tag(_app().openapi()["paths"]).items():
        lines += [f"## {tag.capitalize()}", ""]
        for method, path, operation in operations:
            lines += [*_operation(f"{method.upper()} {path}", operation, _scope(method, path)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _by_tag(paths: Mapping[str, Any]) -> Mapping[str, list[tuple[str, str, Any]]]:
    """Method, path and operation, in the order in which each tag and each of its operations comes first."""
    found: dict[str, list[tuple[str, str, Any]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((method, path, operation))
    return found


@cache
def _app() -> FastAPI:
    """The application as it is served, with nothing behind it."""
    return create_app(
        "health_monitor",
        VERSION,
        routers=ROUTERS,
        authenticator=StaticTokens(()),
        probes=(),
        metrics=ServiceMetrics("health_monitor", VERSION),
        settings=WebSettings(),
    )


def _scope(method: str, path: str) -> str:
    """The strongest scope that guards the route; empty for what every service has."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    guards = [route.dependencies for route in routes if route.path == path and method.upper() in (route.methods or ())]
    return next((name for guard, name in _SCOPES if any(guard in each for each in guards)), "")


def _operation(heading: str, operation: Mapping[str, Any], scope: str) -> Iterator[str]:
    yield f"### {heading}"
    yield ""
    yield operation["description"]
    yield ""
    if scope:
        yield f"Scope `{scope}`. {_answers(operation)}"
    else:
        yield _answers(operation)
    if "requestBody" in operation:
        yield ""
        yield f"Body: {_shape(operation['requestBody']['content'])}"
    if "parameters" in operation:
        yield ""
        yield "| Parameter | In | Default | What it is |"
        yield "|---|---|---|---|"
    for parameter in operation.get("parameters", ()):
        default = parameter["schema"].get("default")
        shown = "required" if parameter["required"] else "" if default is None else f"`{default}`"
        about = str(parameter.get("description", "")).replace("|", "\\|")
        yield f"| `{parameter['name']}` | {parameter['in']} | {shown} | {about} |"


def _answers(operation: Mapping[str, Any]) -> str:
    """What a success gives, and which errors are the route's own."""
    good = next(code for code in operation["responses"] if code.startswith("2"))
    own = [code for code in operation["responses"] if code in {"404", "409", "410"}]
    errors = f" Or {', '.join(own)}." if own else ""
    shape = _shape(operation["responses"][good].get("content", {}))
    return f"Answers {good}{f' with {shape}' if shape else ''}.{errors}"


def _shape(content: Mapping[str, Any]) -> str:
    """The name of the schema, or else the media type."""
    for media_type, described in content.items():
        reference = str(described.get("schema", {}).get("$ref", ""))
        return f"`{reference.rpartition('/')[2]}`" if reference else f"`{media_type}`"
    return ""
