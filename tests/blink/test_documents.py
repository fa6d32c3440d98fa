"""Every document is one that Blink understands and finds cheap enough."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    parse,
    validate,
)

from forwarder.blink import documents
from forwarder.blink.documents import Operation

ROOT = Path(__file__).parents[2]
SANDBOX_SDL = ROOT / "forwarder" / "sandbox" / "schema.graphql"
BLINK_SDL = Path(os.environ.get("BLINK_SDL", ROOT.parent / "shared" / "blink" / "schema.graphql"))

COMPLEXITY_LIMIT = 200
COMPLEXITY_OF_A_MUTATION = 120

OPERATIONS = {name: it for name, it in vars(documents).items() if isinstance(it, Operation)}


def complaints(schema: GraphQLSchema, operation: Operation) -> list[str]:
    """What a schema has against a document, its variables included."""
    return [error.message for error in validate(schema, operation.document)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_sandbox_understands_every_document(name: str) -> None:
    assert complaints(build_schema(SANDBOX_SDL.read_text()), OPERATIONS[name]) == []


@pytest.fixture(scope="module")
def blinks_schema() -> GraphQLSchema:
    if not BLINK_SDL.exists():
        pytest.skip("Blink's own schema is not here; BLINK_SDL can say where it is")
    return build_schema(BLINK_SDL.read_text())


@pytest.mark.parametrize("name", OPERATIONS)
def test_blink_understands_every_document(name: str, blinks_schema: GraphQLSchema) -> None:
    assert complaints(blinks_schema, OPERATIONS[name]) == []


def fields(selections: SelectionSetNode | None, of: dict[str, FragmentDefinitionNode]) -> int:
    """One for each field, however deep: more than Blink counts, which takes the dearest type."""
    count = 0
    for node in selections.selections if selections else ():
        if isinstance(node, FragmentSpreadNode):
            count += fields(of[node.name.value].selection_set, of)
        elif isinstance(node, FieldNode | InlineFragmentNode):
            count += isinstance(node, FieldNode) + fields(node.selection_set, of)
    return count


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_document_is_too_complex_for_blink(name: str) -> None:
    definitions = OPERATIONS[name].document.definitions
    named = {it.name.value: it for it in definitions if isinstance(it, FragmentDefinitionNode)}
    (operation,) = [it for it in definitions if isinstance(it, OperationDefinitionNode)]
    roots = len(operation.selection_set.selections)
    extra = COMPLEXITY_OF_A_MUTATION * roots if operation.operation is OperationType.MUTATION else 0
    assert fields(operation.selection_set, named) + extra < COMPLEXITY_LIMIT


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_goes_on_the_wire_is_the_document_and_its_variables(name: str) -> None:
    bound = OPERATIONS[name].bind(one=1, two=None)
    assert bound.payload["variables"] == {"one": 1, "two": None}
    assert parse(bound.payload["query"]) == parse(OPERATIONS[name].payload["query"])
    assert OPERATIONS[name].payload["variables"] == {}  # binding leaves the original alone
