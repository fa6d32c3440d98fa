"""The document names every call, and nothing else; what it says is tried in `tests/e2e`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic.alias_generators import to_snake

from forwarder import __version__
from forwarder.web.auth import Role
from forwarder.web.openapi import document
from forwarder.web.routes import ROUTES, Route

DOCUMENT: dict[str, Any] = document(ROUTES)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
CALLS = [route for route in ROUTES if route.role is not Role.PEOPLE]


def operation_of(route: Route) -> dict[str, Any]:
    """What the document says of a route."""
    name = next(name for name in OPERATIONS if _snake(name) == str(route))
    return dict(OPERATIONS[name])


def _snake(name: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: f"{{{to_snake(found[1])}}}", name)


async def test_the_service_serves_its_document_to_anyone(client: ClientSession) -> None:
    async with client.get("/openapi.json") as answer:
        assert answer.status == 200
        assert await answer.json() == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == __version__


def test_every_call_is_in_the_document_and_nothing_else() -> None:
    assert {_snake(name) for name in OPERATIONS} == {str(route) for route in CALLS}


@pytest.mark.parametrize("route", CALLS, ids=str)
def test_each_call_is_described(route: Route) -> None:
    operation = operation_of(route)
    assert operation["summary"] == route.summary != ""
    assert ("requestBody" in operation) == (route.body is not None)
    is_signed = route.role is Role.SIGNED
    assert ("401" in operation["responses"]) == (is_signed or bool(operation["security"]))
    assert bool(operation["security"]) == (route.role not in (Role.ANYONE, Role.SIGNED))
    in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert [to_snake(name) for name in in_path] == re.findall(r"{(\w+)}", route.path)
    success = "101" if route.is_socket else "200"
    assert success in operation["responses"]


def test_every_reference_leads_somewhere() -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert named == set(DOCUMENT["components"]["schemas"])


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


def test_what_a_query_takes_is_never_null() -> None:
    (listing,) = [route for route in CALLS if str(route) == "GET /api/invoice"]
    parameters = {one["name"]: one["schema"] for one in operation_of(listing)["parameters"]}
    assert parameters["from"] == {"type": "string", "format": "date-time"}
    assert parameters["limit"]["maximum"] == 100
