"""Templates that are nothing but text and columns: ``Your offer, {{ name }}``.

Most of what stands in a campaign file is one. Filling it in needs no engine; for anything but text
and whole numbers in the columns it names, and for all that is missing, jinja2 is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

#: What becomes of a column's value.
Fill = Callable[[Any], str]

#: Names that a template of jinja2 gives a meaning of its own.
_SPECIAL = {"self", "super", "caller", "loop", "varargs", "kwargs"}


class PlainTemplate:
    """Such a template, taken apart."""

    __slots__ = ("_columns", "_texts")

    def __init__(self, parts: list[tuple[str, Fill | None]]) -> None:
        """`parts` are texts; and columns' names, with what is done to a column's text."""
        #: With a gap where a column goes.
        self._texts = ["" if fill else text for text, fill in parts]
        #: The gaps' places.
        self._columns = [(at, name, fill) for at, (name, fill) in enumerate(parts) if fill]

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
        texts = self._texts.copy()
        for at, name, fill in self._columns:
            value = variables.get(name)
            if type(value) is not str and type(value) is not int:
                return None
            texts[at] = fill(value)
        return "".join(texts)


def _column(node: nodes.Node | None) -> str | None:
    """The name of the column that stands there alone."""
    return node.name if isinstance(node, nodes.Name) and node.name not in _SPECIAL else None


def _is_safe(node: nodes.Filter) -> bool:
    return node.name == "safe" and not (node.args or node.kwargs or node.dyn_args)


def _escaped(value: str | int) -> str:
    # As markupsafe does it, which makes an object of its own of it first.
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&#39;").replace('"', "&#34;")
