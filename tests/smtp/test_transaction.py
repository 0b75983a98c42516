"""A transaction's opening, and what became of it."""

import pytest

from bulkmail.errors import MessageRefusedLocally
from bulkmail.smtp.commands import Mail, Rcpt
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult, opening

ENVELOPE = Envelope("from@x.example", ("a@x.example", "b@x.example"))
ABROAD = Envelope("from@x.example", ("ü@x.example",))


def offering(*lines: str) -> Extensions:
    return Extensions.parse(Reply(250, ("mx.example", *lines)))


def test_a_bare_server_gets_bare_commands() -> None:
    assert opening(ENVELOPE, size=10, extensions=Extensions()) == (
        Mail("from@x.example"),
        Rcpt("a@x.example"),
        Rcpt("b@x.example"),
    )


@pytest.mark.parametrize("line", ["SIZE", "SIZE 0", "SIZE 10", "SIZE garbage"])
def test_size_is_given_where_the_server_knows_it(line: str) -> None:
    mail, *_ = opening(ENVELOPE, size=10, extensions=offering(line))

    assert mail == Mail("from@x.example", size=10)


def test_a_message_that_is_too_large_is_refused_before_a_byte_is_sent() -> None:
    with pytest.raises(MessageRefusedLocally, match=r"11 bytes.* 10 at most"):
        opening(ENVELOPE, size=11, extensions=offering("SIZE 10"))


def test_an_address_beyond_ascii_asks_for_smtputf8() -> None:
    mail, *rcpts = opening(ABROAD, size=10, extensions=offering("SMTPUTF8"))

    assert mail == Mail("from@x.example", smtputf8=True)
    assert rcpts == [Rcpt("ü@x.example")]


def test_an_address_beyond_ascii_is_refused_where_smtputf8_is_not_offered() -> None:
    with pytest.raises(MessageRefusedLocally, match=r"the address \S+@\S+ .*SMTPUTF8"):
        opening(ABROAD, size=10, extensions=offering("8BITMIME"))


@pytest.mark.parametrize(
    ("reverse_path", "forward_path", "reach"),
    [("ü@x.example", "a@y.example", "sender"), ("ü@x.example", "ö@y.example", "recipient")],
)
def test_a_refusal_for_want_of_smtputf8_says_whose_address_it_is(
    reverse_path: str, forward_path: str, reach: str
) -> None:
    with pytest.raises(MessageRefusedLocally) as caught:
        opening(Envelope(reverse_path, (forward_path,)), size=10, extensions=offering())

    assert caught.value.reach == reach


def test_a_refusal_for_want_of_smtputf8_says_that_it_is_a_copy_s() -> None:
    envelope = Envelope("from@x.example", ("a@x.example", "b@x.example", "ö@y.example"))

    with pytest.raises(MessageRefusedLocally, match=r"^ö@y\.example, one of its cc or bcc, is"):
        opening(envelope, size=10, extensions=offering())


def test_smtputf8_is_not_asked_for_without_need() -> None:
    mail, *_ = opening(ENVELOPE, size=10, extensions=offering("SMTPUTF8", "8BITMIME"))

    assert mail == Mail("from@x.example")


def test_8bit_content_is_announced() -> None:
    mail, *_ = opening(ENVELOPE, size=10, extensions=offering("8BITMIME"), is_8bit=True)

    assert mail == Mail("from@x.example", is_8bit=True)


def test_8bit_content_is_refused_where_8bitmime_is_not_offered() -> None:
    with pytest.raises(MessageRefusedLocally, match="8BITMIME"):
        opening(ENVELOPE, size=10, extensions=offering("SMTPUTF8"), is_8bit=True)


def test_a_recipient_named_twice_is_given_once() -> None:
    envelope = Envelope("", ("a@x.example", "b@x.example", "a@x.example"))

    assert opening(envelope, size=10, extensions=Extensions()) == (
        Mail(""),
        Rcpt("a@x.example"),
        Rcpt("b@x.example"),
    )


def test_an_envelope_without_recipients_is_refused() -> None:
    with pytest.raises(MessageRefusedLocally, match="recipient"):
        opening(Envelope("", ()), size=10, extensions=Extensions())


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (ENVELOPE, False),
        (ABROAD, True),
        (Envelope("ü@x.example", ("a@x.example",)), True),
        (Envelope("", ("a@x.example", "ü@x.example")), True),
    ],
)
def test_an_envelope_needs_smtputf8_for_any_path_beyond_ascii(
    envelope: Envelope, *, expected: bool
) -> None:
    assert envelope.needs_smtputf8 is expected


OK, GO_ON, LATER, NEVER = Reply(250, ()), Reply(354, ()), Reply(450, ()), Reply(550, ())


@pytest.mark.parametrize(
    ("result", "decisive"),
    [
        pytest.param(TransactionResult(), None, id="no reply"),
        pytest.param(TransactionResult(mail=NEVER), (Stage.MAIL, NEVER), id="MAIL refused"),
        pytest.param(
            TransactionResult(mail=LATER, recipients={"a": NEVER}, data=NEVER),
            (Stage.MAIL, LATER),
            id="MAIL refused, the group behind it too",
        ),
        pytest.param(TransactionResult(mail=OK, recipients={"a": OK}), None, id="cut off"),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": NEVER, "b": OK}),
            (Stage.RCPT, NEVER),
            id="the row's own address refused",
        ),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": NEVER}, data=GO_ON, end_of_data=LATER),
            (Stage.RCPT, NEVER),
            id="all refused and a lone dot",
        ),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": OK, "b": LATER}, data=LATER),
            (Stage.DATA, LATER),
            id="DATA refused",
        ),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": OK}, data=GO_ON), None, id="in doubt"
        ),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": OK}, data=GO_ON, end_of_data=NEVER),
            (Stage.END_OF_DATA, NEVER),
            id="content refused",
        ),
        pytest.param(
            TransactionResult(
                mail=OK, recipients={"a": OK, "b": NEVER}, data=GO_ON, end_of_data=OK
            ),
            (Stage.END_OF_DATA, OK),
            id="accepted without a cc",
        ),
        pytest.param(
            TransactionResult(mail=OK, recipients={"a": OK}, end_of_data=OK),
            (Stage.END_OF_DATA, OK),
            id="accepted without DATA, by BDAT",
        ),
    ],
)
def test_the_decisive_reply_is_the_first_refusal_or_the_last_word(
    result: TransactionResult, decisive: tuple[Stage, Reply] | None
) -> None:
    assert result.decisive == decisive


@pytest.mark.parametrize(
    ("end_of_data", "expected"), [(None, False), (OK, True), (LATER, False), (NEVER, False)]
)
def test_accepted_is_2yz_to_the_end_of_data(end_of_data: Reply | None, *, expected: bool) -> None:
    assert TransactionResult(end_of_data=end_of_data).is_accepted is expected


def test_the_refused_keep_their_replies() -> None:
    result = TransactionResult(recipients={"a": OK, "b": LATER, "c": NEVER})

    assert result.refused == {"b": LATER, "c": NEVER}
