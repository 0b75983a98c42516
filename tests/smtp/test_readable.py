"""What comes from outside is shown without effect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.smtp.readable import readable


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"ok", "ok", id="ASCII"),
        pytest.param("用户不存在".encode(), "用户不存在", id="UTF-8"),
        pytest.param("好　的".encode(), "好 的", id="ideographic space"),
        pytest.param("a\xa0b".encode(), "a b", id="no-break space"),
        pytest.param(b"ung\xfcltig", "ungültig", id="Latin-1"),
        pytest.param(b"a\tb", "a\tb", id="tab"),
        pytest.param(b"\x1b[2J", "\\x1b[2J", id="escape"),
        pytest.param(b"\xff\x9b2J", "ÿ\\x9b2J", id="C1 in Latin-1"),
        pytest.param("\x9b2J".encode(), "\\x9b2J", id="C1 in UTF-8"),
        pytest.param("a\u202eb".encode(), "a\\u202eb", id="bidirectional override"),
        pytest.param("a\u2066b".encode(), "a\\u2066b", id="bidirectional isolate"),
        pytest.param("a\u200bb".encode(), "a\\u200bb", id="zero width"),
        pytest.param("a\u2028b".encode(), "a\\u2028b", id="line separator"),
        pytest.param("\U000e0041".encode(), "\\U000e0041", id="tag"),
        pytest.param(b"\x7f", "\\x7f", id="DEL"),
    ],
)
def test_what_acts_is_escaped_and_the_rest_kept(raw: bytes, text: str) -> None:
    assert readable(raw) == text


@given(st.binary())
def test_anything_becomes_printable(raw: bytes) -> None:
    assert all(c.isprintable() or c == "\t" for c in readable(raw))


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_printable_text_stays(text: str) -> None:
    assert readable(text.encode()) == text
