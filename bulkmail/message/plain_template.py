"""Templates that are nothing but text and columns: ``Your offer, {{ name }}``.

Most of what stands in a campaign file is one. Filling it in needs no engine; for anything but text
and whole numbers in the columns it names, and for all that is missing, jinja2 is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import nodes
from markupsafe import escape

#: Names that a template of jinja2 gives a meaning of its own.
_SPECIAL = {"self", "super", "caller", "loop", "varargs", "kwargs"}


class PlainTemplate:
    """Such a template, taken apart."""

    __slots__ = ("_is_html", "_parts")

    def __init__(self, parts: list[tuple[str, bool]], *, is_html: bool) -> None:
        #: Texts, and whether each is a column's name.
        self._parts = parts
        self._is_html = is_html

    @classmethod
    def of(cls, tree: nodes.Template, *, is_html: bool = False) -> PlainTemplate | None:
        """The plain template that was parsed; None where it is more than that.

        In HTML the columns are escaped.
        """
        parts = []
        for output in tree.body:
            if not isinstance(output, nodes.Output):
                return None
            for node in output.nodes:
                if isinstance(node, nodes.TemplateData):
                    parts.append((node.data, False))
                elif isinstance(node, nodes.Name) and node.name not in _SPECIAL:
                    parts.append((node.name, True))
                else:
                    return None
        return cls(parts, is_html=is_html)

    def text(self, variables: Mapping[str, Any]) -> str | None:
        """The text, as jinja2 would make it; None where it is to be asked."""
        texts = []
        for part, is_name in self._parts:
            if not is_name:
                texts.append(part)
                continue
            value = variables.get(part)
            if type(value) is not str:
                if type(value) is not int:
                    return None
                value = str(value)
            if self._is_html:
                value = str(escape(value))
            texts.append(value)
        return "".join(texts)
