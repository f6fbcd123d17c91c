"""How much one query may ask for: it is answered on the loop that requests pass through, too."""

from __future__ import annotations

from typing import Final

from graphql import GraphQLError
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.control.graphql.schema import DATASET

MAX_TOKENS: Final = 5_000
MAX_CHARACTERS: Final = 100_000
MAX_DEPTH: Final = 30
"""Deep enough for the introspection query of any client."""

MAX_FIELDS: Final = 1_500
MAX_DATASETS: Final = 20


def check_limits(document: DocumentNode) -> None:
    """Let a document pass that is neither too deep nor too large once its fragments are put in.

    Raises:
        GraphQLError: It is.
    """
    walk = _Walk({one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)})
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            walk.visit(definition.selection_set, 1)


class _Walk:
    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._fields = 0
        self._datasets = 0

    def visit(self, selections: SelectionSetNode | None, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise GraphQLError(f"the query is nested more than {MAX_DEPTH} deep")
        for node in selections.selections if selections is not None else ():
            self._count(node)
            if isinstance(node, FieldNode | InlineFragmentNode):
                self.visit(node.selection_set, depth + 1)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in self._fragments:
                self.visit(self._fragments[node.name.value].selection_set, depth + 1)

    def _count(self, node: object) -> None:
        self._fields += 1
        self._datasets += isinstance(node, FieldNode) and node.name.value == DATASET
        if self._fields > MAX_FIELDS:
            raise GraphQLError(f"number of fields can't be more than {MAX_FIELDS}")
        if self._datasets > MAX_DATASETS:
            raise GraphQLError(f"number of datasets can't be more than {MAX_DATASETS}")
