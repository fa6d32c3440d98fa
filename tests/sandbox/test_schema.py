"""Our part of Blink's schema says nothing that Blink's own does not say."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

FULL = Path(
    os.environ.get("BLINK_SDL")
    or Path(__file__).parents[2].joinpath("../shared/blink/schema.graphql")
)

Fields = dict[str, tuple[str, ...]]


def statements(schema: GraphQLSchema) -> dict[str, Fields]:
    """Everything a schema says: types, their members, and the types of those."""
    return {
        name: members(type_) | {"": (type(type_).__name__,)}
        for name, type_ in schema.type_map.items()
        if not name.startswith("__")
    }


def members(type_: object) -> Fields:
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        own: Fields = {name: (str(field.type),) for name, field in type_.fields.items()}
        arguments: Fields = {
            f"{name}({argument})": (str(value.type), str(value.default_value))
            for name, field in type_.fields.items()
            for argument, value in field.args.items()
        }
        return own | arguments | {f": {i.name}": () for i in type_.interfaces}
    if isinstance(type_, GraphQLInputObjectType):
        return {name: (str(field.type),) for name, field in type_.fields.items()}
    if isinstance(type_, GraphQLUnionType):
        return {f"| {member.name}": () for member in type_.types}
    if isinstance(type_, GraphQLEnumType):
        return {f"= {value}": () for value in type_.values}
    return {}


@pytest.mark.skipif(not FULL.is_file(), reason="Blink's full SDL is not here; set BLINK_SDL to it")
def test_the_schema_is_a_strict_subset_of_blinks() -> None:
    full = statements(build_schema(FULL.read_text("utf-8")))
    ours = statements(
        build_schema(files("forwarder.sandbox").joinpath("schema.graphql").read_text("utf-8"))
    )
    for name, said in ours.items():
        assert said.items() <= full[name].items(), name
    assert len(ours) < len(full)


@pytest.mark.skipif(not FULL.is_file(), reason="Blink's full SDL is not here; set BLINK_SDL to it")
def test_whoever_can_call_the_sandbox_can_call_blink() -> None:
    # A field of ours must not lack an argument or an input that Blink requires.
    full = build_schema(FULL.read_text("utf-8"))
    ours = build_schema(files("forwarder.sandbox").joinpath("schema.graphql").read_text("utf-8"))
    for name, type_ in ours.type_map.items():
        theirs = full.type_map[name]
        if isinstance(type_, GraphQLInputObjectType):
            assert isinstance(theirs, GraphQLInputObjectType)
            assert type_.fields.keys() == theirs.fields.keys(), name
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            assert isinstance(theirs, GraphQLObjectType)
            for field_name, field in type_.fields.items():
                assert field.args.keys() == theirs.fields[field_name].args.keys(), field_name
