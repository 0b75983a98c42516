"""Commands encode themselves, and nothing gets out of its field."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.errors import MessageRefusedLocally
from bulkmail.secret import Secret
from bulkmail.smtp.commands import (
    MAX_COMMAND_BYTES,
    Auth,
    AuthResponse,
    Command,
    Data,
    Ehlo,
    EndOfData,
    Greeting,
    Helo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)


@pytest.mark.parametrize(
    ("command", "encoded"),
    [
        (Greeting(), b""),
        (Ehlo("mx.example"), b"EHLO mx.example\r\n"),
        (Ehlo("[IPv6:2001:db8::1]"), b"EHLO [IPv6:2001:db8::1]\r\n"),
        (Helo("mx.example"), b"HELO mx.example\r\n"),
        (StartTls(), b"STARTTLS\r\n"),
        (Auth("LOGIN"), b"AUTH LOGIN\r\n"),
        (Auth("PLAIN", Secret("AGEAYg==")), b"AUTH PLAIN AGEAYg==\r\n"),
        (Auth("PLAIN", Secret("")), b"AUTH PLAIN =\r\n"),
        (AuthResponse(Secret("AGEAYg==")), b"AGEAYg==\r\n"),
        (AuthResponse(Secret("")), b"\r\n"),
        (AuthResponse(Secret("*")), b"*\r\n"),
        (Mail(""), b"MAIL FROM:<>\r\n"),
        (Mail("a@b.example"), b"MAIL FROM:<a@b.example>\r\n"),
        (Mail("a@b.example", size=0), b"MAIL FROM:<a@b.example> SIZE=0\r\n"),
        (
            Mail("ü@b.example", size=10, is_8bit=True, smtputf8=True),
            "MAIL FROM:<ü@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n".encode(),
        ),
        (Rcpt("a@b.example"), b"RCPT TO:<a@b.example>\r\n"),
        (Rcpt('"a > b\\" c"@b.example'), b'RCPT TO:<"a > b\\" c"@b.example>\r\n'),
        (Rcpt("a@[192.0.2.1]"), b"RCPT TO:<a@[192.0.2.1]>\r\n"),
        (Data(), b"DATA\r\n"),
        (EndOfData(), b".\r\n"),
        (Rset(), b"RSET\r\n"),
        (Noop(), b"NOOP\r\n"),
        (Vrfy("Ann Lee"), b"VRFY Ann Lee\r\n"),
        (Quit(), b"QUIT\r\n"),
    ],
    ids=lambda value: value.decode().strip() if isinstance(value, bytes) else "",
)
def test_a_command_is_encoded_as_the_rfc_says(command: Command, encoded: bytes) -> None:
    assert command.encode() == encoded


#: Every field of every command that takes text.
FIELDS: dict[str, Callable[[str], Command]] = {
    "EHLO": Ehlo,
    "HELO": Helo,
    "AUTH mechanism": Auth,
    "AUTH initial response": lambda text: Auth("PLAIN", Secret(text)),
    "AUTH response": lambda text: AuthResponse(Secret(text)),
    "MAIL": Mail,
    "RCPT": Rcpt,
    "VRFY": Vrfy,
}

UNFIT = {
    "CR": "\r",
    "LF": "\n",
    "CRLF and a command": "\r\nRCPT TO:<evil@x.example>",
    "NUL": "\0",
    "tab": "\t",
    "escape": "\x1b",
    "DEL": "\x7f",
    "NEL": "\x85",
    "lone surrogate": "\udcff",
}


@pytest.mark.parametrize("make", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("form", ["a{}", "{}a", "a{}b", '"a{}b"@x.example'])
def test_no_field_carries_a_control_character(
    make: Callable[[str], Command], unfit: str, form: str
) -> None:
    with pytest.raises(MessageRefusedLocally):
        make(form.format(unfit)).encode()


@pytest.mark.parametrize("make", FIELDS.values(), ids=FIELDS)
@given(text=st.text())
def test_whatever_a_field_holds_there_is_one_line_or_none(
    make: Callable[[str], Command], text: str
) -> None:
    try:
        encoded = make(text).encode()
    except MessageRefusedLocally:
        return
    assert encoded.endswith(b"\r\n")
    assert not {b"\r", b"\n", b"\0"} & {encoded[n : n + 1] for n in range(len(encoded) - 2)}


@pytest.mark.parametrize("make", [Mail, Rcpt])
@pytest.mark.parametrize(
    "path",
    [
        "a@b.example> SIZE=1",
        "a@b.example>,<c@b.example",
        "<a@b.example>",
        "a b@c.example",
        '"a@b.example',
        '"a"b" c"@d.example',
        "a\\@b.example",
        "a\u3000b@c.example",
    ],
)
def test_a_path_does_not_end_before_its_bracket(make: Callable[[str], Command], path: str) -> None:
    with pytest.raises(MessageRefusedLocally):
        make(path).encode()


@pytest.mark.parametrize("make", [Ehlo, Helo, Auth])
@pytest.mark.parametrize("word", ["", "a b", "ü.example"])
def test_a_word_is_one_word_of_ascii(make: Callable[[str], Command], word: str) -> None:
    with pytest.raises(MessageRefusedLocally):
        make(word).encode()


def test_a_recipient_has_an_address() -> None:
    with pytest.raises(MessageRefusedLocally):
        Rcpt("").encode()


@pytest.mark.parametrize("make", FIELDS.values(), ids=FIELDS)
def test_a_command_is_bounded(make: Callable[[str], Command]) -> None:
    with pytest.raises(MessageRefusedLocally, match="longer than"):
        make("a" * MAX_COMMAND_BYTES).encode()


@pytest.mark.parametrize(
    "command",
    [
        Auth("PLAIN", Secret("c2VjcmV0")),
        Auth("PLAIN", Secret("")),
        AuthResponse(Secret("c2VjcmV0")),
        AuthResponse(Secret("")),
    ],
)
def test_a_secret_is_neither_in_the_transcript_nor_in_the_repr(command: Command) -> None:
    assert "c2VjcmV0" not in command.masked() + repr(command)
    assert command.masked().endswith("********")


@pytest.mark.parametrize(
    "secret", ["c2VjcmV0\r\n", "c2VjcmV0 c2VjcmV0", "c2VjcmV0" * MAX_COMMAND_BYTES]
)
@pytest.mark.parametrize(
    "make", [lambda s: Auth("PLAIN", Secret(s)), lambda s: AuthResponse(Secret(s))]
)
def test_a_secret_is_not_in_the_error_that_refuses_it(
    make: Callable[[str], Command], secret: str
) -> None:
    with pytest.raises(MessageRefusedLocally) as caught:
        make(secret).encode()

    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "masked"),
    [
        (Ehlo("mx.example"), "EHLO mx.example"),
        (Auth("LOGIN"), "AUTH LOGIN"),
        (Auth("LOG\x1bIN"), "AUTH LOG\\x1bIN"),
        (AuthResponse(Secret("*")), "*"),
        (Mail("ü@b.example"), "MAIL FROM:<ü@b.example>"),
        (Rcpt("a\u202eb@c.example"), "RCPT TO:<a\\u202eb@c.example>"),
        (EndOfData(), "."),
        (Greeting(), ""),
    ],
)
def test_a_transcript_shows_the_command_without_effect(command: Command, masked: str) -> None:
    assert command.masked() == masked


@pytest.mark.parametrize(
    "command",
    [
        Greeting(),
        Ehlo("x"),
        Helo("x"),
        StartTls(),
        Auth("PLAIN"),
        AuthResponse(Secret("")),
        Data(),
        Noop(),
        Vrfy("x"),
        Quit(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_these_are_the_last_of_a_group(command: Command) -> None:
    # RFC 2920, 3.1; RFC 3207, 4 for STARTTLS; RFC 4954, 4 for AUTH.
    assert command.ends_group


@pytest.mark.parametrize(
    "command",
    [Mail(""), Rcpt("x"), Rset(), EndOfData()],
    ids=lambda command: type(command).__name__,
)
def test_these_may_stand_anywhere_in_a_group(command: Command) -> None:
    assert not command.ends_group
