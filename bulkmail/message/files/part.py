"""A file as a part of a message: its fields around its encoded content.

Files are base64. A message (``message/…``) may not be (RFC 2046, 5.2.1): it goes out as 7bit where
that keeps every byte, and is otherwise a file of unknown type to its reader, as is ``multipart/…``,
which no file can be.
"""

from __future__ import annotations

from functools import lru_cache

from bulkmail.campaign.media_type import parameter_names
from bulkmail.fate import FileNote
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.media_type import UNKNOWN
from bulkmail.message.files.reader import FileBody
from bulkmail.message.frame import Part
from bulkmail.message.parameter import disposition_field, media_type_field


def file_part(
    filename: str,
    media_type: str,
    file: FileBody,
    *,
    content_id: str = "",
    note: FileNote | None = None,
    remark: str = "",
) -> Part:
    """The part; with a `content_id` it is shown by the HTML, else it is an attachment.

    `note` tells whose file it is, where it is one row's own; `remark` is what a check tells of it.
    """
    header = _header(filename, _sendable(media_type, file), file.body.encoding, content_id)
    enclosure = Enclosure(
        name=filename,
        size=file.size,
        sha256=file.sha256,
        body=file.body.content,
        shared=file.shared,
        is_base64=file.body.encoding == "base64",
        note=note,
        remark=remark,
    )
    return header, file.body, enclosure


def _sendable(media_type: str, file: FileBody) -> str:
    """The type that what is sent can have."""
    kind = media_type.partition("/")[0].lower()
    if kind == "multipart" or (kind == "message" and file.body.encoding == "base64"):
        return UNKNOWN
    if file.charset and "charset" not in parameter_names(media_type):
        return f'{media_type}; charset="{file.charset}"'
    return media_type


@lru_cache(maxsize=1024)
def _header(filename: str, media_type: str, encoding: str, content_id: str) -> bytes:
    fields = [
        media_type_field(media_type, filename),
        f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii"),
        disposition_field("inline" if content_id else "attachment", filename),
    ]
    if content_id:
        fields.append(f"Content-ID: <{content_id}>\r\n".encode("ascii"))
    return b"".join((*fields, b"\r\n"))
