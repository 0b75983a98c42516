"""What YAML's plain scalars stand for: they are read as JSON would read them.

``true false null`` and JSON's numbers. Everything else is text as it is written, also ``no``,
``on``, ``012``, ``1_000``, ``+861380000`` and ``2026-12-01``, which YAML 1.1 would turn into
something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(\.[0-9]{1,99}(?:[eE][+-]?[0-9]{1,2})?)?")
_CONSTANTS: Mapping[str, Any] = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}


def plain_scalar(text: str) -> Any:
    """As JSON reads it; text as written, when it is nothing of JSON's."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    match = _NUMBER.fullmatch(text)
    if match is None or text == "-0":
        return text
    return float(text) if match[1] else int(text)
