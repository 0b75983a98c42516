"""The mail object: an envelope and its content (RFC 5321, 2.3.1), ready for any server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bulkmail.fate import Digests
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.smtp.envelope import Envelope
from bulkmail.value_class import value_class

#: Of more octets at a time `hashlib` lets another thread go on, and has to wait for its turn to
#: come back: a letter is hashed sooner.
_AT_ONCE = 2047
#: Of more in all the wait is the shorter.
_LETTER = 8 * _AT_ONCE


@value_class
class MailObject:
    """One message for one row. The same bytes go to a server and into a dry run's file.

    Nobody changes one; frozen, it would take as long to put together as all of its header.

    `chunks` joined are the content: header section and body, lines ended by CRLF (the last one
    too), 7-bit clean, not dot-stuffed. What is shared by many messages is the same bytes object.
    Only where the envelope needs SMTPUTF8 the header may hold an address in UTF-8.
    """

    envelope: Envelope
    chunks: tuple[bytes, ...]
    #: With angle brackets.
    message_id: str
    #: Whether a line of the content begins with a dot. None: not known, look.
    has_dot_line: bool | None = None
    #: Cc and bcc that are suppressed: in no header and not in the envelope.
    left_out: tuple[str, ...] = ()
    #: Cc and bcc that this transaction leaves out, as the server takes so many in one: they are
    #: given the message in another.
    held_back: tuple[str, ...] = ()
    #: From 1, the first data row; 0 where there is no list (a message of the library's caller).
    row: int = 0
    #: The row's own address as its list has it: a dry run's file is named by it, while the
    #: envelope's forward-path may have an encoded domain. "": the first forward-path.
    address: str = ""
    #: Its files, in their order.
    files: tuple[Enclosure, ...] = ()

    @property
    def size(self) -> int:
        """Octets of the content, before dot stuffing (RFC 1870 counts so)."""
        return sum(map(len, self.chunks))

    @property
    def own_size(self) -> int:
        """Octets of the content, but for files that other messages were seen to carry as well."""
        shared = (file.shared for file in self.files if file.shared is not None)
        return self.size - sum(len(file) for file in shared if file.is_known)

    def digests(self) -> Digests:
        """What tells this message from any other one, for the ledger and the report.

        The message's is the SHA-256 over the content as a server gets it, before dot stuffing, in
        which the body of each file stands as the hex digits of that file's own SHA-256: a large
        file that many share is hashed once.
        """
        if not self.files:
            # As nearly all are: nothing stands for anything.
            return Digests(message_sha256=_sha256(self.chunks), attachments=[])
        files = {id(file.body): file.sha256.encode("ascii") for file in self.files}
        return Digests(
            message_sha256=_sha256(files.get(id(chunk), chunk) for chunk in self.chunks),
            attachments=[
                {"name": file.name, "size": file.size, "sha256": file.sha256} for file in self.files
            ],
        )


def _sha256(chunks: Iterable[bytes]) -> str:
    """Of all of them, in hex."""
    digest = hashlib.sha256()
    for octets in chunks:
        step = _AT_ONCE if len(octets) <= _LETTER else len(octets)
        for start in range(0, len(octets), step):
            digest.update(octets[start : start + step])
    return digest.hexdigest()
