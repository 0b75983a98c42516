"""DKIM signatures: who answers for a message, provable by anyone (RFC 6376; RFC 8463).

Over the bytes that are sent, before dot stuffing: they are 7-bit, so no relay has a reason to
encode them anew. The body is hashed once for all keys. Signatures stand before the other fields
and do not cover one another. `t=` is the message's instant, so signing is a pure function (both
algorithms are deterministic).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from bulkmail.message.dkim.canonical import BodyHash, relaxed_fields, relaxed_value
from bulkmail.message.files.enclosure import Enclosure

if TYPE_CHECKING:  # cryptography is slow to import: only for who has keys
    from bulkmail.message.dkim.key import DkimKey

#: What is signed where it is there: RFC 6376, 5.4.1, and what the big providers look at. Bulk
#: senders are asked for List-Unsubscribe-Post (RFC 8058, 4) and Feedback-ID under the signature.
#: Other fields may be changed by lists and filters on the way.
SIGNED = frozenset(
    {
        *(b"from", b"sender", b"reply-to", b"subject", b"date", b"message-id", b"to", b"cc"),
        *(b"mime-version", b"content-type", b"content-transfer-encoding", b"content-id"),
        *(b"content-description", b"content-disposition", b"in-reply-to", b"references"),
        *(b"list-id", b"list-help", b"list-unsubscribe", b"list-unsubscribe-post"),
        *(b"list-subscribe", b"list-post", b"list-owner", b"list-archive"),
        *(b"feedback-id", b"auto-submitted"),
    }
)
#: Named once more than they are there: nobody can add another one (RFC 6376, 5.4.2).
OVERSIGNED = (b"from",)

_LINE = 72
_END_OF_HEADER = b"\r\n\r\n"


class DkimSigner:
    """Signs messages with each of its keys."""

    def __init__(self, keys: Iterable[DkimKey]) -> None:
        self._signatures = [_Signature(key) for key in keys]
        #: Whether anything is signed at all.
        self.has_keys = bool(self._signatures)

    def signed(
        self, chunks: tuple[bytes, ...], instant: datetime, files: Iterable[Enclosure] = ()
    ) -> tuple[bytes, ...]:
        """The content with its signatures in front.

        The whole header section is in the first chunk. Chunks but the first stay the same objects;
        `files` are the bodies among them.
        """
        base64_bodies = {id(file.body) for file in files if file.is_base64}
        first = chunks[0]
        end = first.index(_END_OF_HEADER)
        body = BodyHash()
        body.feed(first[end + len(_END_OF_HEADER) :])
        for chunk in chunks[1:]:
            body.feed(chunk, is_base64=id(chunk) in base64_bodies)
        names, fields = _signed_fields(first[:end])
        tags = _tags(int(instant.timestamp()), names, body.digest())
        relaxed = relaxed_value(tags)
        signatures = [one.field(tags, relaxed, fields) for one in self._signatures]
        return (b"".join((*signatures, first)), *chunks[1:])


class _Signature:
    """The DKIM-Signature field of one key."""

    def __init__(self, key: DkimKey) -> None:
        self._key = key
        names = f"d={key.domain};\r\n s={key.selector}; "
        start = f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n {names}"
        self._start = start.encode("ascii")
        ((_, relaxed),) = relaxed_fields(self._start)
        self._relaxed_start = relaxed + b" "

    def field(self, tags: bytes, relaxed_tags: bytes, fields: bytes) -> bytes:
        """The field with its CRLF: `tags` signed together with `fields`."""
        octets = base64.b64encode(self._key.sign(fields + self._relaxed_start + relaxed_tags))
        lines = [octets[at : at + _LINE] for at in range(0, len(octets), _LINE)]
        return b"%s%s%s\r\n" % (self._start, tags, b"\r\n ".join(lines))


def _signed_fields(header: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The names for `h=`, and the fields in their relaxed form, both from the bottom up.

    So the last of several of a name is the first to be signed, as RFC 6376, 5.4.2 has it.
    """
    found = [(name, field) for name, field in relaxed_fields(header) if name in SIGNED]
    found.reverse()
    fields = b"\r\n".join([*(field for _, field in found), b""])
    return (*(name for name, _ in found), *OVERSIGNED), fields


def _tags(seconds: int, names: tuple[bytes, ...], body_hash: bytes) -> bytes:
    """What every key's signature says of the message."""
    return b"t=%d;\r\n h=%s;\r\n bh=%s;\r\n b=" % (
        max(0, seconds),
        _listed(names),
        base64.b64encode(body_hash),
    )


@lru_cache(maxsize=64)
def _listed(names: tuple[bytes, ...]) -> bytes:
    """The names with colons between them, folded. Most messages have the same ones."""
    return b"\r\n ".join(_lines(names))


def _lines(names: Iterable[bytes]) -> Iterator[bytes]:
    """The names with colons between them, in lines that are not too long."""
    line = b""
    for name in names:
        joined = b"%s:%s" % (line, name) if line else name
        if len(joined) > _LINE:
            yield b"%s:" % line
            joined = name
        line = joined
    yield line
