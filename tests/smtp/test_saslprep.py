"""SASLprep, with the examples of RFC 4013."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.errors import AuthenticationFailed
from bulkmail.smtp.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        pytest.param("I\u00adX", "IX", id="soft hyphen is nothing"),
        pytest.param("user", "user", id="no change"),
        pytest.param("USER", "USER", id="case is kept"),
        pytest.param("\u00aa", "a", id="NFKC"),
        pytest.param("\u2168", "IX", id="NFKC, Roman numeral"),
        pytest.param("a\u00a0b\u3000c", "a b c", id="spaces"),
        pytest.param("授权码", "授权码", id="Chinese"),
        pytest.param("\u0627\u0628", "\u0627\u0628", id="right to left"),
        pytest.param("\u06271\u0628", "\u06271\u0628", id="a digit between"),
        pytest.param("", "", id="empty"),
    ],
)
def test_text_is_prepared(text: str, prepared: str) -> None:
    assert saslprep(text, "password") == prepared


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u0007", id="control"),
        pytest.param("a\x85b", id="C1"),
        pytest.param("\ue000", id="private use"),
        pytest.param("\ufffe", id="non-character"),
        pytest.param("\udcff", id="surrogate"),
        pytest.param("\ufffd", id="replacement character"),
        pytest.param("\u2ff0", id="ideographic description"),
        pytest.param("a\u202eb", id="bidirectional override"),
        pytest.param("\U000e0041", id="tag"),
        pytest.param("\U0001f600", id="not yet assigned in Unicode 3.2"),
    ],
)
def test_what_is_prohibited_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="password") as caught:
        saslprep("hush" + text, "password")

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u06271", id="ends otherwise"),
        pytest.param("1\u0627", id="begins otherwise"),
        pytest.param("\u0627a\u0628", id="Latin between"),
    ],
)
def test_directions_are_not_mixed(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="user name mixes writing directions"):
        saslprep(text, "user name")


@given(st.text())
def test_preparing_twice_is_preparing_once(text: str) -> None:
    try:
        once = saslprep(text, "password")
    except AuthenticationFailed:
        return
    assert saslprep(once, "password") == once
