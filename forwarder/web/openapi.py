"""`/openapi.json`: the calls, as their routes, models and roles describe them.

Nothing is written twice: what a call takes is what checks it, and what it answers is the type that
its handler is held to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema

from forwarder import __version__
from forwarder.web.answers import Error, Hash
from forwarder.web.auth import Role
from forwarder.web.keys import DOCUMENT
from forwarder.web.requests import ExternalId

if TYPE_CHECKING:
    from forwarder.web.routes import Route

Schema = dict[str, Any]
Refer = Mapping[type, Schema]

_REF: Final = "#/components/schemas/{model}"
_SECURITY: Final[dict[Role, list[Schema]]] = {
    Role.POS: [{"posToken": []}],
    Role.POS_OR_PAGE: [{"posToken": []}, {"pageToken": []}],
    Role.OPERATOR: [{"operatorToken": []}],
}
_SCHEMES: Final = {
    "posToken": {"type": "http", "scheme": "bearer", "description": "A merchant's POS token."},
    "operatorToken": {"type": "http", "scheme": "bearer", "description": "The operator's token."},
    "pageToken": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The token that came with an invoice: for the page that shows it.",
    },
}
_IN_PATH: Final[dict[str, type]] = {
    "external_id": ExternalId,
    "id": int,
    "payment_hash": Hash,
}

_ALWAYS: Final = (429, 500, 503)
_WITH_BODY: Final = (400, 408, 413)


class _Schemas(GenerateJsonSchema):
    """Schemas without pydantic's titles, which only repeat the names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


async def show(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return web.json_response(request.app[DOCUMENT])


def document(routes: Iterable[Route]) -> Schema:
    """The document of these routes; what people open in a browser is no part of it."""
    calls = [route for route in routes if route.role is not Role.PEOPLE]
    refer, components = _components(calls)
    paths: dict[str, Schema] = {}
    for route in calls:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route, refer)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Blink POS forwarder",
            "version": __version__,
            "description": "Amounts are whole satoshis, times are UTC.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _components(calls: Iterable[Route]) -> tuple[Refer, Schema]:
    """Each model once, under its name, and how to refer to it."""
    models = {Error, *(model for call in calls for model in (call.body, call.answer))}
    kinds = sorted((m for m in models if isinstance(m, type)), key=lambda model: model.__name__)
    refer, definitions = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in kinds],
        ref_template=_REF,
        schema_generator=_Schemas,
    )
    return {kind: schema for (kind, _), schema in refer.items()}, definitions.get("$defs", {})


def _operation(route: Route, refer: Refer) -> Schema:
    operation: Schema = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.summary,
        "tags": [_tag(route)],
        "security": _SECURITY.get(route.role, []),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": dict(_responses(route, refer)),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(refer[route.body])}
    return operation


def _path(route: Route) -> str:
    """The path with the names that the contract has."""
    return re.sub(r"{(\w+)}", lambda found: "{" + to_camel(found[1]) + "}", route.path)


def _tag(route: Route) -> str:
    tags = {Role.OPERATOR: "operator", Role.ANYONE: "anyone", Role.SIGNED: "source"}
    return tags.get(route.role, "till")


def _path_parameters(route: Route) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", route.path):
        schema = TypeAdapter(_IN_PATH[name]).json_schema()
        yield {"name": to_camel(name), "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterator[Schema]:
    if route.query is None:
        return
    for name, schema in route.query.model_json_schema(schema_generator=_Schemas)[
        "properties"
    ].items():
        yield {"name": name, "in": "query", "required": False, "schema": _present(schema)}


def _present(schema: Schema) -> Schema:
    """In a query there is no null: a parameter is there, or it is not."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if kinds else schema


def _responses(route: Route, refer: Refer) -> Iterator[tuple[str, Schema]]:
    if route.is_socket:
        yield "101", {"description": "The websocket is open."}
    elif isinstance(route.answer, type):
        yield "200", {"description": "Done.", "content": _json(refer[route.answer])}
    elif route.answer is not None:
        yield "200", {"description": "Done.", "content": {route.answer.media_type: {}}}
    for status in sorted(set(_failures(route))):
        content = _json(refer[route.others.get(status, Error)])
        yield str(status), {"description": HTTPStatus(status).phrase, "content": content}


def _failures(route: Route) -> Iterator[int]:
    """The statuses of everything that can go wrong with a call."""
    yield from _ALWAYS
    yield from route.errors
    if route.role in _SECURITY:
        yield 401
    if "{" in route.path:
        yield 404
    if route.body is not None:
        yield from _WITH_BODY
    if route.query is not None:
        yield 400


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
