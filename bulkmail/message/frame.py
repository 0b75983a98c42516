"""The MIME frame of a campaign's messages, compiled once: boundaries and nesting, slots between.

multipart/mixed holds multipart/related holds multipart/alternative, each only where there is more
than one thing for it (RFC 2046, 5.1; RFC 2387). The parts are put into the slots, each complete
with its own header section. Boundaries are made of the message's identity, so that composing the
same message again gives the same bytes; no part can hold one (see `transfer_encoding`).
"""

from __future__ import annotations

import hashlib
from binascii import b2a_hex
from collections.abc import Sequence

from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.transfer_encoding import BOUNDARY_MARK, Encoded

_SLOT = b"\0"
_ID = b"\1"
#: Octets of what tells a message's boundaries from all others'.
_KEY_SIZE = 12


#: One entity of a message: its fields, each with its CRLF, and the blank line behind them; its
#: body; the file it is, if any: its body then stays a chunk of its own, in every message that has
#: it. A plain tuple: a class's own would take longer to make than to join.
Part = tuple[bytes, Encoded, Enclosure | None]


class Frame:
    """How the parts of each message of a campaign lie within one another."""

    def __init__(self, *, bodies: int, inline: int, attachments: int) -> None:
        """Compile it for `bodies` alternatives (1 or 2), inline images and attachments."""
        entity = _multipart(b"alternative", b"c", b"", [_SLOT] * bodies)
        # Where there is one body it is the text: one is made of any HTML.
        root = b'; type="%s"' % (b"multipart/alternative" if bodies > 1 else b"text/plain")
        entity = _multipart(b"related", b"b", root, [entity] + [_SLOT] * inline)
        entity = _multipart(b"mixed", b"a", b"", [entity] + [_SLOT] * attachments)
        #: What lies around and between the slots, with a mark where a message's own identity goes.
        self._glue = entity

    def content(
        self, header: bytes, parts: Sequence[Part], identity: str
    ) -> tuple[tuple[bytes, ...], bool, tuple[Enclosure, ...]]:
        """The message's chunks, whether a line of them begins with a dot, and its files.

        `header` is the message's header section without Content-Type and without its blank line;
        `parts` fill the slots: bodies, then inline images, then attachments. Files are chunks of
        their own, the very same object each time; what lies between them is joined.
        """
        key = b2a_hex(hashlib.sha256(identity.encode()).digest()[:_KEY_SIZE])
        before, *behind = self._glue.replace(_ID, key).split(_SLOT)
        # A header's name may begin with a dot (RFC 5322, 3.6.8), which nobody expects of one.
        has_dot_line = header.find(b"\n.") >= 0
        chunks: list[bytes] = []
        files: list[Enclosure] = []
        small = [header, before]
        for (fields, (_, content, begins_with_dot), file), glue in zip(parts, behind, strict=True):
            has_dot_line |= begins_with_dot
            if file is None:
                small += (fields, content, glue)
            else:
                chunks += (b"".join((*small, fields)), content)
                files.append(file)
                small = [glue]
        return (*chunks, b"".join(small)), has_dot_line, tuple(files)


def _multipart(subtype: bytes, letter: bytes, parameters: bytes, children: list[bytes]) -> bytes:
    """The children within one multipart; an only child stays as it is."""
    if len(children) == 1:
        return children[0]
    boundary = b"%s%s.%s" % (BOUNDARY_MARK, letter, _ID)
    delimiter = b"\r\n--%s\r\n" % boundary
    opening = b'Content-Type: multipart/%s%s;\r\n boundary="%s"\r\n' % (
        subtype,
        parameters,
        boundary,
    )
    return opening + delimiter + delimiter.join(children) + b"\r\n--%s--\r\n" % boundary
