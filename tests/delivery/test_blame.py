"""Real replies, and whom they are about: replies.csv has them, each with its source."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from bulkmail.delivery.blame import RULES, Judgement, judge, wants_fewer
from bulkmail.outcome import Blame, Overload
from bulkmail.smtp.reply import Reply, ReplyParser
from bulkmail.smtp.stage import Stage

with Path(__file__).with_name("replies.csv").open(encoding="utf-8", newline="") as file:
    REPLIES = list(csv.DictReader(file))
SERVERS = {"postfix", "exim", "exchange", "gmail", "yahoo", "qq", "163", "ses", "sendgrid"}
CONGESTION = ("3.1", "4.5", "7.28", "7.500", "7.650", "7.651")
RELAY_SLOWS_US = Judgement(Blame.RECIPIENT, is_transient=True, overload=Overload.DOMAIN)


def parsed(text: str) -> Reply:
    (reply,) = ReplyParser().feed(f"{text}\r\n".encode())
    return reply


@pytest.mark.parametrize(
    "row", REPLIES, ids=[f"{row['server']}-{row['stage']}-{row['reply'][:40]}" for row in REPLIES]
)
def test_a_refusal_has_one_to_blame(row: dict[str, str]) -> None:
    expected = Judgement(
        Blame(row["blame"]),
        row["is_transient"] == "yes",
        Overload(row["overload"]) if row["overload"] else None,
    )

    assert judge(Stage(row["stage"]), parsed(row["reply"])) == expected


def test_the_table_is_wide_enough() -> None:
    by_server = Counter(row["server"] for row in REPLIES)

    assert len(REPLIES) >= 80
    assert all(by_server[server] >= 5 for server in SERVERS), by_server
    assert all(row["source"] for row in REPLIES)
    assert len({(row["stage"], row["reply"]) for row in REPLIES}) == len(REPLIES)


def test_every_rule_has_a_reply_that_it_decides() -> None:
    """But those for relays that hold a pace to each domain, stale logins, and bare 4.4.5."""
    decided = {
        next(i for i, rule in enumerate(RULES) if rule.fits(Stage(row["stage"]), reply))
        for row in REPLIES
        for reply in [parsed(row["reply"])]
    }

    idle = [rule for i, rule in enumerate(RULES) if i not in decided]
    assert [rule.enhanced for rule in idle] == [(), ("7.8",), CONGESTION]
    assert idle[0].overload is Overload.DOMAIN
    assert judge(Stage.RCPT, parsed("451 4.4.5 later")).overload is Overload.SERVER


@pytest.mark.parametrize(
    "text",
    [
        "451 4.7.1 Rate limit for the recipient domain b.example reached, try later",
        "450 4.4.5 Too many messages to this destination domain",
        "452 4.7.1 The destination domain is being throttled",
    ],
)
def test_a_pace_to_a_domain_is_the_domains(text: str) -> None:
    assert judge(Stage.RCPT, parsed(text)) == RELAY_SLOWS_US


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.END_OF_DATA])
@pytest.mark.parametrize(
    "text",
    [
        "550 发送频率过快，请稍后再试",
        "450 4.7.1 发送过于频繁",
        "550 5.7.1 超过每日发送限制",
        "554 今日发信数量已达上限",
        "554-请求被拒绝\r\n554 连接过多",
        "550 您的邮箱发送频率超限",
        "554 您的邮箱今日发信配额已满",
        "550 Zu viele Nachrichten, bitte später",
        "450 4.7.0 Sendelimit erreicht",
        "550 Ihr Tageslimit ist erreicht",
        "550 Trop de messages, réessayez plus tard",
        "451 4.7.1 Limite d'envoi atteinte",
        "550 Demasiados mensajes por hora",
        "550 5.7.1 Límite de envío excedido",
        "550 Das Versandlimit Ihres Postfachs ist erreicht",
    ],
)
def test_a_pace_is_heard_in_other_languages(text: str, stage: Stage) -> None:
    assert judge(stage, parsed(text)) == Judgement(
        Blame.SERVER, is_transient=True, overload=Overload.SERVER
    )


@pytest.mark.parametrize(
    "text",
    [
        "550 收件人邮箱已满",
        "550 用户不存在",
        "550 收件人接收频率过快",
        "550 Postfach voll",
        "550 Utilisateur inconnu",
        "550 Límite del buzón excedido",
        "552 Buzón lleno: demasiados mensajes",
        "550 Zu viele Nachrichten im Postfach",
        "550 Boîte pleine, trop de messages",
        "550 发送失败：对方邮箱超出配额",
        "550 发送失败，用户邮箱超过限制",
        "550 该用户接收邮件过于频繁",
        "550 发件人受限制，不能向该邮件组发信",
        "550 Postfach voll: zu viele Nachrichten",
        "550 Das Tageslimit des Empfängers ist erreicht",
        "550 La boîte du destinataire contient trop de messages",
        "550 Buzón lleno: cuota de mensajes excedida",
    ],
)
def test_what_other_languages_say_of_a_mailbox_is_the_recipients(text: str) -> None:
    assert judge(Stage.RCPT, parsed(text)).blame is Blame.RECIPIENT


@pytest.mark.parametrize(
    "text",
    [
        "552 too many messages in the mailbox",
        "552 Mailbox full: too many messages",
        "450 too many mails in user's inbox",
    ],
)
def test_what_is_said_of_messages_in_a_mailbox_is_no_pace(text: str) -> None:
    judgements = [judge(stage, parsed(text)) for stage in (Stage.RCPT, Stage.END_OF_DATA)]

    assert {judgement.blame for judgement in judgements} == {Blame.RECIPIENT}
    assert {judgement.overload for judgement in judgements} == {None}


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.END_OF_DATA])
@pytest.mark.parametrize("code", ["552 5.2.2", "452 4.2.2", "550", "554 5.7.1"])
def test_a_senders_quota_is_the_accounts_whatever_the_code(stage: Stage, code: str) -> None:
    judgement = judge(stage, parsed(f"{code} Quota exceeded for sender"))

    assert judgement == Judgement(Blame.SERVER, is_transient=True, overload=Overload.SERVER)


@pytest.mark.parametrize(
    "text",
    [
        "552 邮件大小超过发送限制",
        "554 发送附件大小超过上限",
        "552 La taille dépasse la limite d'envoi",
        "552 El tamaño supera el límite de envío",
        "552 发送的邮件大小超过限制",
        "554 附件大小超过发送上限",
        "552 Nachrichtengröße überschreitet das Sendelimit",
        "552 La taille du message dépasse la limite d'envoi",
        "552 El tamaño del mensaje supera el límite de envío",
        "552 Límite de envío: 25 MB",
    ],
)
def test_what_other_languages_say_of_a_size_is_the_messages(text: str) -> None:
    assert judge(Stage.END_OF_DATA, parsed(text)) == Judgement(Blame.MESSAGE, is_transient=False)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_login_refusal_is_never_the_recipients(stage: Stage, code: int) -> None:
    assert judge(stage, parsed(f"{code} no")).blame is Blame.SERVER


def test_stale_credentials_are_the_servers_whatever_the_code() -> None:
    reply = parsed("550 5.7.8 Authentication credentials have expired")

    assert judge(Stage.END_OF_DATA, reply).blame is Blame.SERVER
    assert judge(Stage.RCPT, parsed("523 5.7.11 Encryption needed")).blame is Blame.SERVER


def test_a_stage_that_no_row_speaks_of_is_the_sessions() -> None:
    assert judge(Stage.RSET, parsed("500 what")) == Judgement(Blame.SESSION, is_transient=False)
    assert judge(Stage.RSET, parsed("451 later")) == Judgement(Blame.SESSION, is_transient=True)


@pytest.mark.parametrize(
    ("text", "is_wanted"),
    [
        ("452 4.5.3 Error: too many recipients", True),
        ("552 5.5.3 Maximum limit of 50 recipients reached", True),
        ("452 4.5.3 please try this recipient in a separate transaction.", True),
        ("452 4.5.3 Enough for one message", True),
        ("452 4.5.3 Daily message limit exceeded", False),
        ("550 5.5.3 Too many recipients received this hour", False),
        ("451 4.3.0 Multiple destination domains per transaction is unsupported.", True),
        ("452 Too many recipients received this hour", False),
        ("450 4.7.1 Error: too many recipients from 192.0.2.1", False),
        ("550 5.1.1 User unknown", False),
        ("250 2.1.5 too many recipients would be bad", False),
    ],
)
def test_one_recipient_too_many_is_told_from_other_refusals(text: str, is_wanted: bool) -> None:
    assert wants_fewer(parsed(text)) is is_wanted
