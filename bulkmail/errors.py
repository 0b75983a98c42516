"""What can go wrong.

BulkmailError
  ConfigurationError            a file or an option is wrong; carries a Fault for each place
    CampaignBusy                another run of the campaign holds its lock
    NobodyToSendTo              the list is empty
    SourceUnavailable           a database, web server or command gave no list: worth another try
  SessionError                  this session is over; the delivery is not to blame
    ConnectFailed
    StageTimeout                names its stage
    ConnectionLost              names its stage; after END_OF_DATA it means "in doubt"
    TlsFailed
    PlaintextInjected           bytes that arrived before the TLS handshake
    AuthenticationFailed        no mechanism in common, refused, or not offered
    ServerRefused               the greeting, EHLO or STARTTLS was refused
    ProtocolViolation           the server broke the rules
  DialogueMisuse                we broke the rules: a bug here
  MessageRefusedLocally         too large, needs SMTPUTF8, a bad header: never reached the wire
  LedgerError                   the ledger cannot be read or written
  ShortOfResources              the machine gives no more memory, files, threads, room on a disk
  ProcessDied                   a process of the run is killed again and again
  Interrupted                   a signal came before anything was sent

Each class owns the exit code a command ends with when nothing answered the error
(the contract's section 4). Facts are attributes; the sentence is made in ``__str__``.
"""

from __future__ import annotations

import errno
from typing import Literal

from bulkmail.value_class import value_class

#: Exit codes of the commands. They are fixed: scripts lean on them.
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3
EXIT_FAULT_OF_OURS = 70
EXIT_WAITING = 75
EXIT_INTERRUPTED = 130


@value_class(kw_only=True)
class Fault:
    """One thing that is wrong, and where: `file:line:column  key: sentence (row)`."""

    message: str
    #: The file as the user would name it.
    path: str | None = None
    #: From 1, as editors count.
    line: int | None = None
    column: int | None = None
    #: The dotted key in a YAML file: ``servers.primary.port``.
    key: str | None = None
    #: Number of the recipient's row, from 1 for the first data row.
    row: int | None = None
    #: The recipient's address, where it is known.
    address: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        what = f"{self.key}: {self.message}" if self.key else self.message
        who = ", ".join(
            part for part in (f"row {self.row}" if self.row else "", self.address or "") if part
        )
        return f"{place}  {what}".strip() + (f" ({who})" if who else "")


class BulkmailError(Exception):
    """Anything bulkmail raises on purpose."""

    exit_code = EXIT_FAULT_OF_OURS


class ConfigurationError(BulkmailError):
    """A file, a row or an option is wrong. Nothing was sent."""

    exit_code = EXIT_USAGE

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class CampaignBusy(ConfigurationError):
    """Another run of this campaign is under way on this ledger."""


class NobodyToSendTo(ConfigurationError):
    """The list of recipients is there, whole, and empty."""


class SourceUnavailable(ConfigurationError):
    """Where the recipients are to come from gave no list, or not all of it.

    Nothing of the campaign is wrong as far as is known, and nothing was changed: another try later
    may do. `send` ends with it; a scheduler tries again.
    """


class SessionError(BulkmailError):
    """The session is over. Whoever was to be mailed by it is not to blame."""

    exit_code = EXIT_STOPPED

    def __init__(
        self,
        message: str,
        *,
        host: str = "",
        stage: str = "",
        code: int | None = None,
        enhanced_code: str | None = None,
        reply: str = "",
    ) -> None:
        super().__init__(message)
        #: ``host:port`` of the server.
        self.host = host
        #: Value of the smtp Stage at which it ended: ``connect``, ``rcpt``, ``end of data``.
        self.stage = stage
        #: The server's reply, where one led to this.
        self.code = code
        self.enhanced_code = enhanced_code
        self.reply = reply


class ConnectFailed(SessionError, ConnectionError):
    """No connection: refused, unreachable, no such host."""


class StageTimeout(SessionError, TimeoutError):
    """The server was silent for longer than the stage allows."""


class ConnectionLost(SessionError, ConnectionError):
    """The connection ended in the middle of the dialogue."""


class TlsFailed(SessionError):
    """The handshake failed, or the certificate is not one to trust."""


class PlaintextInjected(TlsFailed):
    """Bytes stood in the buffer before the TLS handshake: somebody in the middle (RFC 3207, 5)."""


class AuthenticationFailed(SessionError):
    """The login was refused, or cannot be tried with what the server offers."""

    def __init__(
        self, message: str, *, is_transient: bool = False, hint: str = "", **facts: object
    ) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the facts of SessionError
        #: 454: worth another try later. Otherwise not again in this run.
        self.is_transient = is_transient
        #: What the provider wants as a password, where it is known.
        self.hint = hint


class ServerRefused(SessionError):
    """The server answered the greeting, EHLO or STARTTLS with a refusal."""


class ProtocolViolation(SessionError):
    """The server broke the rules of RFC 5321, or a bound of ours."""


class DialogueMisuse(BulkmailError):
    """We broke the rules of the dialogue. A bug here."""


class MessageRefusedLocally(BulkmailError):
    """The message cannot be handed to this server; no byte of it was sent."""

    exit_code = EXIT_FAILED

    def __init__(
        self, message: str, *, reach: Literal["recipient", "message", "sender"] = "message"
    ) -> None:
        super().__init__(message)
        #: What it is about: an address it goes to, the message, or the sender: then no message of
        #: theirs can be handed to this server.
        self.reach = reach


class LedgerError(BulkmailError):
    """The ledger cannot be read or written: a full disk, a newer version, a lock."""

    exit_code = EXIT_STOPPED


class ShortOfResources(BulkmailError):
    """The machine gives this process no more of what it needs. What was not sent stays pending."""

    exit_code = EXIT_STOPPED


class ProcessDied(BulkmailError):
    """A process of this run died, and those in its place did. What was not sent stays pending."""


class Interrupted(BulkmailError):
    """A signal ended the command before it began to send."""

    exit_code = EXIT_INTERRUPTED


def shortage(error: BaseException) -> ShortOfResources | None:
    """What an error of the interpreter's says where the machine is short of something; or None."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.EMFILE, errno.ENFILE}:
        return ShortOfResources(
            "Too many files are open: allow more (ulimit -n), or lower `connections` or "
            "--processes."
        )
    if number == errno.ENOSPC:
        return ShortOfResources(
            "Nothing more can be written, the disk is full: free some space, where the output "
            "goes, in the project, or for temporary files (TMPDIR)."
        )
    # The interpreter has no class of its own for the last one.
    if isinstance(error, MemoryError) or str(error) == "can't start new thread":
        return ShortOfResources(
            "The machine gives no more memory or threads: allow more (ulimit -v, ulimit -u), or "
            "lower `connections` or --processes."
        )
    return None
