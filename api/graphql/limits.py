"""How deep and how wide a query may go, counted once per fragment however often it is spread."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationRule,
)

MAX_DEPTH = 10
MAX_ALIASES = 30


class _Extent(NamedTuple):
    depth: int
    aliases: int


class ExtentLimit(ValidationRule):
    """Refuse operations deeper than ``MAX_DEPTH`` fields or with more aliases than ``MAX_ALIASES``.

    Introspection is not counted. A fragment is worked out once: a document whose fragments spread
    each other twice would else take time exponential in their number (the ready-made limiters do).
    """

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        extent = self._extent(node.selection_set, {})
        for name, count, most in (
            ("fields deep", extent.depth, MAX_DEPTH),
            ("aliases", extent.aliases, MAX_ALIASES),
        ):
            if count > most:
                message = f"the query has {count} {name}; at most {most} are answered"
                self.report_error(GraphQLError(message, [node]))

    def _extent(self, selections: SelectionSetNode | None, known: dict[str, _Extent]) -> _Extent:
        depth = aliases = 0
        for item in selections.selections if selections else ():
            inner = _Extent(0, 0)
            if isinstance(item, FieldNode):
                if item.name.value.startswith("__"):
                    continue
                inner = self._extent(item.selection_set, known)
                inner = _Extent(inner.depth + 1, inner.aliases + (item.alias is not None))
            elif isinstance(item, InlineFragmentNode):
                inner = self._extent(item.selection_set, known)
            elif isinstance(item, FragmentSpreadNode):
                inner = self._fragment(item.name.value, known)
            depth, aliases = max(depth, inner.depth), aliases + inner.aliases
        return _Extent(depth, aliases)

    def _fragment(self, name: str, known: dict[str, _Extent]) -> _Extent:
        if name not in known:
            known[name] = _Extent(0, 0)  # a cycle ends here; another rule refuses it
            fragment: FragmentDefinitionNode | None = self.context.get_fragment(name)
            if fragment is not None:
                known[name] = self._extent(fragment.selection_set, known)
        return known[name]
