"""Whose fault a refusal is: one table, read from the top, the first row that fits decides.

A row looks at the stage, the reply's code, its enhanced status code and its text. Blast radius is
what counts (design: a policy or login refusal never marks a recipient as failed); where a server
contradicts RFC 5321 in words (a 550 that means "too fast"), the words win.

The replies the table was made from, with the source of each, are tests/delivery/replies.csv.
"""

from __future__ import annotations

from functools import lru_cache

from bulkmail.delivery.refusal_rule import Rule, any_of, said, unless
from bulkmail.outcome import Blame, Overload
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class


@value_class
class Judgement:
    """What a refusal comes to."""

    blame: Blame
    #: Whether it may work later.
    is_transient: bool
    #: Whose pace is to be lower; None: nobody's.
    overload: Overload | None = None


#: Judgements that are kept: a server that refuses says the same again and again, in the same words.
_KNOWN = 256
#: It is not this recipient, it is one too many: in another transaction it may be taken.
_FEWER = any_of(
    r"too many recipients(?! (received|from|in the last|in this session))",
    r"(maximum|limit) of \S+ recipients",
    r"(in|try) .{0,20}separate transaction",
    r"multiple destination domains",
)
_ALLOWANCE = r"\b(daily|hourly|sending|relay|messages?|mail|messaging|submission|rate|per \w+)"
#: Words that tell a full mailbox from a pace of ours, and a size from a quota.
_THEIRS = r"收件|收信|接收|对方|空间|容量|empfänger|destinata(ire|rio)"
_MAILBOX = rf"{_THEIRS}|postfach|mailbox|bo[iî]te|buz[oó]n"
_SIZE = rf"{_THEIRS}|大小|附件|größe|taille|tama[nñ]o|\d ?[mk]i?b\b"
_PASSED = r"(was |is |has been |have been )?(exceeded|reached)"
#: Sending, and what follows in the same clause.
_SENDING = r"(发送|发信|发件|投递|连接)(?!失败)[^，,。：:；;\n]"
#: What servers say of a rate or of their load, ours or everybody's.
_LOAD = (
    r"\brate[- ]?limit|\brate control|throttl",
    r"frequency limited|too frequent",
    r"too (fast|quickly)|too much mail|slow(er| down)\b",
    r"too many (\w+ ){0,2}(connections|sessions|conn\b)",
    # Not those that lie in a mailbox.
    unless(
        r"box (is )?(full|has|holds|contains)|mails? in (\S+ ){0,2}\w*box"
        r"|messages in (\S+ ){0,2}\w*box|(user|recipient|folder) (has|holds|contains) too many",
        r"too many (\w+ ){0,2}(messages|mails|e-mails|emails)",
    ),
    r"too many recipients (received|from|in the last)",
    r"(concurrent|simultaneous) (\w+ )?connections",
    r"unusual (rate|volume)|unexpected volume|temporarily deferred",
    rf"{_ALLOWANCE} ?(quota|limits?|threshold) ?{_PASSED}|rate ?{_PASSED}",
    r"exceeded (the |your |its )?(\w+ )?(rate|sending|hourly|daily|messaging|message|submission)",
    r"exceeded the max emails|over your relay quota",
    r"(quota|limit)s? (for|of) (outgoing|sending|messages)|limits for how many messages",
    r"daily (\w+ ){0,3}(sending )?(quota|limit)",
    r"server (is )?(too )?busy|resources temporarily unavailable|(system )?load",
    r"insufficient (system )?(storage|resources|disk)|space shortage",
    # Chinese, German, French, Spanish.
    unless(_MAILBOX, rf"频率|频繁|{_SENDING}{{0,8}}(过快|过多|太快|太多|超限)"),
    unless(_SIZE, rf"{_SENDING}{{0,12}}(上限|限额|配额|(?<!人[受被])限制)"),
    unless(_MAILBOX, r"\bzu viele (e-?mails?|mails?|nachrichten|verbindungen)\b|\bzu schnell\b"),
    unless(_SIZE, r"\b(sende|versand|tages|stunden)-?(limit|kontingent)"),
    unless(_MAILBOX, r"\btrop de (messages|courriels|e-?mails|mails|connexions)\b"),
    unless(_SIZE, r"\btrop (vite|rapide)|\b(limite|quota) d.(envoi|émission)"),
    unless(_MAILBOX, r"\bdemasiad[oa]s (mensajes|correos|conexiones)\b|\bdemasiado rápido"),
    unless(_SIZE, r"\b(l[ií]mite|cuota) de env[ií]o"),
    unless(rf"{_SIZE}|{_MAILBOX}", r"\b(l[ií]mite|cuota) de (mensajes|correos)"),
    # NetEase: too much by this address, by this account in a quarter of an hour, or today.
    r"\bHL:(REP|ICC|IFC|IFQ|ITC|MEP)\b|\b(MI:SFQ|RP:TRC|RP:QRC)\b",
)
_THEIR_DOMAIN = r"(recipient|destination|remote|target|receiving) domain"
#: Exchange: this mailbox or group takes mail from its own people only.
_THEIR_SENDERS = ("7.12", "7.13", "7.124", "7.133", "7.134", "7.135", "7.136")
#: SPF, DKIM, reverse DNS and null MX of whoever sends (RFC 7372, RFC 7505).
_SENDERS_PROOFS = ("7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.27")
_CLOSING = frozenset({421})
_4YZ = frozenset(range(400, 500))
_MAIL = frozenset({Stage.MAIL})
_RCPT = frozenset({Stage.RCPT})
_DATA = frozenset({Stage.DATA})
_CONTENT = frozenset({Stage.DATA, Stage.END_OF_DATA})

