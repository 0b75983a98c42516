"""The states of a session and what a reply does to them; docs/ draws its diagram from here."""

from __future__ import annotations

import enum

from bulkmail.smtp.reply import Severity
from bulkmail.smtp.stage import Stage


class State(enum.Enum):
    """Where the session stands, by the replies that have come."""

    #: The connection is open; the greeting has not come.
    CONNECTED = "connected"
    #: Greeted, or just under TLS: EHLO is next.
    GREETED = "greeted"
    #: Between transactions.
    READY = "ready"
    #: 220 to STARTTLS: the handshake is next, and nothing else.
    TLS_HANDSHAKE = "TLS handshake"
    #: 334: the server waits for the mechanism's next response.
    AUTHENTICATING = "authenticating"
    MAIL_GIVEN = "MAIL given"
    RCPT_GIVEN = "RCPT given"
    #: 354: content, then the final dot.
    EXPECT_CONTENT = "expect content"
    #: QUIT was answered, or the server said 421.
    CLOSED = "closed"


COMPLETION = Severity.POSITIVE_COMPLETION
INTERMEDIATE = Severity.POSITIVE_INTERMEDIATE
TRANSIENT = Severity.TRANSIENT_NEGATIVE
PERMANENT = Severity.PERMANENT_NEGATIVE

_ANYTIME: dict[Stage, dict[Severity, State]] = {
    Stage.QUIT: dict.fromkeys(Severity, State.CLOSED),
}

#: What is not in the table: 4yz and 5yz leave the state as it is, anything else is a
#: ProtocolViolation. 421 closes in every state.
TRANSITIONS: dict[State, dict[Stage, dict[Severity, State]]] = {
    State.CONNECTED: {Stage.GREETING: {COMPLETION: State.GREETED}},
    State.GREETED: {
        Stage.EHLO: {COMPLETION: State.READY},
        Stage.HELO: {COMPLETION: State.READY},
        **_ANYTIME,
    },
    State.READY: {
        Stage.EHLO: {COMPLETION: State.READY},
        Stage.HELO: {COMPLETION: State.READY},
        Stage.STARTTLS: {COMPLETION: State.TLS_HANDSHAKE},
        Stage.AUTH: {COMPLETION: State.READY, INTERMEDIATE: State.AUTHENTICATING},
        Stage.MAIL: {COMPLETION: State.MAIL_GIVEN},
        # RFC 2920, 3.1: DATA that rode behind a refused MAIL may get its 354 all the same.
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.RSET: {COMPLETION: State.READY},
        Stage.NOOP: {COMPLETION: State.READY},
        Stage.VRFY: {COMPLETION: State.READY},
        **_ANYTIME,
    },
    State.TLS_HANDSHAKE: {},
    State.AUTHENTICATING: {
        Stage.AUTH: {
            COMPLETION: State.READY,
            INTERMEDIATE: State.AUTHENTICATING,
            TRANSIENT: State.READY,
            PERMANENT: State.READY,
        },
    },
    State.MAIL_GIVEN: {
        Stage.RCPT: {COMPLETION: State.RCPT_GIVEN},
        # RFC 2920, 3.1: DATA may be accepted even though every RCPT was refused.
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.RSET: {COMPLETION: State.READY},
        Stage.NOOP: {COMPLETION: State.MAIL_GIVEN},
        **_ANYTIME,
    },
    State.RCPT_GIVEN: {
        Stage.RCPT: {COMPLETION: State.RCPT_GIVEN},
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.RSET: {COMPLETION: State.READY},
        Stage.NOOP: {COMPLETION: State.RCPT_GIVEN},
        **_ANYTIME,
    },
    State.EXPECT_CONTENT: {
        Stage.END_OF_DATA: {
            COMPLETION: State.READY,
            TRANSIENT: State.READY,
            PERMANENT: State.READY,
        },
    },
    State.CLOSED: {},
}
