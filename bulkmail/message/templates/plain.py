"""Templates that are nothing but text and columns: ``Your offer, {{ name }}``.

Most of what stands in a campaign file is one. Filling it in needs no engine; for anything but text
and whole numbers in the columns it names, and for all that is missing, jinja2 is asked.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import nodes


class Part(enum.Enum):
    """What a part of a template is."""

    TEXT = enum.auto()
    #: A column's name.
    COLUMN = enum.auto()
    #: The same, whose value is escaped.
    ESCAPED = enum.auto()


#: The first character that HTML has a meaning for.
_markup = re.compile("[&<>'\"]").search

#: Names that a template of jinja2 gives a meaning of its own.
_SPECIAL = {"self", "super", "caller", "loop", "varargs", "kwargs"}


class PlainTemplate:
    """Such a template, taken apart."""

    __slots__ = ("_columns", "_excess", "_octets", "_texts", "names")

    def __init__(self, parts: list[tuple[str, Part]]) -> None:
        """`parts` in their order, with what they are."""
        #: With a gap where a column goes.
        self._texts = [text if part is Part.TEXT else "" for text, part in parts]
        #: The gaps: their places, columns, and whether these are escaped.
        self._columns = [
            (at, name, part is Part.ESCAPED)
            for at, (name, part) in enumerate(parts)
            if part is not Part.TEXT
        ]
        # Of a file's text nothing is half a character; of a key it may be, which is no body.
        self._octets = [text.encode("utf-8", "surrogatepass") for text in self._texts]
        self._excess = sum(map(len, self._octets)) - sum(map(len, self._texts))
        #: Of all that is filled in.
        self.names = frozenset(name for _, name, _ in self._columns)

    @classmethod
    def of(cls, tree: nodes.Template, *, is_html: bool = False) -> PlainTemplate | None:
        """The plain template that was parsed; None where it is more than that.

        In HTML the columns are escaped, but for those that are said to be safe.
        """
        filled = Part.ESCAPED if is_html else Part.COLUMN
        parts: list[tuple[str, Part]] = []
        for output in tree.body:
            if not isinstance(output, nodes.Output):
                return None
            for node in output.nodes:
                if isinstance(node, nodes.TemplateData):
                    parts.append((node.data, Part.TEXT))
                elif name := _column(node):
                    parts.append((name, filled))
                elif (
                    isinstance(node, nodes.Filter)
                    and _is_safe(node)
                    and (name := _column(node.node))
                ):
                    parts.append((name, Part.COLUMN))
                else:
                    return None
        return cls(parts)

    def text(self, variables: Mapping[str, Any]) -> str | None:
        """The text, as jinja2 would make it; None where it is to be asked."""
        texts = self._texts.copy()
        for at, name, is_escaped in self._columns:
            value = variables.get(name)
            if type(value) is not str:
                if type(value) is not int:
                    return None
                value = str(value)
            elif is_escaped and _markup(value):
                value = _escaped(value)
            texts[at] = value
        return "".join(texts)

    def octets(self, variables: Mapping[str, Any]) -> tuple[bytes, int] | None:
        """The same in UTF-8; and how many more octets there are than characters, at the least.

        None also where the text has what no message can carry, a NUL or half a character.
        """
        octets = self._octets.copy()
        try:
            for at, name, is_escaped in self._columns:
                value = variables.get(name)
                if type(value) is not str:
                    if type(value) is not int:
                        return None
                    value = str(value)
                elif is_escaped and _markup(value):
                    value = _escaped(value)
                octets[at] = value.encode()
        except UnicodeEncodeError:
            return None
        text = b"".join(octets)
        return None if b"\0" in text else (text, self._excess)


def _column(node: nodes.Node | None) -> str | None:
    """The name of the column that stands there alone."""
    return node.name if isinstance(node, nodes.Name) and node.name not in _SPECIAL else None


def _is_safe(node: nodes.Filter) -> bool:
    return node.name == "safe" and not (node.args or node.kwargs or node.dyn_args)


def _escaped(text: str) -> str:
    # As markupsafe does it, which makes an object of its own of it first.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&#39;").replace('"', "&#34;")
