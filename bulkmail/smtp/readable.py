"""Octets from outside as text that is safe to show: terminals, logs, reports."""

from __future__ import annotations

import unicodedata


def readable(raw: bytes) -> str:
    """`raw` as UTF-8 where it is, else octet for octet as Latin-1, with nothing that acts.

    Control characters (C0 without tab, C1), formats (bidirectional overrides and isolates, zero
    width), line and paragraph separators, private and unassigned code points are escaped as in
    Python's literals; a space of any other kind than U+0020 becomes one.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character == "\t":
        return character
    if unicodedata.category(character) == "Zs":  # The ideographic space of Chinese replies.
        return " "
    return character.encode("unicode_escape").decode()
