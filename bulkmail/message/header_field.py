"""Header fields as bytes (RFC 5322, 2.2): encoded, folded, ended by CRLF.

Lines are kept within 76 octets where the text has a place to fold (RFC 5322 asks for 78, RFC 2047
for 76 on a line with an encoded word), and always within 998. Nobody hands a control character
in: `address.control_character` is asked before, where it is known whose text it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from bulkmail.address import Mailbox
from bulkmail.message.encoded_word import MAX_WORD, encoded_words

#: Longest line we fold to, without CRLF.
LINE = 76
#: Longest line there may be, without CRLF (RFC 5322, 2.1.1).
MAX_LINE = 998

#: Printable ASCII but the colon (RFC 5322, 3.6.8). A leading dot is refused as well: it would make
#: every message need dot stuffing.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SPACES = re.compile("  +")
# All but the space is said so: a class without what is beyond ASCII takes 8 ms to compile.
_WORD = r"[\x00-\x1f!-\x7f]*+[^\x00-\x7f][^ ]*"
#: Words beyond ASCII, and the spaces between them.
_BEYOND_ASCII = re.compile(rf"(?<![^ ]){_WORD}(?: {_WORD})*")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Longest display name that is written as one quoted string, which cannot be folded well.
_MAX_QUOTED = 60


class FoldedField:
    """A header field that is being written, token by token; tokens are one space apart."""

    __slots__ = ("_line", "_lines")

    def __init__(self, name: str) -> None:
        self._lines: list[str] = []
        self._line = f"{name}:"

    @property
    def room(self) -> int:
        """Octets that a token may have to stay on the line that is begun."""
        return LINE - len(self._line) - 1

    def add(self, token: str) -> None:
        """Write `token`, on a line of its own where that keeps lines short."""
        is_first = not self._lines and self._line.endswith(":")
        if len(token) > self.room and (not is_first or len(token) < LINE):
            self._lines.append(self._line)
            self._line = f" {token}"
        else:
            self._line = f"{self._line} {token}"

    def add_text(self, text: str, suffix: str = "") -> None:
        """Write `text` as encoded words, `suffix` glued to the last."""
        *words, last = encoded_words(text, self.room - len(suffix))
        for word in words:
            self.add(word)
        self.add(last + suffix)

    def encode(self) -> bytes:
        """The field with its CRLF. UTF-8 only where an address's local part asks for it."""
        return ("\r\n".join([*self._lines, self._line]) + "\r\n").encode()


def text_field(name: str, value: str, *, is_structured: bool = False) -> bytes:
    """An unstructured field; `value` holds no control character and no space at its ends.

    Words beyond ASCII are encoded, together with the spaces between them; the others stay readable.
    Where the field is structured, or may be (`List-Unsubscribe`, anything free), a long word of
    ASCII stays as it is up to what a line may hold: a URL in encoded words is no URL.
    """
    if value.isascii() and "=?" not in value and len(name) + 2 + len(value) <= LINE:
        return f"{name}: {value}\r\n".encode("ascii")
    if len(value) <= LINE and "=?" not in value and "  " not in value:
        line = f"{name}: {_BEYOND_ASCII.sub(_as_words, value)}"
        if len(line) <= LINE:
            return f"{line}\r\n".encode("ascii")
    field = FoldedField(name)
    if "  " in value:
        field.add_text(value)
        return field.encode()
    # A text begins on its name's line: readers take a fold before it for a space of its own.
    whole = MAX_LINE - len(name) - 2
    first, longest = (whole, whole) if is_structured else (field.room, MAX_WORD)
    for run, is_plain in _runs(value, first, longest):
        if is_plain:
            field.add(run)
        else:
            field.add_text(run)
    return field.encode()


def date_field(name: str, moment: datetime) -> bytes:
    """A field of an aware moment, in its own zone (RFC 5322, 3.3)."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    # What strftime makes of days and months is the locale's.
    date = f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S %z}"
    return f"{name}: {date}\r\n".encode("ascii")


def _as_words(run: re.Match[str]) -> str:
    return " ".join(encoded_words(run[0]))


def _runs(value: str, first: int, longest: int) -> list[tuple[str, bool]]:
    """Plain words one by one, and runs of words to encode, in order; no plain one is longer."""
    runs: list[tuple[str, bool]] = []
    is_usual = len(value) <= first and "=?" not in value
    room = first
    for word in value.split(" "):
        is_plain = word.isascii() and (is_usual or ("=?" not in word and len(word) <= room))
        room = longest
        if not is_plain and runs and not runs[-1][1]:
            runs[-1] = (f"{runs[-1][0]} {word}", False)
        else:
            runs.append((word, is_plain))
    return runs


def mailbox_field(name: str, mailboxes: Iterable[Mailbox]) -> bytes:
    """A field of addresses (RFC 5322, 3.4), comma between them."""
    listed = tuple(mailboxes)
    if len(listed) == 1:
        return one_mailbox_field(name, listed[0])
    return _folded_mailboxes(name, listed)


def one_mailbox_field(name: str, mailbox: Mailbox) -> bytes:
    """The same of one address."""
    if line := _short_mailbox(mailbox, LINE - len(name) - 2):
        return f"{name}: {line}\r\n".encode()
    return _folded_mailboxes(name, (mailbox,))


def _folded_mailboxes(name: str, listed: tuple[Mailbox, ...]) -> bytes:
    field = FoldedField(name)
    for position, mailbox in enumerate(listed, 1):
        comma = "," if position < len(listed) else ""
        if mailbox.display_name:
            _add_phrase(field, mailbox.display_name)
            field.add(f"<{mailbox.address.wire}>{comma}")
        else:
            field.add(f"{mailbox.address.wire}{comma}")
    return field.encode()


def _short_mailbox(mailbox: Mailbox, room: int) -> str | None:
    """The mailbox in no more than `room` octets, as most are; None where that takes folding."""
    phrase, address = mailbox.display_name, mailbox.address.wire
    if not phrase:
        line = address
    elif phrase.isascii():
        if len(phrase) > _MAX_QUOTED or "=?" in phrase or _ATOMS.fullmatch(phrase) is None:
            return None
        line = f"{phrase} <{address}>"
    else:
        words = encoded_words(phrase, room)
        if len(words) > 1 or "  " in phrase:
            return None
        line = f"{words[0]} <{address}>"
    return line if len(line) <= room else None


def _add_phrase(field: FoldedField, phrase: str) -> None:
    """A display name: atoms, a quoted string, or encoded words, whichever carries it.

    Runs of spaces become one, as readers make of them anyway.
    """
    if "  " in phrase:
        phrase = _SPACES.sub(" ", phrase)
    if not phrase.isascii() or "=?" in phrase or len(phrase) > _MAX_QUOTED:
        field.add_text(phrase)
    elif _ATOMS.fullmatch(phrase):
        for atom in phrase.split(" "):
            field.add(atom)
    else:
        escaped = phrase.replace("\\", "\\\\").replace('"', '\\"')
        field.add(f'"{escaped}"')
