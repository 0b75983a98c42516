"""Media types as they are written: ``type/subtype; attribute=value`` (RFC 2045, 5.1)."""

from __future__ import annotations

import re

_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_VALUE = rf'(?:{_WORD}|"[ !#-\[\]-~]*")'
_PARAMETER = re.compile(rf" *; *({_WORD})={_VALUE}")
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}(?: *; *{_WORD}={_VALUE})*")


def is_media_type(text: str) -> bool:
    """Whether `text` is one for a file: parameters are allowed, each once.

    But no `name`, which is the file's and written by us.
    """
    if _MEDIA_TYPE.fullmatch(text) is None:
        return False
    names = parameter_names(text)
    return "name" not in names and len(set(names)) == len(names)


def parameter_names(media_type: str) -> list[str]:
    """The attributes of its parameters, in lower case."""
    return [name.lower() for name in _PARAMETER.findall(media_type)]
