"""The executable schema: Blink's names on the outside, Python's on the inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
)

from forwarder.sandbox import scalars
from forwarder.sandbox.errors import InvalidInput

SDL_FILE = "schema.graphql"
CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@cache
def load() -> GraphQLSchema:
    """The schema of the sandbox, with arguments handed on under Python names."""
    schema = build_schema(files(__package__).joinpath(SDL_FILE).read_text("utf-8"))
    scalars.bind(schema)
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for output in type_.fields.values():
                for name, argument in output.args.items():
                    argument.out_name = snake(name)
        elif isinstance(type_, GraphQLInputObjectType):
            for name, entry in type_.fields.items():
                entry.out_name = snake(name)
    return schema


def resolve_field(source: object, info: GraphQLResolveInfo[Any], **arguments: object) -> object:
    """Read a field off an object or a mapping; call it if it takes arguments."""
    for argument in arguments.values():
        # Arguments of fields do not go to payloads: the error is raised here, to the top level.
        if isinstance(argument, InvalidInput):
            raise argument
    value = look_up(source, snake(info.field_name))
    return value(**arguments) if callable(value) else value


def resolve_type(value: object, *_: object) -> str:
    return str(look_up(value, "typename"))


def look_up(source: object, name: str) -> object:
    return source[name] if isinstance(source, Mapping) else getattr(source, name)


@cache
def snake(name: str) -> str:
    return CAPITAL.sub("_", name).lower()
