"""Segments as 3GPP TS 23.038 and 23.040 count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.message.sms.segments import Encoding, not_gsm, text_size

GSM, UCS2 = Encoding.GSM, Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("[]{}\\^~|", GSM, 16, 1),
        ("é à ü ñ Ø Ω @ £ \n", GSM, 17, 1),
        ("中" * 70, UCS2, 70, 1),
        ("中" * 71, UCS2, 71, 2),
        ("中" * 134, UCS2, 134, 2),
        ("中" * 135, UCS2, 135, 3),
        ("a" * 70 + "’", UCS2, 71, 2),
        ("ç", UCS2, 1, 1),
        ("`", UCS2, 1, 1),
        ("😀" * 35, UCS2, 70, 1),
        ("😀" * 36, UCS2, 72, 2),
    ],
)
def test_a_text_takes_what_the_network_counts(
    text: str, encoding: Encoding, units: int, segments: int
) -> None:
    size = text_size(text)

    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)
    assert size.characters == len(text)


def test_an_escape_and_its_character_are_not_parted() -> None:
    # 152 septets, then two that belong together: the first part ends one early.
    assert text_size("a" * 152 + "€" + "a" * 152).segments == 3
    assert text_size("a" * 152 + "aa" + "a" * 152).segments == 2


def test_the_halves_of_a_character_are_not_parted() -> None:
    assert text_size("中" * 66 + "😀" + "中" * 66).segments == 3
    assert text_size("中" * 134).segments == 2


def test_the_characters_that_cost_the_cheap_alphabet_are_named_once() -> None:
    assert not_gsm("It’s 5 € – it’s") == "’–"
    assert not_gsm("plain €") == ""


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_longer_text_never_takes_fewer(text: str) -> None:
    assert text_size(text + "a").segments >= text_size(text).segments >= 1


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_units_of_ucs2_are_those_of_utf_16(text: str) -> None:
    size = text_size(text + "中")

    assert size.units == len((text + "中").encode("utf-16-be")) // 2
