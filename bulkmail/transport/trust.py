"""What one server has shown of its pipelining in this run: how far ahead it is spoken to.

A server that offers an extension and breaks on it is spoken to more simply from then on, by all
its sessions. A clear sign (a reply that nobody asked for, "bad sequence of commands" where all was
in order) counts at any time. A session that broke counts only while the server has not shown that
it can do it: networks break, too. Whole messages ahead are the exception: a server that hangs up
after so many messages would leave a windowful in doubt each time, so once is enough.
"""

from __future__ import annotations

import enum
import re

from bulkmail.errors import ProtocolViolation, SessionError, StageTimeout
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage


class Level(enum.IntEnum):
    """How far ahead of its replies a server is spoken to."""

    #: One command, one reply.
    LOCKSTEP = 0
    #: The commands of one message in one write.
    GROUP = 1
    #: The next message's envelope behind this one's final dot.
    GLUE = 2
    #: Whole messages ahead (BDAT).
    WINDOW = 3


#: 500 and 502 to a verb it knows, or 503: the server has lost the thread.
_OUT_OF_STEP = frozenset({500, 502, 503})
#: A command that is not understood, or its parameters; or, by itself, anything.
_SYNTAX = frozenset({501, 504, 554})
_BDAT = re.compile(r"\b(BDAT|CHUNKING)\b", re.IGNORECASE)
_WORDS = re.compile(r"pipelin|synchroni[sz]|out of sequence", re.IGNORECASE)
_BAD_SEQUENCE = 503
#: Exim: "sender already given"; Postfix: "nested MAIL command".
_ALREADY = re.compile(r"\balready\b|\bnested\b", re.IGNORECASE)
#: It said that it closes, and so what it took (RFC 5321, 3.8).
_CLOSING = 421
#: Messages answered after which a break is a first one again.
_CALM = 50
#: Times that a first BDAT is refused, and a message taken by DATA then, until it is no chance.
_TRIALS = 2
#: Hang-ups on the commands of one message that are none.
_HANG_UPS = 2
#: Breaks in a row that are no chance.
_TOO_OFTEN = 3
#: RFC 3463: "mail delivery protocol status". A 503 with another subject is about something else.
_PROTOCOL = 5


