"""The states of a session and what a reply does to them; docs/ draws its diagram from here."""

from __future__ import annotations

import enum

from bulkmail.smtp.reply import Severity
from bulkmail.smtp.stage import Stage


class State(enum.Enum):
    """Where the session stands, by the replies that have come."""

    #: The connection is open; the greeting has not come.
    CONNECTED = "connected"
    #: Greeted with a refusal: QUIT is all that is left (RFC 5321, 3.1).
    TURNED_AWAY = "turned away"
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

    # Looked up for every reply, where Enum's own hash is a call in Python.
    __hash__ = object.__hash__


COMPLETION = Severity.POSITIVE_COMPLETION
INTERMEDIATE = Severity.POSITIVE_INTERMEDIATE
TRANSIENT = Severity.TRANSIENT_NEGATIVE
PERMANENT = Severity.PERMANENT_NEGATIVE

_ANYTIME: dict[Stage, dict[Severity, State]] = {
    Stage.QUIT: dict.fromkeys(Severity, State.CLOSED),
}

#: The whole content was there: the transaction is over, whatever is said to it.
_CONTENT_ANSWERED: dict[Severity, State] = {
    COMPLETION: State.READY,
    TRANSIENT: State.READY,
    PERMANENT: State.READY,
}

#: What may be sent in each state, and where the reply leads. What is not in the table: 4yz and 5yz
#: leave the state as it is, anything else is a ProtocolViolation. 421 closes in every state.
TRANSITIONS: dict[State, dict[Stage, dict[Severity, State]]] = {
    State.CONNECTED: {
        Stage.GREETING: {
            COMPLETION: State.GREETED,
            TRANSIENT: State.TURNED_AWAY,
            PERMANENT: State.TURNED_AWAY,
        },
    },
    State.TURNED_AWAY: {**_ANYTIME},
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
        Stage.RSET: {COMPLETION: State.READY},
        Stage.NOOP: {COMPLETION: State.MAIL_GIVEN},
        **_ANYTIME,
    },
    State.RCPT_GIVEN: {
        Stage.RCPT: {COMPLETION: State.RCPT_GIVEN},
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.END_OF_DATA: _CONTENT_ANSWERED,  # BDAT
        Stage.RSET: {COMPLETION: State.READY},
        Stage.NOOP: {COMPLETION: State.RCPT_GIVEN},
        **_ANYTIME,
    },
    State.EXPECT_CONTENT: {
        Stage.END_OF_DATA: _CONTENT_ANSWERED,
    },
    State.CLOSED: {},
}

#: Where replies lead to commands that may not be sent in the state, but were sent ahead, when it
#: was still to be hoped that the replies before would be good (RFC 2920, 3.1). It is looked at
#: where TRANSITIONS knows nothing; nothing may be sent because of it.
STRAGGLERS: dict[State, dict[Stage, dict[Severity, State]]] = {
    # MAIL was refused. There are servers that do not mind, and take RCPT and DATA all the same.
    State.READY: {
        Stage.RCPT: {COMPLETION: State.READY},
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.END_OF_DATA: _CONTENT_ANSWERED,
    },
    # Every RCPT was refused. The content of a BDAT was behind it, and is discarded (RFC 3030, 2).
    State.MAIL_GIVEN: {
        Stage.DATA: {INTERMEDIATE: State.EXPECT_CONTENT},
        Stage.END_OF_DATA: _CONTENT_ANSWERED,
    },
}


#: Where a reply leads in each state, whether its command may be sent there or was sent ahead; by
#: the first digit.
LEADS: dict[State, dict[Stage, dict[int, State]]] = {
    state: {
        stage: {int(severity): target for severity, target in replies.items()}
        for stage, replies in (stages | STRAGGLERS.get(state, {})).items()
    }
    for state, stages in TRANSITIONS.items()
}


def _hoped(replies: dict[Severity, State], state: State) -> State:
    return replies.get(COMPLETION) or replies.get(INTERMEDIATE) or state


#: Where a good reply leads, in each state. The end of data ends the transaction whatever the reply
#: is, and whatever became of the envelope before it (BDAT). What is not in the table stays.
HOPED: dict[State, dict[Stage, State]] = {
    state: {Stage.END_OF_DATA: State.READY}
    | {stage: _hoped(replies, state) for stage, replies in stages.items()}
    for state, stages in TRANSITIONS.items()
}
