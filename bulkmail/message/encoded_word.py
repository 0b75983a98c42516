"""RFC 2047 encoded words: text beyond ASCII in what becomes a header.

UTF-8 always; Q or B, whichever is shorter. A word never splits a character and never passes 75
octets (RFC 2047, 2). Q uses the set that is safe everywhere, a display name included (section 5,
rule 3). White space between two encoded words vanishes when they are read, so one text may be as
many words as it takes.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable

#: RFC 2047, 2: the longest encoded word, its delimiters included.
MAX_WORD = 75
_OVERHEAD = len("=?utf-8?b??=")
#: The least room worth starting a word in: a few characters of any script.
_LEAST = _OVERHEAD + 12

_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = {octet: chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256)}
_Q[ord(" ")] = "_"
#: What Q writes as one octet.
_Q_SINGLE = bytes((*_Q_SAFE, ord(" ")))


def encoded_words(text: str, room: int = MAX_WORD) -> list[str]:
    """`text` as encoded words, the first of at most `room` octets where that is worth it.

    Raises `UnicodeEncodeError` for half of a surrogate pair, which no encoding can carry.
    """
    raw = text.encode()
    budget = (room if _LEAST <= room <= MAX_WORD else MAX_WORD) - _OVERHEAD
    octets = len(raw)
    b_size = (octets + 2) // 3 * 4
    # As in a body (`encode_text`): what is mostly beyond ASCII is B, and that is known at once.
    if octets + 8 * (octets - len(text)) // 3 <= b_size and (
        (q_size := octets + 2 * len(raw.translate(None, _Q_SINGLE))) <= b_size
    ):
        if q_size <= budget:
            return [f"=?utf-8?q?{_q(raw)}?="]
        costs = (len(_q(character.encode())) for character in text)
        return [
            f"=?utf-8?q?{_q(piece.encode())}?="
            for piece in _pieces(text, costs, budget, MAX_WORD - _OVERHEAD)
        ]
    if b_size <= budget:
        return [_b(raw)]
    costs = (len(character.encode()) for character in text)
    room_for_octets = (MAX_WORD - _OVERHEAD) // 4 * 3
    pieces = _pieces(text, costs, budget // 4 * 3, room_for_octets)
    return [_b(piece.encode()) for piece in pieces]


def _q(raw: bytes) -> str:
    return raw.decode("latin-1").translate(_Q)


def _b(raw: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(raw, newline=False).decode('ascii')}?="


def _pieces(text: str, costs: Iterable[int], budget: int, next_budget: int) -> list[str]:
    """Cut `text` between characters so that no piece's costs pass its budget."""
    cuts = [0]
    used = 0
    for position, cost in enumerate(costs):
        if used + cost > budget:
            cuts.append(position)
            used, budget = 0, next_budget
        used += cost
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]