class Trust:
    """Shared by the sessions of one server."""

    def __init__(self) -> None:
        #: How far ahead it may be spoken to.
        self.level = Level.WINDOW
        #: What it was seen to do. To take whole messages says nothing of the glue.
        self._proven: set[Level] = set()
        #: Whether what it says to a BDAT is about the message: it took one, or refuses DATA alike.
        self.knows_bdat = False
        #: Whether it keeps an envelope that it has refused until RSET comes.
        self.keeps_envelopes = False
        #: How often it was given whole messages ahead, and refused the first one.
        self._trials = 0
        #: How it refused its first BDAT: what it says to DATA tells of what that was.
        self._question: Reply | None = None
        #: Whether QUIT was said ahead, and all before it answered; None: not tried.
        self._quits_well: bool | None = None
        #: How often it hung up on the commands of one message, with none answered between.
        self._hang_ups = 0
        #: Messages answered since a session broke on the glue.
        self._answered = 0
        #: How often one did, with few answered between.
        self._breaks = 0

    def meets(self, extensions: Extensions) -> None:
        """It offers that; some of it tells who it is.

        Dovecot's submission service (2.3), which offers BURL (RFC 4468), dies of whatever stands
        behind an end of data, and leaves in doubt what it took: nothing is put there.
        """
        if "BURL" in extensions:
            self.level = min(self.level, Level.GROUP)

    def is_proven(self, level: Level) -> bool:
        """Whether the server has done it in this run."""
        return level in self._proven

    def kept(self, level: Level, messages: int = 1) -> None:
        """A message was answered as it should be, or so many were."""
        self._answered += messages
        self._hang_ups = 0
        if level not in self._proven:
            self._proven.add(level)
            if level is Level.GLUE:
                self._proven.add(Level.GROUP)

    def may_quit_ahead(self) -> bool:
        """Whether QUIT may be said now behind whole messages that have no reply yet.

        What a server does that forgets them at the sight of it would be a windowful in doubt: until
        one has answered them, one session alone tries it. (Exim and Postfix do so with everybody.)
        """
        if self.level < Level.WINDOW or not self.is_proven(Level.WINDOW):
            return False
        is_first = self._quits_well is None
        self._quits_well = bool(self._quits_well)
        return is_first or self._quits_well

    def quit_well(self) -> None:
        """QUIT was said ahead, and all before it was answered."""
        self._quits_well = True

    def refused_bdat(self, refusal: Reply) -> bool:
        """It refused a message by BDAT; whether that may have been for the BDAT.

        Until it took one it may offer CHUNKING and not have it, whatever it says; DATA is to tell.
        """
        if self.knows_bdat or self.is_proven(Level.WINDOW):
            return False
        if self.level is Level.WINDOW:
            self.level = Level.GLUE
            self._question = refusal
            self._trials += 1
        return True

    def answered_data(self, reply: Reply) -> None:
        """It answered the end of data; where it refuses that alike, BDAT is not to blame.

        In other words it may refuse that one message (it is greylisted): others are to tell. What
        it takes may be another message than the one it refused: BDAT has one more chance.
        """
        if self._question is None or not (reply.is_positive or reply == self._question):
            return
        self._question = None
        self.knows_bdat |= not reply.is_positive
        if self.level is Level.GLUE and (self.knows_bdat or self._trials < _TRIALS):
            self.level = Level.WINDOW

    def broke(self, level: Level, error: SessionError) -> bool:
        """A session broke while it was spoken to like this; whether that is held against it."""
        if level is Level.LOCKSTEP or level > self.level:
            return False
        if self._is_telling(level, error):
            self.level = self._left_of(level, error)
            return True
        if level is Level.GLUE and self._breaks_often(error):
            self.level = Level.GROUP
            return True
        return False

    def _left_of(self, level: Level, error: SessionError) -> Level:
        """How far it is trusted still."""
        if level is not Level.WINDOW:
            # What breaks on the glue may break on any group.
            return Level.LOCKSTEP
        is_silent = error.stage == Stage.END_OF_DATA and not isinstance(error, ProtocolViolation)
        if is_silent and not self.is_proven(level):
            # It may be any command behind an end of data, and to try would be another doubt.
            return Level.GROUP
        # BDAT is another road than the glue.
        return Level.GLUE

    def _breaks_often(self, error: SessionError) -> bool:
        """Whether it hangs up on the glue time and again: each time a message is in doubt."""
        if error.stage != Stage.END_OF_DATA or error.code == _CLOSING or not self._answered:
            # With nothing answered between it is one mishap, of several connections.
            return False
        self._breaks = 1 if self._answered >= _CALM else self._breaks + 1
        self._answered = 0
        return self._breaks >= _TOO_OFTEN

    def _is_telling(self, level: Level, error: SessionError) -> bool:
        if isinstance(error, ProtocolViolation):
            return True
        if level is Level.WINDOW and error.code != _CLOSING:
            # Content was out and nobody knows whether it was taken.
            return True
        if self.is_proven(level):
            return False
        if level is not Level.GROUP:
            return True
        if isinstance(error, StageTimeout):
            # It answered MAIL and never what stood behind it.
            return error.stage in (Stage.RCPT, Stage.DATA)
        # One that hangs up on the group may have its reasons, or the network: twice is no chance.
        self._hang_ups += error.stage != Stage.END_OF_DATA and error.code != _CLOSING
        return self._hang_ups >= _HANG_UPS


def is_out_of_step(reply: Reply) -> bool:
    """Whether a refusal, where all before it went well, says that the server lost the thread."""
    if not (reply.is_permanent or reply.is_transient):
        return False
    is_protocol = reply.enhanced is None or reply.enhanced.subject == _PROTOCOL
    return (reply.code in _OUT_OF_STEP and is_protocol) or bool(_WORDS.search(reply.text))


def has_kept_envelope(reply: Reply) -> bool:
    """Whether MAIL is refused, in so many words, as there was one already."""
    return reply.code == _BAD_SEQUENCE and bool(_ALREADY.search(reply.text))


def may_know_no_bdat(reply: Reply) -> bool:
    """The same of a server's first BDAT: it may be the command that it refuses and yet offers.

    DATA tells: what is the message's is refused there as well.
    """
    if is_out_of_step(reply):
        return True
    if not reply.is_permanent:
        return False
    if reply.enhanced is not None:
        return reply.enhanced.subject == _PROTOCOL
    return reply.code in _SYNTAX or bool(_BDAT.search(reply.text))
