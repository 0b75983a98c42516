"""Charges put into a template before it is compiled: what goes round, or calls itself, pays.

Each template, block and macro pays as it begins, a loop for each item, and what is long behind an
`if` as it comes to it, by how much stands in it. What is joined by ``~`` pays by its length.
"""

from __future__ import annotations

from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

#: Filters' names, which no template can write: the one takes what is to be paid, and is true; the
#: other gives back what it measures.
CHARGE, MEASURE = " charge", " measure"

#: What a thing in a template costs beside its text, in characters: it takes about as long.
_NODE = 20
#: What it costs to begin a template, a block or a macro.
_BEGINNING = 200
#: What is behind an `if` and costs more is paid for when it comes to that.
_LONG_WAY = 200

#: What pays for itself.
_BODIES = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)


def metered(template: nodes.Template) -> nodes.Template:
    """The same template, changed in place, with its charges."""
    return cast("nodes.Template", _Metering().visit(template))


class _Metering(NodeTransformer):
    def visit_Template(self, node: nodes.Template) -> nodes.Node:  # noqa: N802  # named by jinja2
        return self._paying(node, node.body)

    def visit_Block(self, node: nodes.Block) -> nodes.Node:  # noqa: N802  # the same
        return self._paying(node, node.body)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802  # the same
        return self._paying(node, node.body)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802  # the same
        return self._paying(node, node.body)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # the same
        if node.test is not None:
            # Items that are passed over take the time that it takes to look at them.
            charge = _charge(node, [node.test], _NODE)
            node.test = nodes.And(charge, node.test, lineno=node.test.lineno)
        return self._paying(node, node.body, _NODE)

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802  # the same
        costs = [(way, sum(map(_cost, way))) for way in (node.body, node.else_)]
        charges = [(way, _charge(node, way, 0)) for way, cost in costs if cost > _LONG_WAY]
        self.generic_visit(node)
        for way, charge in charges:
            way.insert(0, nodes.ExprStmt(charge, lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # the same
        self.generic_visit(node)
        return nodes.Filter(node, MEASURE, [], [], None, None, lineno=node.lineno)

    def _paying(
        self, node: nodes.Node, body: list[nodes.Node], itself: int = _BEGINNING
    ) -> nodes.Node:
        charge = _charge(node, body, itself)
        self.generic_visit(node)
        body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno))
        return node


def _charge(node: nodes.Node, body: list[nodes.Node], itself: int) -> nodes.Filter:
    cost = nodes.Const(itself + sum(map(_cost, body)))
    return nodes.Filter(cost, CHARGE, [], [], None, None, lineno=node.lineno)


def _cost(node: nodes.Node) -> int:
    if isinstance(node, _BODIES):
        return _NODE
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    if isinstance(node, nodes.If):
        # One of its ways is gone; the long ones pay for themselves.
        ways = (node.body, *(other.body for other in node.elif_), node.else_)
        tests = _cost(node.test) + sum(_cost(other.test) for other in node.elif_)
        costs = (sum(map(_cost, way)) for way in ways)
        return _NODE + tests + max(cost if cost <= _LONG_WAY else 0 for cost in costs)
    return _NODE + sum(map(_cost, node.iter_child_nodes()))
