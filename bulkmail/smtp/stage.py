"""The steps of the dialogue, and how long each may take (RFC 5321, 4.5.3.2)."""

from __future__ import annotations

import enum


class Stage(enum.StrEnum):
    """A step of the dialogue. The value is the word used in errors, reports and the ledger."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    #: From the final dot (or the last BDAT chunk) to its reply.
    END_OF_DATA = "end of data"
    RSET = "rset"
    NOOP = "noop"
    VRFY = "vrfy"
    QUIT = "quit"

    # As equal as it is to its word; and looked up for every reply.
    __hash__ = str.__hash__


#: Seconds a stage may take. RFC 5321, 4.5.3.2 where it names the stage: greeting 5 min, MAIL and
#: RCPT 5 min, DATA 2 min, end of data 10 min (data blocks of 3 min are under the same deadline).
#: The others are ours: a handshake or QUIT that takes longer has no one at the other end.
STAGE_TIMEOUTS: dict[Stage, float] = {
    Stage.CONNECT: 60,
    Stage.GREETING: 300,
    Stage.EHLO: 300,
    Stage.HELO: 300,
    Stage.STARTTLS: 120,
    Stage.TLS: 60,
    Stage.AUTH: 120,
    Stage.MAIL: 300,
    Stage.RCPT: 300,
    Stage.DATA: 120,
    Stage.END_OF_DATA: 600,
    Stage.RSET: 300,
    Stage.NOOP: 300,
    Stage.VRFY: 300,
    Stage.QUIT: 5,
}