RULES: tuple[Rule, ...] = (
    # Ours by name, whatever the code says.
    Rule(
        blame=Blame.SERVER,
        is_transient=True,
        overload=Overload.SERVER,
        words=any_of(r"quota exceeded for (the )?sender"),
    ),
    # Sizes and mailboxes, before their quotas are taken for ours.
    Rule(blame=Blame.MESSAGE, stages=_MAIL | _CONTENT, enhanced=("3.4", "2.3")),
    Rule(blame=Blame.MESSAGE, stages=_MAIL, codes=frozenset({552})),
    # SMTPUTF8 or 8BITMIME that this message needs (RFC 6531, 3.5): others may do without.
    Rule(blame=Blame.MESSAGE, stages=_MAIL, enhanced=("6.",)),
    Rule(blame=Blame.RECIPIENT, stages=_RCPT | _CONTENT, enhanced=("2.2",)),
    Rule(blame=Blame.RECIPIENT, stages=_RCPT, enhanced=_THEIR_SENDERS),
    # A mailbox that gets too much, from whomever. QQ says 550 and means "later".
    Rule(blame=Blame.RECIPIENT, words=any_of(r"user .{0,40}receiving \w+ (too quickly|at a rate)")),
    Rule(
        blame=Blame.RECIPIENT,
        is_transient=True,
        words=any_of(r"mailbox unavailable or access den"),
    ),
    Rule(blame=Blame.RECIPIENT, stages=_RCPT, words=_FEWER),
    # Our pace to one recipient domain, as a relay holds it.
    Rule(
        blame=Blame.RECIPIENT,
        is_transient=True,
        overload=Overload.DOMAIN,
        words=any_of(
            rf"{_THEIR_DOMAIN} .{{0,60}}(rate|limit|throttl|too (many|fast|quickly))",
            rf"(rate|limit|too many \w+) .{{0,40}}(of|for|to|per) (\w+ )?{_THEIR_DOMAIN}",
        ),
    ),
    # This connection has had its share; another one is welcome at once.
    Rule(
        blame=Blame.SESSION,
        words=any_of(
            r"\b(MI:DMC|RP:DRC|MI:CEL|RP:CEL|MI:CCL|RP:CCL)\b",
            r"max(imum)? (number of )?(messages?|mails?|transactions?) per (connection|session)",
            r"too many (messages|mails|recipients|transactions) (in|on|for|per) "
            r"(this|one|a|the same) (connection|session)",
            r"session (message )?limit|limit (for|of|in|per) (this |a |one )?session",
        ),
    ),
    # "Too many" where none is named yet: it is those before, in this session (OpenSMTPD).
    Rule(
        blame=Blame.SESSION,
        stages=_MAIL,
        codes=_4YZ,
        enhanced=("5.3",),
        words=any_of(
            r"too many (messages|mails|transactions)\b(?!.*(hour|day|minute|received|from))"
        ),
    ),
    # The server closes this connection (RFC 5321, 3.8); another may be welcome, sooner or later.
    Rule(blame=Blame.SESSION, overload=Overload.SERVER, codes=_CLOSING, words=any_of(*_LOAD)),
    Rule(blame=Blame.SESSION, codes=_CLOSING),
    Rule(blame=Blame.SESSION, codes=_4YZ, enhanced=("4.2",)),
    # Login wanted, too weak or gone stale (RFC 4954, 6), at whatever stage it comes out.
    Rule(blame=Blame.SERVER, codes=frozenset({530, 534, 535, 538})),
    Rule(blame=Blame.SERVER, enhanced=("7.8",), words=any_of("auth|credential|password|login")),
    Rule(blame=Blame.SERVER, enhanced=("7.11", *_SENDERS_PROOFS)),
    # An account's own limits, or a server under load.
    Rule(
        blame=Blame.SERVER,
        is_transient=True,
        overload=Overload.SERVER,
        words=any_of(*_LOAD),
    ),
    Rule(
        blame=Blame.SERVER,
        overload=Overload.SERVER,
        codes=_4YZ,
        enhanced=("3.1", "4.5", "7.28", "7.500", "7.650", "7.651"),
    ),
    # What is wrong with From's domain or with our address is wrong for everybody.
    Rule(
        blame=Blame.SERVER,
        words=any_of(
            r"\b(SPF|DKIM|DMARC)\b.{0,60}(fail|pass|reject|verif|policy)",
            r"(fail|pass|reject)\w* .{0,60}\b(SPF|DKIM|DMARC)\b",
            r"sender is unauthenticated|unauthenticated (senders?|e?-?mail)",
            r"reverse dns|\bPTR record",
            r"banned (sending ip|sender)|traffic not accepted|spam abuse detected",
            r"suspected (spam (ip|sender)|bounce attacks)|bad outbound sender",
            r"tenant has exceeded|client blocked from sending",
            r"permanently deferred|connections (will )?not (be )?accepted from",
        ),
    ),
    # MAIL: reverse-path and account are the same for everybody.
    Rule(blame=Blame.SERVER, stages=_MAIL),
    # RCPT: what is about us and not about the address.
    Rule(
        blame=Blame.SERVER,
        stages=_RCPT,
        words=any_of(
            r"relay(ing)? (access )?(denied|not permitted|not allowed|prohibited)",
            r"(unable|not permitted|not allowed|cannot|refus\w+) to relay",
            r"we do not relay|(in)?valid credentials for relay|not authorized to relay",
            r"authenticat\w+ (is )?required|must (be )?(login|log in|authenticate)",
            r"auth\w* required",
            r"sender verify|sender address .{0,3}rejected|helo command rejected",
            r"(client host|your ip|ip address)\W.{0,80}(blocked|rejected|denied|listed)",
            r"client host .{0,80}(blocked|rejected|denied|listed)",
            r"blocked using|\bbl(ack|ock) ?list|spamhaus|poor reputation|allowed rcpthosts",
            r"your account (is|has been) (\w+ )?(disabled|suspended|blocked|locked)",
        ),
    ),
    # "Need MAIL" behind a MAIL that was taken: it has lost the thread.
    Rule(blame=Blame.SESSION, is_transient=True, codes=frozenset({503}), stages=_RCPT),
    # Postfix says the same of an address that it does not serve, and to all who have not logged in:
    # so many in a row end its use (`stop_after`) before the list is burnt.
    Rule(
        blame=Blame.MESSAGE,
        stages=_RCPT,
        enhanced=("7.1",),
        words=any_of(r"recipient address rejected: access denied"),
    ),
    Rule(blame=Blame.RECIPIENT, stages=_RCPT),
    # DATA and the end of data: what is about the account, or the recipient, and not the message.
    Rule(
        blame=Blame.SERVER,
        is_transient=False,
        stages=_CONTENT,
        words=any_of(
            r"not (have )?(permi(tted|ssions?)|allowed|authorized) to send (as|from)|SendAsDenied",
            r"sender (address )?(rejected|denied|not allowed)|not owned by",
            r"account (is |has been )?(temporarily )?(disabled|suspended|blocked|locked)",
            r"sending (paused|suspended)|verified sender identity",
            r"mail sending denied|(address|identit\w+|domain) (is|are) not verified",
            r"access denied: user",
        ),
    ),
    Rule(
        blame=Blame.RECIPIENT,
        stages=_CONTENT,
        words=any_of(
            r"user doesn't have|mailbox not found|no such (user|mailbox)|user unknown",
            r"is no longer valid|mailbox (is )?(disabled|full)|over quota",
            r"too many (\w+ ){0,2}(messages|mails|e-?mails) in (the |this |their |user's )?\w*box",
            r"rejected by recipients?",
        ),
    ),
    Rule(blame=Blame.SERVER, codes=_4YZ, stages=_CONTENT, enhanced=("3.",)),
    # "Bad sequence" behind a RCPT that was taken: it has lost the thread. So has one that does not
    # know DATA: nothing of the message was seen.
    Rule(blame=Blame.SESSION, is_transient=True, codes=frozenset({503}), stages=_CONTENT),
    Rule(
        blame=Blame.SESSION,
        is_transient=True,
        codes=frozenset({500, 502}),
        stages=_DATA,
        words=any_of(
            r"(un|not )recogni[sz]ed|(un|not )implemented|not understood|syntax error",
            r"(unknown|invalid|bad|illegal) command",
        ),
    ),
    Rule(blame=Blame.MESSAGE, stages=_CONTENT),
)


@lru_cache(maxsize=_KNOWN)
def judge(stage: Stage, reply: Reply) -> Judgement:
    """Who is to blame for a refusal, whether it may work later, and who is to slow down."""
    for rule in RULES:
        if rule.fits(stage, reply):
            transient = reply.is_transient if rule.is_transient is None else rule.is_transient
            return Judgement(rule.blame, transient, rule.overload)
    return Judgement(Blame.SESSION, not reply.is_permanent)


@lru_cache(maxsize=_KNOWN)
def wants_fewer(reply: Reply) -> bool:
    """Whether a recipient was refused for being one too many in its transaction."""
    if reply.is_positive:
        return False
    # X.5.3 is "too many recipients" (RFC 3463), and some say it of an hour or a day.
    is_code = str(reply.enhanced).endswith(".5.3") and not said(any_of(*_LOAD), reply.text)
    return is_code or said(_FEWER, reply.text)
