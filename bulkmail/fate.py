"""A recipient's fate: the ledger's words, shared by all who write and read them.

A *delivery* is one recipient of one campaign; an *attempt* is one try to make it. The states are
the contract's seven and no more; a claim (owner, epoch, lease) is not a state.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from bulkmail.value_class import value_class


class State(enum.StrEnum):
    """Where a delivery stands."""

    #: Not tried yet, or free to be tried again.
    PENDING = "pending"
    #: Its end of data may be on the wire right now; after a crash: in doubt.
    SENDING = "sending"
    #: A server answered 2yz to the end of data.
    SENT = "sent"
    #: Tried without success; due again at `due_at`.
    DEFERRED = "deferred"
    #: Refused for good, or given up.
    FAILED = "failed"
    #: Gets nothing: listed, gone from the list, cancelled, skipped.
    SUPPRESSED = "suppressed"
    #: The connection was lost between the end of data and its reply.
    IN_DOUBT = "in_doubt"


class Halt(enum.StrEnum):
    """What a person ordered of a campaign; it holds until it is lifted."""

    #: `bulkmail pause`: nothing more is begun.
    PAUSED = "paused"
    #: `bulkmail cancel`: who was not sent to gets nothing.
    CANCELLED = "cancelled"


@value_class(kw_only=True)
class Orders:
    """What a person ordered of a campaign while a run of it is under way."""

    halt: Halt | None = None
    #: How many deliveries `bulkmail retry` or `bulkmail resolve` put back: they wait from now on.
    put_back: int = 0


@value_class(kw_only=True)
class FileNote:
    """A row's own file as it was when the row was checked."""

    #: The campaign's entry that names it: ``attachments[1]``, ``inline.photo``.
    entry: str
    #: From the project root where it lies below it; in the file system's own octets.
    path: bytes
    #: Of its content, in hex.
    sha256: str


@value_class(kw_only=True)
class Digests:
    """What tells the message that went out from any other one."""

    #: Of the message, in hex: see docs/reliability.md.
    message_sha256: str
    #: A mapping a file: ``name``, ``size`` in octets, ``sha256`` in hex. In the message's order.
    attachments: Sequence[Mapping[str, Any]] = ()


@value_class(kw_only=True)
class Delivery:
    """A claimed row: what is needed to make one attempt."""

    id: int
    #: The fencing epoch of this claim: results are written only while it is still the row's.
    epoch: int
    #: From 1, the first data row of the recipient list.
    row: int
    key: str
    address: str
    #: Every column of the row, by name; JSON values.
    fields: Mapping[str, Any]
    #: Tries so far in which MAIL was accepted and its RCPT sent.
    attempts: int
    #: Tries so far that ended in doubt.
    doubts: int
    #: Epoch seconds of the first attempt. Before it: of the last try that came to none (MAIL was
    #: refused), or None.
    first_attempt_at: float | None
    #: With angle brackets; the same for every try.
    message_id: str
    #: The server that asked to come again (greylisting): it knows the sender by now.
    greylisted_by: str | None = None
    #: Its own files as they were checked; None: not known, and any will do.
    files: tuple[FileNote, ...] | None = None

    @property
    def attempted_since(self) -> float | None:
        """Epoch seconds of the first attempt, from which giving up is counted; None before it."""
        return self.first_attempt_at if self.attempts else None


def state_before(delivery: Delivery) -> State:
    """Where it is counted until what a try came to is known.

    Who was in doubt once, and deferred since, is still counted there: a claim does not say more.
    """
    if delivery.doubts:
        return State.IN_DOUBT
    return State.PENDING if delivery.first_attempt_at is None else State.DEFERRED


@value_class(kw_only=True)
class Attempt:
    """What one try came to: written to the ledger under the claim's epoch."""

    delivery_id: int
    epoch: int
    #: Epoch seconds: when its result was known.
    at: float
    #: Epoch seconds: the instant the message was composed for. The ledger keeps that of the first
    #: counted one as `first_attempt_at`, unless the new state is `pending` (nothing was tried).
    started_at: float
    #: The delivery's new state.
    state: State
    #: Why, in a few words for a person.
    reason: str
    #: When it is due again, epoch seconds; only for `deferred` (and a resend in doubt).
    due_at: float | None = None
    #: Whether it counts against `retry.attempts`: MAIL was accepted and RCPT sent.
    is_counted: bool = False
    #: Whether the end of data was sent and no answer came.
    is_doubt: bool = False
    server: str | None = None
    #: The smtp Stage's value.
    stage: str | None = None
    code: int | None = None
    enhanced_code: str | None = None
    reply: str | None = None
    #: cc and bcc the server refused: address to reply.
    refused_recipients: Mapping[str, str] | None = None
    #: A gateway's own name for the message it took.
    gateway_id: str | None = None
    #: The protocol of the session it was tried on: ``TLSv1.3``; None: plain, or no session.
    tls: str | None = None


@value_class(kw_only=True)
class Counts:
    """A campaign's deliveries by state."""

    pending: int = 0
    sending: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0
    suppressed: int = 0
    in_doubt: int = 0
    #: Rows of the list that repeat a key; they are not part of `total`.
    duplicates: int = 0

    @property
    def total(self) -> int:
        """All deliveries of the campaign."""
        return (
            self.pending
            + self.sending
            + self.sent
            + self.deferred
            + self.failed
            + self.suppressed
            + self.in_doubt
        )
