"""The mechanisms, with the RFCs' own examples."""

import hmac

import pytest

from bulkmail.errors import AuthenticationFailed, DialogueMisuse
from bulkmail.secret import Secret
from bulkmail.smtp import sasl

NONCE = "rOprNGfwEbeRWgbNEkqO"
PASSWORD = "pencil"


def begun(
    name: str, *, username: str = "user", password: str = PASSWORD, initial_username: bool = False
) -> sasl.Mechanism:
    return sasl.begin(
        name, username, Secret(password), nonce=NONCE, initial_username=initial_username
    )


def responses(mechanism: sasl.Mechanism, *challenges: bytes) -> list[bytes | None]:
    """All it says to these challenges; it must have nothing more to say to the next one."""
    said = [next(mechanism), *map(mechanism.send, challenges)]
    with pytest.raises(StopIteration):
        mechanism.send(b"")
    return said


def test_plain_says_all_at_once() -> None:
    # RFC 4616, 4.
    assert responses(begun("PLAIN", username="tim", password="tanstaaftanstaaf")) == [
        b"\0tim\0tanstaaftanstaaf"
    ]


def test_plain_is_utf_8() -> None:
    assert responses(begun("PLAIN", username="张三", password="授权码")) == [
        "\0张三\0授权码".encode()
    ]


@pytest.mark.parametrize(("username", "password"), [("a\0b", "c"), ("a", "b\0c")])
def test_plain_carries_no_nul(username: str, password: str) -> None:
    with pytest.raises(AuthenticationFailed, match="NUL"):
        next(begun("PLAIN", username=username, password=password))


def test_login_waits_for_both_challenges() -> None:
    said = responses(begun("LOGIN"), b"Username:", b"Password:")

    assert said == [None, b"user", b"pencil"]


def test_login_heeds_no_wording() -> None:
    assert responses(begun("LOGIN"), b"", b"\xff") == [None, b"user", b"pencil"]


def test_login_gives_the_user_name_at_once_where_a_server_wants_that() -> None:
    assert responses(begun("LOGIN", initial_username=True), b"Password:") == [b"user", b"pencil"]


def test_login_gives_no_password_to_a_server_that_asks_for_the_user_name_again() -> None:
    said = responses(begun("LOGIN", initial_username=True), b"username:", b"Password:")

    assert said == [b"user", b"user", b"pencil"]


def test_cram_md5_signs_the_challenge() -> None:
    # RFC 2195, 2.
    said = responses(
        begun("CRAM-MD5", username="tim", password="tanstaaftanstaaf"),
        b"<1896.697170952@postoffice.reston.mci.net>",
    )

    assert said == [None, b"tim b913a602c7eda7a495b4e6e7334d3890"]


def test_cram_md5_without_md5_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hmac, "new", forbidden)
    mechanism = begun("CRAM-MD5")
    next(mechanism)

    with pytest.raises(AuthenticationFailed, match="MD5"):
        mechanism.send(b"<1@x.example>")


def test_xoauth2_says_all_at_once() -> None:
    # Google's documentation of the mechanism.
    mechanism = begun(
        "XOAUTH2",
        username="someuser@example.com",
        password="ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
    )

    assert next(mechanism) == (
        b"user=someuser@example.com\x01"
        b"auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    )


def test_xoauth2_answers_an_error_with_nothing() -> None:
    error = b'{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}'

    assert responses(begun("XOAUTH2", username="u", password="t"), error)[1:] == [b""]


@pytest.mark.parametrize(("username", "password"), [("a\x01b", "c"), ("a", "b\x01c")])
def test_xoauth2_carries_no_separator_of_its_own(username: str, password: str) -> None:
    with pytest.raises(AuthenticationFailed):
        next(begun("XOAUTH2", username=username, password=password))


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "SCRAM-SHA-256"])
@pytest.mark.parametrize("where", ["username", "password"])
def test_what_is_not_utf_8_is_refused_without_the_secret(name: str, where: str) -> None:
    given = {"username": "ann", "password": "hush", where: "cheese\udcff"}
    mechanism = begun(name, username=given["username"], password=given["password"])

    with pytest.raises(AuthenticationFailed) as caught:
        list(mechanism)

    assert "cheese" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_mechanism_nobody_knows_is_a_misuse() -> None:
    with pytest.raises(DialogueMisuse, match="GSSAPI"):
        begun("GSSAPI")


ALL = ("LOGIN", "PLAIN", "XOAUTH2", "CRAM-MD5", "GSSAPI", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("auto", ALL, ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")),
        ("auto", ("LOGIN", "PLAIN"), ("PLAIN", "LOGIN")),
        ("auto", ("login",), ("LOGIN",)),
        ("auto", ("XOAUTH2", "GSSAPI"), ()),
        ("auto", (), ()),
        ("login", ALL, ("LOGIN",)),
        ("LOGIN", ALL, ("LOGIN",)),
        ("xoauth2", ALL, ("XOAUTH2",)),
        ("cram-md5", ALL, ("CRAM-MD5",)),
        ("scram-sha-256", ALL, ("SCRAM-SHA-256",)),
        ("scram-sha-256", ("PLAIN",), ()),
        ("gssapi", ALL, ()),
    ],
)
def test_candidates_are_known_offered_and_wanted(
    wanted: str, offered: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert sasl.candidates(wanted, offered) == expected


@pytest.mark.parametrize("name", sasl.candidates("auto", ALL) + sasl.candidates("xoauth2", ALL))
def test_every_candidate_can_begin(name: str) -> None:
    next(begun(name))


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"])
def test_235_is_the_last_word_to_a_mechanism_without_mutual_proof(name: str) -> None:
    mechanism = begun(name)
    next(mechanism)

    sasl.conclude(mechanism)
