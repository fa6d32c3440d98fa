"""GraphQL documents, read once each: clients send the same few all day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from forwarder.sandbox import complexity, schema

NO_ROOT = "-"  # stands for the operation of a document that asks the root for nothing


@dataclass(frozen=True, slots=True)
class Document:
    """A document without syntax errors, and all that can be known of it before it is executed.

    `roots` are the names of the fields that it asks the root for. A document with `problems` is not
    valid, and has no cost.
    """

    node: DocumentNode
    kind: OperationType | None
    roots: tuple[str, ...]
    problems: tuple[GraphQLError, ...]
    cost: int


@lru_cache(maxsize=512)
def read(query: str, operation_name: str | None = None) -> Document:
    """Parse, validate and measure; GraphQLError for a syntax error."""
    node = parse(query)
    operations = operations_of(node, operation_name)
    problems = tuple(validate(schema.load(), node))
    return Document(
        node=node,
        kind=operations[0].operation if operations else None,
        roots=root_fields(operations),
        problems=problems,
        cost=0 if problems else complexity.measure(schema.load(), node, operations),
    )


def operations_of(node: DocumentNode, name: str | None) -> list[OperationDefinitionNode]:
    return [
        definition
        for definition in node.definitions
        if isinstance(definition, OperationDefinitionNode)
        and (name is None or (definition.name is not None and definition.name.value == name))
    ]


def root_fields(operations: list[OperationDefinitionNode]) -> tuple[str, ...]:
    names = [
        selection.name.value
        for operation in operations
        for selection in operation.selection_set.selections
        if isinstance(selection, FieldNode)
    ]
    return tuple(names) or (NO_ROOT,)
