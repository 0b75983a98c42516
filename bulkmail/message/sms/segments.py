"""How many segments a text message takes: GSM 03.38 (3GPP TS 23.038) where it can, else UCS-2.

One message holds 140 octets: 160 characters of 7 bits, or 70 of 16. A longer text goes in parts
that each give up 6 octets to say which part they are: 153 and 67. A character of the extension
table takes two places, an escape and itself; neither those nor the two halves of a character
beyond 16 bits are parted.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

from bulkmail.value_class import value_class

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€\f")
#: The last character of 16 bits.
_BMP = 0xFFFF


class Encoding(enum.StrEnum):
    """How the characters go out."""

    GSM = "GSM 03.38"
    UCS2 = "UCS-2"


#: Places in one message alone, and in each part of a longer one.
_ROOM = {Encoding.GSM: (160, 153), Encoding.UCS2: (70, 67)}


@value_class
class TextSize:
    """What a text takes."""

    encoding: Encoding
    #: As a person counts them.
    characters: int
    #: Septets of GSM 03.38, or 16-bit units.
    units: int
    segments: int

    def __str__(self) -> str:
        parts = "1 segment" if self.segments == 1 else f"{self.segments} segments"
        return f"{self.characters} characters, {self.encoding}, {parts}"


def text_size(text: str) -> TextSize:
    """The size of a text, as a network counts it."""
    is_gsm = _BASIC.union(_EXTENSION).issuperset(text)
    encoding = Encoding.GSM if is_gsm else Encoding.UCS2
    width = _gsm_width if is_gsm else _ucs2_width
    units = sum(map(width, text))
    alone, part = _ROOM[encoding]
    segments = 1 if units <= alone else _parts(text, width, part)
    return TextSize(encoding, len(text), units, segments)


def not_gsm(text: str) -> str:
    """The characters that keep a text out of GSM 03.38, each once, in their order."""
    return "".join(dict.fromkeys(c for c in text if c not in _BASIC and c not in _EXTENSION))


def _gsm_width(character: str) -> int:
    return 2 if character in _EXTENSION else 1


def _ucs2_width(character: str) -> int:
    return 2 if ord(character) > _BMP else 1


def _parts(text: Iterable[str], width: Callable[[str], int], room: int) -> int:
    """How many parts it fills, no character being cut in two."""
    parts, used = 1, 0
    for character in text:
        needed = width(character)
        if used + needed > room:
            parts, used = parts + 1, 0
        used += needed
    return parts
