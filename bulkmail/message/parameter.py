"""Parameters of Content-Type and Content-Disposition: file names that every reader gets right.

A plain name is a quoted string. Any other one is written twice: as RFC 2231 says, in
`Content-Disposition` (`filename*=utf-8''…`, in continuations where it is long), and as encoded
words in `Content-Type`'s `name=`, which RFC 2047 forbids and which Outlook, QQ mail, 163 and
older readers nevertheless look at. The two never contradict one another, and no parameter comes
twice in one field, which strict filters refuse.
"""

from __future__ import annotations

from urllib.parse import quote

from bulkmail.message.encoded_word import MAX_WORD, encoded_words
from bulkmail.message.header_field import LINE, FoldedField

#: attribute-char of RFC 2231, 7, beside letters, digits and `_.-~`, which quote() keeps anyway.
_SAFE = "!#$&+^`|"
_MAX_PLAIN = 60


def media_type_field(media_type: str, filename: str) -> bytes:
    """``Content-Type: TYPE; name=…``."""
    if _is_plain(filename):
        return _plain_field("Content-Type", media_type, f"name={_quoted(filename)}")
    field = FoldedField("Content-Type")
    field.add(f"{media_type};")
    prefix = 'name="'
    words = encoded_words(filename, min(LINE - 1 - len(prefix) - 1, MAX_WORD))
    words[0] = prefix + words[0]
    words[-1] += '"'
    for word in words:
        field.add(word)
    return field.encode()


def disposition_field(disposition: str, filename: str) -> bytes:
    """``Content-Disposition: attachment; filename=…``; `disposition` may be ``inline``."""
    if _is_plain(filename):
        return _plain_field("Content-Disposition", disposition, f"filename={_quoted(filename)}")
    field = FoldedField("Content-Disposition")
    field.add(f"{disposition};")
    whole = f"filename*=utf-8''{quote(filename, safe=_SAFE)}"
    if len(whole) < LINE:
        field.add(whole)
        return field.encode()
    sections = _sections(filename)
    for number, section in enumerate(sections):
        charset = "" if number else "utf-8''"
        semicolon = ";" if number < len(sections) - 1 else ""
        field.add(f"filename*{number}*={charset}{section}{semicolon}")
    return field.encode()


def _plain_field(name: str, value: str, parameter: str) -> bytes:
    line = f"{name}: {value}; {parameter}"
    if len(line) <= LINE:
        return f"{line}\r\n".encode()
    field = FoldedField(name)
    field.add(f"{value};")
    field.add(parameter)
    return field.encode()


def _is_plain(filename: str) -> bool:
    return filename.isascii() and len(filename) <= _MAX_PLAIN and "=?" not in filename


def _quoted(filename: str) -> str:
    escaped = filename.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sections(filename: str) -> list[str]:
    """Percent-encoded pieces that fit on a line; a character is never split between two."""
    room = LINE - len(" filename*999*=utf-8'';")
    sections = [""]
    for character in filename:
        encoded = quote(character, safe=_SAFE)
        if len(sections[-1]) + len(encoded) > room:
            sections.append("")
        sections[-1] += encoded
    return sections
