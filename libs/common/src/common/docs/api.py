"""What can be asked over HTTP: the OpenAPI description, and Markdown made from it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from common.docs.notice import GENERATED
from common.docs.text import as_json
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope, requires
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens

VERSION = "v1"  # of the interface; releases of the program do not change the document

_STRONGEST_FIRST = (Scope.ADMIN, Scope.OPERATE, Scope.APPROVE, Scope.READ)


class ApiDocuments:
    """The documents of one service's routers."""

    def __init__(self, service: str, routers: Sequence[APIRouter], introduction: str) -> None:
        self._service = service
        self._routers = routers
        self._introduction = introduction

    def openapi(self) -> str:
        return as_json(self._app().openapi())

    def markdown(self) -> str:
        lines = [GENERATED, "", self._introduction]
        for tag, operations in _by_tag(self._app().openapi()["paths"]).items():
            lines += [f"## {tag.capitalize()}", ""]
            for method, path, operation in operations:
                scope = self._scope(method, path)
                lines += [*_operation(f"{method.upper()} {path}", operation, scope), ""]
        return "\n".join(lines).rstrip() + "\n"

    def _app(self) -> FastAPI:
        """The application as it is served, with nothing behind it."""
        return create_app(
            self._service,
            VERSION,
            routers=self._routers,
            authenticator=StaticTokens(()),
            probes=(),
            metrics=ServiceMetrics(self._service, VERSION),
            settings=WebSettings(),
        )

    def _scope(self, method: str, path: str) -> str:
        """The strongest scope that guards the route; empty where none does."""
        routes = [route for router in self._routers for route in router.routes if isinstance(route, APIRoute)]
        here = [route for route in routes if route.path == path and method.upper() in (route.methods or ())]
        asked = {each.call for route in here for each in route.dependant.dependencies}
        return next((scope for scope in _STRONGEST_FIRST if requires(scope) in asked), "")


def _by_tag(paths: Mapping[str, Any]) -> Mapping[str, list[tuple[str, str, Any]]]:
    """Method, path and operation, in the order in which each tag and each of its operations comes first."""
    found: dict[str, list[tuple[str, str, Any]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((method, path, operation))
    return found


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
