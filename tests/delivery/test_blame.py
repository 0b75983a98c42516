"""Real replies, and whom they are about. Source in the id: the server that says so."""

import pytest

from bulkmail.delivery.blame import judge
from bulkmail.outcome import Blame
from bulkmail.smtp.reply import ReplyParser
from bulkmail.smtp.stage import Stage

RECIPIENT, MESSAGE, SESSION, SERVER = (
    Blame.RECIPIENT,
    Blame.MESSAGE,
    Blame.SESSION,
    Blame.SERVER,
)

REPLIES = [
    # MAIL
    ("postfix", Stage.MAIL, "530 5.7.0 Must issue a STARTTLS command first", SERVER, False),
    ("postfix", Stage.MAIL, "552 5.3.4 Message size exceeds fixed limit", MESSAGE, False),
    ("postfix", Stage.MAIL, "452 4.3.1 Insufficient system storage", SERVER, True),
    ("postfix", Stage.MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", SERVER, True),
    ("exchange", Stage.MAIL, "530 5.7.57 Client not authenticated to send mail", SERVER, False),
    ("qq", Stage.MAIL, "501 Mail from address must be same as authorization user", SERVER, False),
    ("163", Stage.MAIL, "553 Mail from must equal authorized user", SERVER, False),
    (
        "gmail",
        Stage.MAIL,
        "530 5.7.0 Authentication Required. https://support.google.com/mail",
        SERVER,
        False,
    ),
    # RCPT
    (
        "postfix",
        Stage.RCPT,
        (
            "550 5.1.1 <a@b.example>: Recipient address rejected: User unknown "
            "in virtual mailbox table"
        ),
        RECIPIENT,
        False,
    ),
    ("postfix", Stage.RCPT, "554 5.7.1 <a@b.example>: Relay access denied", SERVER, False),
    ("postfix", Stage.RCPT, "454 4.7.1 <a@b.example>: Relay access denied", SERVER, True),
    (
        "postfix",
        Stage.RCPT,
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        SERVER,
        False,
    ),
    (
        "postfix",
        Stage.RCPT,
        "554 5.7.1 <a@b.example>: Recipient address rejected: Access denied",
        RECIPIENT,
        False,
    ),
    (
        "postgrey",
        Stage.RCPT,
        "450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted",
        RECIPIENT,
        True,
    ),
    ("exim", Stage.RCPT, "550 relay not permitted", SERVER, False),
    ("exim", Stage.RCPT, "451 Temporary local problem - please try later", RECIPIENT, True),
    (
        "exchange",
        Stage.RCPT,
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        SERVER,
        False,
    ),
    (
        "exchange",
        Stage.RCPT,
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
        RECIPIENT,
        False,
    ),
    (
        "gmail",
        Stage.RCPT,
        "552 5.2.2 The email account that you tried to reach is over quota",
        RECIPIENT,
        False,
    ),
    ("gmail", Stage.RCPT, "550 5.4.5 Daily user sending limit exceeded.", SERVER, True),
    (
        "yahoo",
        Stage.RCPT,
        "554 delivery error: dd This user doesn't have a yahoo.com account",
        RECIPIENT,
        False,
    ),
    ("smtp-sink", Stage.RCPT, "500 Error: command failed", RECIPIENT, False),
    # DATA and the end of data
    ("any", Stage.DATA, "421 4.3.2 Service shutting down", SESSION, True),
    (
        "gmail",
        Stage.END_OF_DATA,
        (
            "552 5.7.0 This message was blocked because its content presents "
            "a potential security issue"
        ),
        MESSAGE,
        False,
    ),
    ("163", Stage.END_OF_DATA, "554 DT:SPM 163 smtp1,GdxpCgD3", MESSAGE, False),
    ("qq", Stage.END_OF_DATA, "550 Mail content denied", MESSAGE, False),
    ("qq", Stage.END_OF_DATA, "550 Ip frequency limited", SERVER, True),
    (
        "exchange",
        Stage.END_OF_DATA,
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        SERVER,
        False,
    ),
    (
        "exchange",
        Stage.END_OF_DATA,
        "554 5.2.0 STOREDRV.Submission.Exception: Submission quota exceeded",
        SERVER,
        True,
    ),
    (
        "ses",
        Stage.END_OF_DATA,
        "454 Throttling failure: Maximum sending rate exceeded.",
        SERVER,
        True,
    ),
    (
        "ses",
        Stage.END_OF_DATA,
        "454 Throttling failure: Daily message quota exceeded.",
        SERVER,
        True,
    ),
    ("postfix", Stage.END_OF_DATA, "451 4.3.0 Error: queue file write error", MESSAGE, True),
]


@pytest.mark.parametrize(
    ("stage", "text", "blame", "is_transient"),
    [row[1:] for row in REPLIES],
    ids=[f"{who}-{stage}-{text[:12]}-{n}" for n, (who, stage, text, *_) in enumerate(REPLIES)],
)
def test_a_refusal_has_one_to_blame(
    stage: Stage, text: str, blame: Blame, is_transient: bool
) -> None:
    (reply,) = ReplyParser().feed(text.encode() + b"\r\n")

    assert judge(stage, reply) == (blame, is_transient)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_login_refusal_is_never_the_recipients(stage: Stage, code: int) -> None:
    (reply,) = ReplyParser().feed(f"{code} no\r\n".encode())

    assert judge(stage, reply)[0] is SERVER
