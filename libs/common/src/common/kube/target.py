"""What a request is about, in the words of RBAC: read from its method and path."""

from collections.abc import Mapping
from typing import NamedTuple

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Target(NamedTuple):
    verb: str  # get, list, watch, create, update, patch, delete
    resource: str  # "pods", "pods/eviction", or the path of what is no resource

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def target_of(method: str, path: str, params: Mapping[str, str]) -> Target:
    parts = path.strip("/").split("/")
    if parts[0] not in {"api", "apis"}:
        return Target("get", path)
    parts = parts[2 if parts[0] == "api" else 3 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    resource = "/".join(parts[:1] + parts[2:3])
    if method != "GET":
        return Target(_VERBS[method], resource)
    if params.get("watch"):
        return Target("watch", resource)
    return Target("list" if len(parts) == 1 else "get", resource)
