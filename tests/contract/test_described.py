"""What whoever calls an API needs to be told: what each parameter and each field that is sent means."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from alert_service.docs.api import API as ALERTS
from auto_healing.docs.api import API as HEALING
from health_monitor.docs.api import API as HEALTH

DESCRIBED: Mapping[str, Any] = {
    "health_monitor": json.loads(HEALTH.openapi()),
    "auto_healing": json.loads(HEALING.openapi()),
    "alert_service": json.loads(ALERTS.openapi()),
}

every_service = pytest.mark.parametrize("described", DESCRIBED.values(), ids=DESCRIBED.keys())


def operations(described: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(shape: object) -> Iterator[str]:
    """The names of the schemas that a piece of the description refers to."""
    if isinstance(shape, Mapping):
        if "$ref" in shape:
            yield str(shape["$ref"]).rpartition("/")[2]
        for value in shape.values():
            yield from references(value)
    elif isinstance(shape, list):
        for value in shape:
            yield from references(value)


def sent(described: Mapping[str, Any]) -> set[str]:
    """The schemas of everything that can stand in the body of a request."""
    schemas = described["components"]["schemas"]
    open_ones = {name for _, operation in operations(described) for name in references(operation.get("requestBody"))}
    found: set[str] = set()
    while open_ones:
        name = open_ones.pop()
        found.add(name)
        open_ones |= set(references(schemas[name])) - found
    return found


@every_service
def test_every_shape_that_is_referred_to_is_there(described: Mapping[str, Any]) -> None:
    assert "#/$defs" not in json.dumps(described)
    assert set(references(described)) <= set(described["components"]["schemas"])


@every_service
def test_every_shape_has_a_name_of_its_own(described: Mapping[str, Any]) -> None:
    """Of two of one name each is called by the module that it stands in, which no client should know."""
    assert [name for name in described["components"]["schemas"] if "__" in name] == []


@every_service
def test_every_route_says_what_it_does(described: Mapping[str, Any]) -> None:
    assert [name for name, operation in operations(described) if not operation.get("description")] == []


@every_service
def test_every_parameter_says_what_it_is(described: Mapping[str, Any]) -> None:
    silent = [
        f"{name}: {parameter['name']}"
        for name, operation in operations(described)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert silent == []


@every_service
def test_every_field_that_is_sent_says_what_it_is(described: Mapping[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name in sorted(sent(described))
        for field, shape in schemas[name].get("properties", {}).items()
        if not shape.get("description") and "$ref" not in shape and "const" not in shape
    ]
    assert silent == []


@every_service
def test_every_error_is_a_problem(described: Mapping[str, Any]) -> None:
    """But for readiness, whose 503 is the same list of dependencies as its 200, and for pages that people open."""
    others = [
        f"{name}: {status}"
        for name, operation in operations(described)
        for status, answer in operation["responses"].items()
        if status >= "400" and list(answer.get("content", ())) not in (["application/problem+json"], ["text/html"])
    ]
    assert others == ["GET /readyz: 503"]
