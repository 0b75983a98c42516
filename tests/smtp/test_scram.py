"""SCRAM-SHA-256, with the example of RFC 7677 and servers that cheat."""

import hashlib
import re

import pytest

from bulkmail.errors import AuthenticationFailed, DialogueMisuse
from bulkmail.secret import Secret
from bulkmail.smtp import sasl, scram

PASSWORD = "pencil"
# RFC 7677, 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = NONCE + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
SERVER_FIRST = f"r={SERVER_NONCE},s={SALT},i=4096"
CLIENT_FINAL = f"c=biws,r={SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def begun(username: str = "user", password: str = PASSWORD, nonce: str = NONCE) -> sasl.Mechanism:
    return sasl.begin("SCRAM-SHA-256", username, Secret(password), nonce=nonce)


def given_server_first(message: str | bytes) -> sasl.Mechanism:
    mechanism = begun()
    next(mechanism)
    mechanism.send(message if isinstance(message, bytes) else message.encode())
    return mechanism


def test_the_example_of_rfc_7677() -> None:
    mechanism = begun()

    assert next(mechanism) == f"n,,n=user,r={NONCE}".encode()
    assert mechanism.send(SERVER_FIRST.encode()) == CLIENT_FINAL.encode()
    assert mechanism.send(SERVER_FINAL.encode()) == b""
    sasl.conclude(mechanism)


def test_commas_and_equals_signs_in_the_user_name_are_escaped() -> None:
    # RFC 5802, 5.1.
    assert next(begun("a=b,c")) == f"n,,n=a=3Db=2Cc,r={NONCE}".encode()


def test_user_name_and_password_are_prepared() -> None:
    # RFC 4013, 3: the soft hyphen is nothing, the Roman numeral nine is IX.
    mechanism = begun("I\u00adX", "p\u00adencil")

    assert next(mechanism) == f"n,,n=IX,r={NONCE}".encode()
    plain = begun("IX", "pencil")
    next(plain)
    assert mechanism.send(SERVER_FIRST.encode()) == plain.send(SERVER_FIRST.encode())


def test_extensions_of_the_server_are_passed_over() -> None:
    mechanism = begun()
    next(mechanism)

    final = mechanism.send(f"{SERVER_FIRST},x=y".encode())

    assert final is not None
    assert final.startswith(f"c=biws,r={SERVER_NONCE},p=".encode())


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="empty"),
        pytest.param("v=" + SALT, id="the final one first"),
        pytest.param("m=ext," + SERVER_FIRST, id="a mandatory extension"),
        pytest.param(f"r={SERVER_NONCE},s={SALT}", id="no iterations"),
        pytest.param(f"r={SERVER_NONCE},s=,i=4096", id="no salt"),
        pytest.param(f"r={SERVER_NONCE},s=W22,i=4096", id="salt is not base64"),
        pytest.param(f"r={SERVER_NONCE},s=W2 2Z!,i=4096", id="salt with what base64 has not"),
        pytest.param(f"r={SERVER_NONCE},s=ü,i=4096", id="salt is not ASCII"),
        pytest.param(f"r={SERVER_NONCE},s={SALT},i=-1", id="negative"),
        pytest.param(f"r={SERVER_NONCE},s={SALT},i=4e3", id="no number"),
        pytest.param(f"r={SERVER_NONCE},s={SALT},i=٤٠٩٦", id="digits of another script"),
        pytest.param(f"r={SERVER_NONCE},s={SALT},i=" + "9" * 5000, id="endless number"),
        pytest.param(f"r={NONCE} x,s={SALT},i=4096", id="a space in the nonce"),
        pytest.param(b"r=\xff", id="not UTF-8"),
    ],
)
def test_a_malformed_first_message_is_refused(message: str | bytes) -> None:
    with pytest.raises(AuthenticationFailed, match="malformed"):
        given_server_first(message)


@pytest.mark.parametrize(
    "nonce", [NONCE, "x" + SERVER_NONCE, SERVER_NONCE.swapcase(), "other"], ids=str
)
def test_a_nonce_that_does_not_extend_ours_is_refused(nonce: str) -> None:
    with pytest.raises(AuthenticationFailed, match="nonce"):
        given_server_first(f"r={nonce},s={SALT},i=4096")


@pytest.mark.parametrize("iterations", [0, scram.MAX_ITERATIONS + 1, 9_999_999_999])
def test_a_server_cannot_burn_our_time(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(*_: object) -> None:
        pytest.fail("it would be computed")

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", burn)

    with pytest.raises(AuthenticationFailed, match=f"asks for {iterations} "):
        given_server_first(f"r={SERVER_NONCE},s={SALT},i={iterations}")


def test_one_iteration_is_enough() -> None:
    given_server_first(f"r={SERVER_NONCE},s={SALT},i=1")


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    mechanism = given_server_first(SERVER_FIRST)

    with pytest.raises(AuthenticationFailed, match="did not prove"):
        mechanism.send(SERVER_FINAL.replace("6rri", "7rri").encode())


def test_a_server_that_skips_its_proof_is_found_out() -> None:
    mechanism = given_server_first(SERVER_FIRST)

    with pytest.raises(AuthenticationFailed):
        sasl.conclude(mechanism)


def test_a_server_that_skips_the_exchange_is_found_out() -> None:
    mechanism = begun()
    next(mechanism)

    with pytest.raises(AuthenticationFailed):
        sasl.conclude(mechanism)


@pytest.mark.parametrize("message", ["", "v=", "v=6rri", "v=" + SALT, "x=" + SALT, "ü"])
def test_a_malformed_final_message_is_refused(message: str) -> None:
    mechanism = given_server_first(SERVER_FIRST)

    with pytest.raises(AuthenticationFailed):
        mechanism.send(message.encode())


def test_an_error_of_the_server_is_named() -> None:
    mechanism = given_server_first(SERVER_FIRST)

    with pytest.raises(AuthenticationFailed, match=re.escape("refused the login: invalid-proof")):
        mechanism.send(b"e=invalid-proof")


def test_an_error_instead_of_the_first_message_is_named() -> None:
    with pytest.raises(AuthenticationFailed, match="unknown-user"):
        given_server_first("e=unknown-user")


def test_an_error_is_shown_without_what_acts_on_a_terminal() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        given_server_first("e=bad\x1b[2J")

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "ü", "a\n"])
def test_a_nonce_that_would_break_the_message_is_a_misuse(nonce: str) -> None:
    with pytest.raises(DialogueMisuse):
        next(begun(nonce=nonce))


def test_the_password_is_in_no_message() -> None:
    mechanism = begun()

    said = [next(mechanism), mechanism.send(SERVER_FIRST.encode())]

    assert all(message is not None and b"pencil" not in message for message in said)
