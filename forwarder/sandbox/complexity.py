"""The cost of a query as Blink's server counts it, which must stay under 200."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)

LIMIT = 200
FIELD = 1
MUTATION = 120  # on top of its field: two of them never fit into one request


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts fields; of alternatives on a union, only the dearest one."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def measure(self, operation: OperationDefinitionNode) -> int:
        root = self.schema.get_root_type(operation.operation)
        return self._selections(operation.selection_set, root) if root else 0

    def _selections(self, selections: SelectionSetNode | None, parent: GraphQLNamedType) -> int:
        if selections is None:
            return 0
        costs: Counter[str] = Counter(dict.fromkeys(self._possible(parent), 0))
        for selection in selections.selections:
            cost, target = self._selection(selection, parent)
            for name in self._possible(target):
                costs[name] += cost
        return max(costs.values(), default=0)

    def _selection(
        self, selection: SelectionNode, parent: GraphQLNamedType
    ) -> tuple[int, GraphQLNamedType]:
        """The cost of a selection, and the type whose objects bear it."""
        if isinstance(selection, FieldNode):
            return self._field(selection, parent), parent
        if isinstance(selection, FragmentSpreadNode):
            fragment = self.fragments[selection.name.value]
            target = self.schema.get_type(fragment.type_condition.name.value) or parent
            return self._selections(fragment.selection_set, target), target
        condition = getattr(selection, "type_condition", None)
        target = (condition and self.schema.get_type(condition.name.value)) or parent
        return self._selections(getattr(selection, "selection_set", None), target), target

    def _field(self, field: FieldNode, parent: GraphQLNamedType) -> int:
        definition = getattr(parent, "fields", {}).get(field.name.value)
        if definition is None:  # __typename
            return FIELD
        extra = MUTATION if parent is self.schema.mutation_type else 0
        return (
            FIELD + extra + self._selections(field.selection_set, get_named_type(definition.type))
        )

    def _possible(self, type_: GraphQLNamedType) -> list[str]:
        if is_abstract_type(type_):
            return [possible.name for possible in self.schema.get_possible_types(type_)]
        return [type_.name] if isinstance(type_, GraphQLObjectType) else []


def measure(
    schema: GraphQLSchema, document: DocumentNode, operations: Iterable[OperationDefinitionNode]
) -> int:
    """The complexity of the dearest of some operations in a valid document."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    meter = Meter(schema, fragments)
    return max((meter.measure(operation) for operation in operations), default=0)
