"""Templates that are nothing but text and columns: ``Your offer, {{ name }}``.

Most of what stands in a campaign file is one. Filling it in needs no engine; for anything but text
and whole numbers in the columns it names, and for all that is missing, jinja2 is asked.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from jinja2 import nodes

from bulkmail.message.transfer_encoding import BodyText, TextEnd


class Part(enum.Enum):
    """What a part of a template is."""

    TEXT = enum.auto()
    #: A column's name.
    COLUMN = enum.auto()
    #: The same, whose value is escaped.
    ESCAPED = enum.auto()


#: Longest end of a text that is encoded once: in base64 there are up to 57 of each.
_MAX_END = 16_384

#: Between values that are encoded together: none of them has it in a message.
_GAP, _GAP_OCTET = "\0", b"\0"

#: Names that a template of jinja2 gives a meaning of its own.
_SPECIAL = {"self", "super", "caller", "loop", "varargs", "kwargs"}


class PlainTemplate:
    """Such a template, as `%` fills it in."""

    __slots__ = (
        "_columns",
        "_end",
        "_escapes",
        "_excess",
        "_may_show_images",
        "_octets",
        "_text",
        "_values",
        "names",
    )

    def __init__(self, parts: list[tuple[str, Part]]) -> None:
        """`parts` in their order, with what they are."""
        #: The columns in their order, and whether they are escaped.
        self._columns: list[tuple[str, bool]] = []
        texts = [""]
        for text, part in parts:
            if part is Part.TEXT:
                texts[-1] += text
            else:
                self._columns.append((text, part is Part.ESCAPED))
                texts.append("")
        if not self._columns:
            # Nothing goes before it, so that all are filled in alike.
            texts = ["", *texts]
        self._may_show_images = any(map(_may_begin_image, texts))
        self._text = _with_places(texts)
        line, newline, end = texts[-1].partition("\n")
        if len(end) <= _MAX_END:
            texts[-1] = line + newline
        else:
            end = ""
        # What is the same in all messages.
        self._end = TextEnd(end)
        begin = _with_places(texts)
        # Of a file's text nothing is half a character; of a key it may be, which is no body.
        self._octets = begin.encode("utf-8", "surrogatepass")
        self._excess = len(self._octets) - len(begin)
        self._values = _getter([name for name, _ in self._columns])
        self._escapes = any(is_escaped for _, is_escaped in self._columns)
        #: Of all that is filled in.
        self.names = frozenset(name for name, _ in self._columns)

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
                if isinstance(node, nodes.TemplateData) and _GAP not in node.data:
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
        """The text, as jinja2 would make it; None where it is to be asked.

        That is so for a value with a NUL, too, which no message can carry.
        """
        filled = self._filled(variables)
        try:
            return None if filled is None else self._text % tuple(filled.split(_GAP))
        except TypeError:  # as there are more values than places
            return None

    def body(self, variables: Mapping[str, Any]) -> BodyText | None:
        """The same to be encoded.

        None also where a value has half a character, which no message can carry either.
        """
        filled = self._filled(variables)
        if filled is None:
            return None
        try:
            encoded = filled.encode()
            octets = self._octets % tuple(encoded.split(_GAP_OCTET))
        except (UnicodeEncodeError, TypeError):
            return None
        excess = self._excess + len(encoded) - len(filled)
        is_without_images = not (self._may_show_images or "<" in filled)
        # As `BodyText(...)` does it, behind a call in Python.
        return tuple.__new__(BodyText, (octets, excess, self._end, is_without_images))

    def _filled(self, variables: Mapping[str, Any]) -> str | None:
        """What goes into the places, as one text with gaps between; None where jinja2 is asked."""
        try:
            filled = _GAP.join(self._values(variables))
        except (KeyError, TypeError):
            return self._one_by_one(variables)
        return self._one_by_one(variables) if self._escapes and _has_markup(filled) else filled

    def _one_by_one(self, variables: Mapping[str, Any]) -> str | None:
        values: list[str] = []
        for name, is_escaped in self._columns:
            value = variables.get(name)
            if type(value) is int:
                value = str(value)
            elif type(value) is not str:
                return None
            values.append(_escaped(value) if is_escaped else value)
        return _GAP.join(values)


def _may_begin_image(text: str) -> bool:
    """Whether the tag of an image is in it, or begins in what goes on behind it."""
    lower = text.lower()
    return "<img" in lower or lower.endswith(("<", "<i", "<im"))


def _with_places(texts: list[str]) -> str:
    """The texts with a place between, as `%` wants them."""
    return "%s".join(text.replace("%", "%%") for text in texts)


def _getter(names: list[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What gets the values of all of them in one go; of none it is one that is empty."""
    if len(names) == 1:
        (name,) = names
        return lambda variables: (variables[name],)
    return itemgetter(*names) if names else lambda _: ("",)


def _column(node: nodes.Node | None) -> str | None:
    """The name of the column that stands there alone."""
    return node.name if isinstance(node, nodes.Name) and node.name not in _SPECIAL else None


def _is_safe(node: nodes.Filter) -> bool:
    return node.name == "safe" and not (node.args or node.kwargs or node.dyn_args)


def _has_markup(text: str) -> bool:
    return "&" in text or "<" in text or ">" in text or "'" in text or '"' in text


def _escaped(text: str) -> str:
    # As markupsafe does it, which makes an object of its own of it first.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&#39;").replace('"', "&#34;")
