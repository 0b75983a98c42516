"""The commands of RFC 5321, 4.1.1, each a value that encodes itself.

`line` is the one place where text becomes a command line, and the one guard against injection:
CR, LF, NUL and every other control character are refused there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from bulkmail.errors import MessageRefusedLocally
from bulkmail.secret import Secret
from bulkmail.smtp.stage import Stage

#: RFC 5321, 4.5.3.1.4 gives a command line 512 octets; ESMTP extensions and long
#: tokens (XOAUTH2) exceed it, so this bounds only what is surely a mistake.
MAX_COMMAND_BYTES = 16384


def line(verb: str, argument: str = "") -> bytes:
    """A command line. Raises `MessageRefusedLocally` for control characters or too long a line."""
    text = f"{verb} {argument}" if argument else verb
    if any(ord(c) < ord(" ") or c == "\x7f" for c in text):
        raise MessageRefusedLocally(f"a control character in the {verb} command")
    encoded = text.encode() + b"\r\n"
    if len(encoded) > MAX_COMMAND_BYTES:
        raise MessageRefusedLocally(f"the {verb} command is longer than {MAX_COMMAND_BYTES} bytes")
    return encoded


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `stage` names the step it belongs to."""

    stage: ClassVar[Stage]
    #: Whether it must be the last of a pipelined group (RFC 2920, 3.1).
    ends_group: ClassVar[bool] = False

    def encode(self) -> bytes:
        """The command as bytes, CRLF included."""
        raise NotImplementedError

    def masked(self) -> str:
        """The command as a transcript may show it: no secrets, no CRLF."""
        return self.encode().decode("utf-8", "backslashreplace").removesuffix("\r\n")


@dataclass(frozen=True, slots=True)
class Greeting(Command):
    """No command: the connection's opening, to which the server replies (RFC 5321, 3.1)."""

    stage = Stage.GREETING
    ends_group = True

    def encode(self) -> bytes:
        """Nothing is sent."""
        return b""


@dataclass(frozen=True, slots=True)
class Ehlo(Command):
    """EHLO (RFC 5321, 4.1.1.1)."""

    stage = Stage.EHLO
    ends_group = True
    local_hostname: str

    def encode(self) -> bytes:
        """The command line."""
        return line("EHLO", self.local_hostname)


@dataclass(frozen=True, slots=True)
class Helo(Command):
    """HELO (RFC 5321, 4.1.1.1): for servers that do not know EHLO."""

    stage = Stage.HELO
    ends_group = True
    local_hostname: str

    def encode(self) -> bytes:
        """The command line."""
        return line("HELO", self.local_hostname)


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """STARTTLS (RFC 3207)."""

    stage = Stage.STARTTLS
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("STARTTLS")


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """AUTH (RFC 4954, 4), with or without an initial response (base64, or "=" for an empty one)."""

    stage = Stage.AUTH
    ends_group = True
    mechanism: str
    initial_response: Secret | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The command line, secret and all."""
        if self.initial_response is None:
            return line("AUTH", self.mechanism)
        return line("AUTH", f"{self.mechanism} {self.initial_response.reveal()}")

    def masked(self) -> str:
        """The mechanism alone."""
        return f"AUTH {self.mechanism}" + (" ********" if self.initial_response else "")


@dataclass(frozen=True, slots=True)
class AuthResponse(Command):
    """The client's answer to a 334 challenge: base64, or "*" to cancel (RFC 4954, 4)."""

    stage = Stage.AUTH
    ends_group = True
    response: Secret = field(repr=False)

    def encode(self) -> bytes:
        """The line, secret and all."""
        return line(self.response.reveal())

    def masked(self) -> str:
        """Nothing of it."""
        return "*" if self.response.reveal() == "*" else "********"


@dataclass(frozen=True, slots=True)
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
        parameters = [f"FROM:<{self.reverse_path}>"]
        if self.size is not None:
            parameters.append(f"SIZE={self.size}")
        if self.is_8bit:
            parameters.append("BODY=8BITMIME")
        if self.smtputf8:
            parameters.append("SMTPUTF8")
        return line("MAIL", " ".join(parameters))


@dataclass(frozen=True, slots=True)
class Rcpt(Command):
    """RCPT (RFC 5321, 4.1.1.3): one recipient of the transaction."""

    stage = Stage.RCPT
    forward_path: str

    def encode(self) -> bytes:
        """The command line."""
        return line("RCPT", f"TO:<{self.forward_path}>")


@dataclass(frozen=True, slots=True)
class Data(Command):
    """DATA (RFC 5321, 4.1.1.4). The content follows the 354."""

    stage = Stage.DATA
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("DATA")


@dataclass(frozen=True, slots=True)
class EndOfData(Command):
    """The final dot. The content before it, dot-stuffed and ended by CRLF, is written apart."""

    stage = Stage.END_OF_DATA

    def encode(self) -> bytes:
        """A dot on a line of its own."""
        return b".\r\n"


@dataclass(frozen=True, slots=True)
class Rset(Command):
    """RSET (RFC 5321, 4.1.1.5)."""

    stage = Stage.RSET

    def encode(self) -> bytes:
        """The command line."""
        return line("RSET")


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP (RFC 5321, 4.1.1.9)."""

    stage = Stage.NOOP
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("NOOP")


@dataclass(frozen=True, slots=True)
class Vrfy(Command):
    """VRFY (RFC 5321, 4.1.1.6)."""

    stage = Stage.VRFY
    ends_group = True
    name: str

    def encode(self) -> bytes:
        """The command line."""
        return line("VRFY", self.name)


@dataclass(frozen=True, slots=True)
class Quit(Command):
    """QUIT (RFC 5321, 4.1.1.10)."""

    stage = Stage.QUIT
    ends_group = True

    def encode(self) -> bytes:
        """The command line."""
        return line("QUIT")
