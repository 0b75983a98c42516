"""Whose fault a refusal is: one table, read from the top, the first row that fits decides.

A row looks at the stage, the reply's severity, its code, its enhanced status code and its text.
Blast radius is what counts (design: a policy or login refusal never marks a recipient as failed);
where a server contradicts RFC 5321 in words (a 550 that means "too fast"), the words win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulkmail.outcome import Blame
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what it fits, and what follows. What is None or empty fits everything."""

    blame: Blame
    #: Whether it may work later, whatever the first digit says; None: as the digit says.
    is_transient: bool | None = None
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    #: Beginnings of the enhanced status code without its class: ``7.8``, ``7.``.
    enhanced: tuple[str, ...] = ()
    words: re.Pattern[str] | None = None

    def fits(self, stage: Stage, reply: Reply) -> bool:
        """Whether this row speaks of `reply` at `stage`."""
        detail = f"{reply.enhanced.subject}.{reply.enhanced.detail}" if reply.enhanced else ""
        return (
            (not self.stages or stage in self.stages)
            and (not self.codes or reply.code in self.codes)
            and (not self.enhanced or detail.startswith(self.enhanced))
            and (self.words is None or self.words.search(reply.text) is not None)
        )


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_MAIL = frozenset({Stage.MAIL})
_RCPT = frozenset({Stage.RCPT})
_CONTENT = frozenset({Stage.DATA, Stage.END_OF_DATA})

RULES: tuple[Rule, ...] = (
    # The server closes this connection (RFC 5321, 3.8); another may be welcome.
    Rule(blame=Blame.SESSION, codes=frozenset({421})),
    # Login wanted, too weak or gone stale (RFC 4954, 6), at whatever stage it comes out.
    Rule(blame=Blame.SERVER, codes=frozenset({530, 534, 535, 538})),
    Rule(blame=Blame.SERVER, enhanced=("7.8", "7.9", "7.11")),
    # An account's own limits. Gmail 550 5.4.5, QQ 550 "frequency limited", Exchange 5.2.0 quota.
    Rule(
        blame=Blame.SERVER,
        is_transient=True,
        words=_words(
            r"daily (user |message )?(sending )?(quota|limit)",
            r"(quota|limit)s? (for|of) (outgoing|sending|messages)",
            r"frequency limited",
            r"(rate|sending|sending rate|hourly|message|submission)( limit| quota)?"
            r"( was| is| has been)? (exceeded|reached)",
            r"exceeded (the |your |its )?(rate|sending|hourly|daily|message|submission)",
            r"too many (messages|mails|e-mails|emails|connections|sessions)",
            r"sending (too fast|too quickly)|slow down",
        ),
    ),
    # MAIL: reverse-path and account are the same for everybody; only SIZE= is the message's.
    Rule(blame=Blame.MESSAGE, stages=_MAIL, enhanced=("3.4", "2.3")),
    Rule(blame=Blame.MESSAGE, stages=_MAIL, codes=frozenset({552})),
    Rule(blame=Blame.SERVER, stages=_MAIL),
    # RCPT: what is about us and not about the address.
    Rule(
        blame=Blame.SERVER,
        stages=_RCPT,
        words=_words(
            r"relay(ing)? (access )?(denied|not permitted|not allowed|prohibited)",
            r"(unable|not permitted|not allowed|cannot|refus\w+) to relay",
            r"we do not relay|relaying denied",
            r"authenticat\w+ (is )?required|must (be )?(login|log in|authenticate)",
            r"(client host|sender|your ip|ip address)\W.{0,80}(blocked|rejected|denied|listed)",
            r"blocked using|blacklist|blocklist|spamhaus|poor reputation",
        ),
    ),
    Rule(blame=Blame.RECIPIENT, stages=_RCPT),
    # DATA and the end of data: what is about the account and not about this message.
    Rule(
        blame=Blame.SERVER,
        stages=_CONTENT,
        words=_words(
            r"not (have )?(permi(tted|ssions?)|allowed) to send as|SendAsDenied",
            r"sender (address )?(rejected|denied|not allowed)|not owned by",
            r"account (is )?(disabled|suspended|blocked|locked)",
        ),
    ),
    Rule(blame=Blame.MESSAGE, stages=_CONTENT),
)


def judge(stage: Stage, reply: Reply) -> tuple[Blame, bool]:
    """Who is to blame for a refusal, and whether it may work later."""
    for rule in RULES:
        if rule.fits(stage, reply):
            transient = reply.is_transient if rule.is_transient is None else rule.is_transient
            return rule.blame, transient
    return Blame.SESSION, not reply.is_permanent
