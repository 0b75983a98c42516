"""Templates that are nothing but text and columns: ``Your offer, {{ name }}``.

Most of what stands in a campaign file is one. Filling it in needs no engine; for anything but text
and whole numbers in the columns it names, and for all that is missing, jinja2 is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes
from markupsafe import escape

#: What becomes of a column's value.
Fill = Callable[[Any], str]

#: Names that a template of jinja2 gives a meaning of its own.
_SPECIAL = {"self", "super", "caller", "loop", "varargs", "kwargs"}


class PlainTemplate:
    """Such a template, taken apart."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[tuple[str, Fill | None]]) -> None:
        #: Texts; and columns' names, with what is done to a column's text.
        self._parts = parts

    @classmethod
    def of(cls, tree: nodes.Template, *, is_html: bool = False) -> PlainTemplate | None:
        """The plain template that was parsed; None where it is more than that.

        In HTML the columns are escaped, but for those that are said to be safe.
        """
        filled = _escaped if is_html else str
        parts: list[tuple[str, Fill | None]] = []
        for output in tree.body:
            if not isinstance(output, nodes.Output):
                return None
            for node in output.nodes:
                if isinstance(node, nodes.TemplateData):
                    parts.append((node.data, None))
                elif name := _column(node):
                    parts.append((name, filled))
                elif (
                    isinstance(node, nodes.Filter)
                    and _is_safe(node)
                    and (name := _column(node.node))
                ):
                    parts.append((name, str))
                else:
                    return None
        return cls(parts)

    def text(self, variables: Mapping[str, Any]) -> str | None:
        """The text, as jinja2 would make it; None where it is to be asked."""
        texts = []
        for part, fill in self._parts:
            if fill is None:
                texts.append(part)
                continue
            value = variables.get(part)
            if type(value) is not str and type(value) is not int:
                return None
            texts.append(fill(value))
        return "".join(texts)


def _column(node: nodes.Node | None) -> str | None:
    """The name of the column that stands there alone."""
    return node.name if isinstance(node, nodes.Name) and node.name not in _SPECIAL else None


def _is_safe(node: nodes.Filter) -> bool:
    return node.name == "safe" and not (node.args or node.kwargs or node.dyn_args)


def _escaped(value: str | int) -> str:
    return str(escape(value))
