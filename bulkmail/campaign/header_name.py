"""Which header fields a campaign may set under `headers:` (RFC 5322, 2.2)."""

from __future__ import annotations

import re

_FIELD_NAME = re.compile(r"[!-9;-~]+")
#: A name is not folded, and stands on a line of 78 with its colon (RFC 5322, 2.1.1).
_LONGEST = 76

#: Fields the program writes, and the key that says what goes into them ("": none does).
_WRITTEN = {
    "subject": "subject",
    "from": "from",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "return-path": "return_path",
    "dkim-signature": "dkim",
    "date": "",
    "message-id": "",
    "mime-version": "",
}


#: Of MIME's own, what says nothing of how a part is written (RFC 3282).
_OF_NO_PART = {"content-language"}


def checked_header_name(name: str) -> str:
    """The name, when a campaign may set it. Raises `ValueError` with what to use instead."""
    if not _FIELD_NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(
            f"is no header's name: printable ASCII without spaces and colons, {_LONGEST} at most"
        )
    lower = name.lower()
    if lower.startswith("content-") and lower not in _OF_NO_PART:
        raise ValueError("is written by the program, from the texts and attachments")
    if lower in _WRITTEN:
        key = _WRITTEN[lower]
        raise ValueError(f"belongs under the key `{key}`" if key else "is written by the program")
    return name


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """All of them, when no two are the same field. Raises `ValueError` that names the two."""
    seen: dict[str, str] = {}
    for name in headers:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            raise ValueError(f"{first} and {name} are the same header")
    return headers
