"""A file in a message: what a report tells of it, and a check keeps."""

from __future__ import annotations

from dataclasses import field

from bulkmail.fate import FileNote
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Enclosure:
    """An attachment or an image, whatever its message."""

    #: As its reader sees it.
    name: str
    #: Octets of the file.
    size: int
    #: Of the file, in hex: what `sha256sum` says of it.
    sha256: str
    #: As it is encoded in the message: one of the message's chunks, the very same object.
    body: bytes = field(repr=False)
    #: The same for the system to send; None: nobody else has it.
    shared: SharedFile | None = field(default=None, repr=False, compare=False)
    #: Whether its body is base64: no space is in it but line ends.
    is_base64: bool = False
    #: Whose it is, where it is one row's own file.
    note: FileNote | None = None
    #: What a person should know of it; "": nothing.
    remark: str = ""
