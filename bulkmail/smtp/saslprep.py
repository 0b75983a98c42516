"""SASLprep (RFC 4013): user names and passwords in the one form both sides compute with."""

from __future__ import annotations

import stringprep
import unicodedata
from collections.abc import Callable

from bulkmail.errors import AuthenticationFailed

#: RFC 4013, 2.3, and unassigned code points (2.5: a stored string, where they are prohibited).
_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, what: str) -> str:
    """`text` prepared. Raises `AuthenticationFailed`, naming `what` and never the text itself."""
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibits(c) for prohibits in _PROHIBITED for c in prepared):
        raise AuthenticationFailed(
            f"the {what} holds a character that SCRAM's SASLprep prohibits (settings: server.auth)"
        )
    if not _is_one_way(prepared):
        raise AuthenticationFailed(
            f"the {what} mixes writing directions, which SCRAM's SASLprep prohibits"
            " (settings: server.auth)"
        )
    return prepared


def _is_one_way(text: str) -> bool:
    """RFC 3454, 6: with any right-to-left character, all is right-to-left, both ends included."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
