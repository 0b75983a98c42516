"""RFC 2047 words hold any text, whole characters, 75 octets."""

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.message.encoded_word import encoded_words

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(TEXTS, st.integers(-10, 200))
def test_words_read_back_to_the_same_text(text: str, room: int) -> None:
    words = encoded_words(text, room)

    assert str(make_header(decode_header(" ".join(words)))) == text


@given(TEXTS, st.integers(-10, 200))
def test_each_word_is_at_most_75_octets_and_whole(text: str, room: int) -> None:
    words = encoded_words(text, room)

    for word in words:
        assert len(word) <= 75
        assert re.fullmatch(r"=\?utf-8\?(?:q\?[A-Za-z0-9!*+/=_-]+|b\?[A-Za-z0-9+/=]+)\?=", word)
        # Decoded alone: a character split between two words would not decode.
        assert str(make_header(decode_header(word)))


@given(TEXTS, st.integers(24, 75))
def test_first_word_fits_the_room_that_is_left(text: str, room: int) -> None:
    assert len(encoded_words(text, room)[0]) <= room


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Zoë", "=?utf-8?q?Zo=C3=AB?="),
        ("王芳", "=?utf-8?b?546L6Iqz?="),
        ("a_b=c? é", "=?utf-8?b?YV9iPWM/IMOp?="),
        ("Café au lait", "=?utf-8?q?Caf=C3=A9_au_lait?="),
    ],
)
def test_the_shorter_of_q_and_b_is_taken(text: str, word: str) -> None:
    assert encoded_words(text) == [word]


def test_half_a_character_is_not_encoded() -> None:
    with pytest.raises(UnicodeEncodeError):
        encoded_words("\ud800")
