"""What one try came to, as a value: accepted, a failure with somebody to blame, or in doubt.

Two questions are kept apart (style: results): "will it ever work?" is the class, "who is to
blame?" is `Blame`, the blast radius that decides what else is touched.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class


class Blame(enum.Enum):
    """How far a failure reaches."""

    #: This address: others are not concerned.
    RECIPIENT = "recipient"
    #: This message: its size, its content, a verdict on it.
    MESSAGE = "message"
    #: This connection: another one may do at once.
    SESSION = "session"
    #: This server, or our account on it: nobody can be mailed through it for now.
    SERVER = "server"
    #: Our own input or environment: the message could not be made.
    US = "us"


class Overload(enum.Enum):
    """Whose pace a reply speaks of: it is to be lower for a while."""

    #: The server's that said it, or our account's on it.
    SERVER = "server"
    #: The one to the recipient's domain, through whatever server.
    DOMAIN = "domain"


@value_class(kw_only=True)
class Accepted:
    """A server answered 2yz to the end of data; a gateway said that it took the text."""

    reply: Reply
    stage: enum.StrEnum = Stage.END_OF_DATA
    #: The gateway's own name for the message, where it gave one.
    gateway_id: str | None = None
    #: cc and bcc it refused, with the reply to each.
    refused: Mapping[str, Reply] = field(default_factory=dict)
    #: cc and bcc that were left out because they are suppressed.
    left_out: tuple[str, ...] = ()


@value_class(kw_only=True)
class Failure:
    """What failed, where, and what came back."""

    blame: Blame
    #: The step at which it failed: SMTP's, or the transport's own.
    stage: enum.StrEnum | None
    #: What the server said; None where it said nothing (a timeout, a lost connection).
    reply: Reply | None
    #: Why, in a few words.
    reason: str
    #: Whether MAIL was accepted and RCPT sent: it counts against `retry.attempts`.
    is_counted: bool = False
    #: Whose pace was too high for the server; None: nobody's.
    overload: Overload | None = None
    #: Seconds for which the server asked to be left alone; None: it did not say.
    retry_after: float | None = None
    #: Whether the server is of no more use in this run: our account is refused there, or it
    #: cannot be told our address.
    ends_use: bool = False


@value_class(kw_only=True)
class TransientFailure(Failure):
    """It may work later."""


@value_class(kw_only=True)
class PermanentFailure(Failure):
    """It will not work, for whomever is to blame."""


@value_class(kw_only=True)
class InDoubt:
    """All was sent, and no answer came that says what became of it."""

    reason: str
    stage: enum.StrEnum = Stage.END_OF_DATA


Outcome: TypeAlias = Accepted | TransientFailure | PermanentFailure | InDoubt
