from base64 import b64decode, b64encode
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.errors import AuthenticationFailed
from bulkmail.secret import Secret
from bulkmail.sink.scram import ScramExchange, ScramKeys
from bulkmail.smtp.scram import scram_sha_256

# RFC 7677, 3.
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
KEYS = ScramKeys.derive(Secret("pencil"), SALT)


def exchange(username: str = "user") -> ScramExchange:
    return ScramExchange(username, KEYS, NONCE)


def test_the_example_of_the_rfc() -> None:
    login = exchange()

    assert login.first(FIRST) == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert login.final(FINAL) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_an_unknown_user_is_refused_like_a_wrong_password_at_the_end() -> None:
    login = exchange("another")

    assert login.first(FIRST) is not None
    assert login.final(FINAL) is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"p=tls-unique,,n=user,r=abc",
        b"n,,m=ext,n=user,r=abc",
        b"n,a=root,n=user,r=abc",
        b"n,,n=user",
        b"n,,n=user,r=",
        b"\xff\xfe",
    ],
)
def test_a_first_message_that_is_malformed_or_wants_channel_binding_is_refused(
    message: bytes,
) -> None:
    assert exchange().first(message) is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        FINAL.replace(b"biws", b"eSws"),
        FINAL.replace(b"k0,", b"k1,"),
        FINAL.replace(b"p=d", b"p=e"),
        FINAL.replace(b"VQ=", b"VQ"),
        FINAL[:-8],
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=",
    ],
    ids=["empty", "other header", "other nonce", "other proof", "no base64", "short", "none"],
)
def test_a_final_message_that_does_not_prove_the_password_is_refused(message: bytes) -> None:
    login = exchange()
    login.first(FIRST)

    assert login.final(message) is None


def test_a_client_that_believes_in_no_channel_binding_of_ours_is_right() -> None:
    login = exchange()

    first = login.first(b"y,,n=user,r=abc")

    assert first is not None
    assert first.startswith(b"r=abc%")
    assert login.final(b"c=" + b64encode(b"n,,") + b",r=abc" + NONCE.encode() + b",p=AAAA") is None


def logged_in(client: Generator[bytes | None, bytes, None], login: ScramExchange) -> bool:
    first = login.first(next(client) or b"")
    assert first is not None
    final = login.final(client.send(first) or b"")
    return final is not None and client.send(final) == b""


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_our_client_proves_itself_to_it_whatever_the_name(name: str) -> None:
    assert logged_in(scram_sha_256(name, Secret("pencil"), "abc"), exchange(name))
    assert not logged_in(scram_sha_256(name, Secret("Pencil"), "abc"), exchange(name))


def test_a_password_that_saslprep_changes_is_the_same_on_both_sides() -> None:
    keys = ScramKeys.derive(Secret("Ⅸ\u00a0pässwörd"), SALT)

    assert logged_in(
        scram_sha_256("user", Secret("IX pässwörd"), "abc"), ScramExchange("user", keys, NONCE)
    )


def test_a_password_that_scram_cannot_carry_is_said_without_it() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        ScramKeys.derive(Secret("a\x07b"), SALT)

    assert "a\x07b" not in str(caught.value)


def test_keys_are_not_shown() -> None:
    assert "stored_key" not in repr(KEYS)
