"""The commands of RFC 5321, 4.1.1, each a value that encodes itself.

`line` is the one place where text becomes a command line, and the one guard against injection: CR,
LF, NUL and every other control character are refused there, in whatever field they stand. A field
whose end a character could feign (a path's ">", a space) is held to its form as well.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from bulkmail.errors import MessageRefusedLocally
from bulkmail.secret import Secret
from bulkmail.smtp.readable import readable
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class

#: RFC 5321, 4.5.3.1.4 gives a command line 512 octets; ESMTP extensions and long
#: tokens (XOAUTH2) exceed it, so this bounds only what is surely a mistake.
MAX_COMMAND_BYTES = 16384

#: What no line may hold: controls (C0, DEL, C1), and surrogates, which are no characters.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: A path between its angle brackets, which stand in it only inside a quoted local part.
_PATH = re.compile(r'(?:"(?:[^"\\]|\\.)*"@)?[^\s<>"\\]*')
#: The same of a path that nearly all are, which is quickly seen: no quotes, no spaces, ASCII.
#: It makes no line too long.
_PLAIN_PATH = re.compile(r"[!#-;=?-\[\]-~]{0,1024}")
#: One word of printable ASCII: a host name or address literal, a mechanism.
_WORD = re.compile(r"[!-~]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}|\*")


def line(verb: str, argument: str = "") -> bytes:
    """A command line. Raises `MessageRefusedLocally` for control characters or too long a line."""
    return _octets(verb, f"{verb} {argument}" if argument else verb)


def _octets(verb: str, text: str) -> bytes:
    # What is printable holds none of them, and is quickly seen to be so.
    if not text.isprintable() and _UNFIT.search(text):
        raise MessageRefusedLocally(f"a control character in the {verb} command")
    encoded = text.encode() + b"\r\n"
    if len(encoded) > MAX_COMMAND_BYTES:
        raise MessageRefusedLocally(f"the {verb} command is longer than {MAX_COMMAND_BYTES} bytes")
    return encoded


def _with_path(opening: str, path: str, parameters: str = "") -> bytes:
    """The line that begins with `opening` (verb, keyword, bracket), and has a path in brackets."""
    if _PLAIN_PATH.fullmatch(path):
        # Of one like this, nothing can be unfit.
        return f"{opening}{path}>{parameters}\r\n".encode()
    verb = opening[:4]
    return _octets(verb, f"{opening}{_held(verb, _PATH, path)}>{parameters}")


def _held(verb: str, form: re.Pattern[str], value: str) -> str:
    """`value` where it has its `form`. A control character is for `line` to refuse."""
    if not (form.fullmatch(value) or _UNFIT.search(value)):
        raise MessageRefusedLocally(f"a character that would break the form of the {verb} command")
    return value


@value_class
class Command:
    """One command. `stage` names the step it belongs to."""

    stage: ClassVar[Stage]
    #: Whether it must be the last of a pipelined group (RFC 2920, 3.1).
    ends_group: ClassVar[bool] = False

    def encode(self) -> bytes:
        """The command as bytes, CRLF included. Raises `MessageRefusedLocally` where it cannot."""
        raise NotImplementedError

    def masked(self) -> str:
        """The command as a transcript may show it: no secrets, no CRLF."""
        return readable(self.encode().removesuffix(b"\r\n"))


@value_class
class Greeting(Command):
    """No command: the connection's opening, to which the server replies (RFC 5321, 3.1)."""

    stage = Stage.GREETING
    ends_group = True

    def encode(self) -> bytes:
        """Nothing is sent."""
        return b""


@value_class
class Ehlo(Command):
    """EHLO (RFC 5321, 4.1.1.1)."""

    stage = Stage.EHLO
    ends_group = True
    local_hostname: str

    def encode(self) -> bytes:
        """The command line."""
        return line("EHLO", _held("EHLO", _WORD, self.local_hostname))


@value_class
class Helo(Command):
    """HELO (RFC 5321, 4.1.1.1): for servers that do not know EHLO."""

    stage = Stage.HELO
    ends_group = True
    local_hostname: str

    def encode(self) -> bytes:
        """The command line."""
        return line("HELO", _held("HELO", _WORD, self.local_hostname))


@value_class
class StartTls(Command):
    """STARTTLS (RFC 3207)."""

    stage = Stage.STARTTLS
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("STARTTLS")


@value_class
class Auth(Command):
    """AUTH (RFC 4954, 4), with or without an initial response (base64, or "=" for an empty one)."""

    stage = Stage.AUTH
    ends_group = True
    mechanism: str
    initial_response: Secret | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The command line, secret and all."""
        mechanism = _held("AUTH", _WORD, self.mechanism)
        if self.initial_response is None:
            return line("AUTH", mechanism)
        response = _held("AUTH", _BASE64, self.initial_response.reveal())
        return line("AUTH", f"{mechanism} {response or '='}")

    def masked(self) -> str:
        """The mechanism alone."""
        hidden = "" if self.initial_response is None else " ********"
        return readable(f"AUTH {self.mechanism}".encode(errors="backslashreplace")) + hidden


@value_class
class AuthResponse(Command):
    """The client's answer to a 334 challenge: base64, or "*" to cancel (RFC 4954, 4)."""

    stage = Stage.AUTH
    ends_group = True
    response: Secret = field(repr=False)

    def encode(self) -> bytes:
        """The line, secret and all."""
        return _octets("AUTH", _held("AUTH", _BASE64, self.response.reveal()))

    def masked(self) -> str:
        """Nothing of it."""
        return "*" if self.response.reveal() == "*" else "********"


@value_class
class Mail(Command):
    """MAIL (RFC 5321, 4.1.1.2) with its ESMTP parameters."""

    stage = Stage.MAIL
    #: "" is the null reverse-path.
    reverse_path: str
    #: SIZE= (RFC 1870), octets of the content; None where the server does not know it.
    size: int | None = None
    #: BODY=8BITMIME (RFC 6152).
    is_8bit: bool = False
    #: SMTPUTF8 (RFC 6531).
    smtputf8: bool = False

    def encode(self) -> bytes:
        """The command line."""
        parameters = "" if self.size is None else f" SIZE={self.size}"
        if self.is_8bit:
            parameters += " BODY=8BITMIME"
        if self.smtputf8:
            parameters += " SMTPUTF8"
        return _with_path("MAIL FROM:<", self.reverse_path, parameters)


@value_class
class Rcpt(Command):
    """RCPT (RFC 5321, 4.1.1.3): one recipient of the transaction."""

    stage = Stage.RCPT
    forward_path: str

    def encode(self) -> bytes:
        """The command line."""
        if not self.forward_path:
            raise MessageRefusedLocally("a recipient without an address")
        return _with_path("RCPT TO:<", self.forward_path)


@value_class
class Data(Command):
    """DATA (RFC 5321, 4.1.1.4). The content follows the 354."""

    stage = Stage.DATA
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return b"DATA\r\n"


@value_class
class EndOfData(Command):
    """The final dot. The content before it, dot-stuffed and ended by CRLF, is written apart."""

    stage = Stage.END_OF_DATA

    def encode(self) -> bytes:
        """A dot on a line of its own."""
        return b".\r\n"


@value_class
class Bdat(Command):
    """BDAT with LAST (RFC 3030, 2): the whole content, `size` octets, follows the line at once.

    It is not dot-stuffed, and its reply is that to the end of data.
    """

    stage = Stage.END_OF_DATA
    size: int

    def encode(self) -> bytes:
        """The command line."""
        return b"BDAT %d LAST\r\n" % self.size


@value_class
class Rset(Command):
    """RSET (RFC 5321, 4.1.1.5)."""

    stage = Stage.RSET

    def encode(self) -> bytes:
        """The command line."""
        return line("RSET")


@value_class
class Noop(Command):
    """NOOP (RFC 5321, 4.1.1.9)."""

    stage = Stage.NOOP
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("NOOP")


@value_class
class Vrfy(Command):
    """VRFY (RFC 5321, 4.1.1.6)."""

    stage = Stage.VRFY
    ends_group = True
    name: str

    def encode(self) -> bytes:
        """The command line."""
        return line("VRFY", self.name)


@value_class
class Quit(Command):
    """QUIT (RFC 5321, 4.1.1.10)."""

    stage = Stage.QUIT
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("QUIT")
