"""The reply parser: any cut, any garbage, any bound."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smtp.cutting import cut

from bulkmail.errors import ProtocolViolation
from bulkmail.smtp.reply import (
    MAX_LINE_BYTES,
    MAX_REPLY_BYTES,
    EnhancedStatusCode,
    Reply,
    ReplyParser,
    Severity,
)


def parsed(*chunks: bytes) -> list[Reply]:
    parser = ReplyParser()
    return [reply for chunk in chunks for reply in parser.feed(chunk)]


def parsed_until_violation(*chunks: bytes) -> tuple[list[Reply], bool]:
    """The replies, and whether a violation ended them."""
    parser = ReplyParser()
    replies: list[Reply] = []
    try:
        for reply in itertools.chain.from_iterable(map(parser.feed, chunks)):
            replies.append(reply)  # noqa: PERF402  # kept when the next one raises
    except ProtocolViolation:
        return replies, True
    return replies, False


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"250 ok\r\n", Reply(250, ("ok",)), id="one line"),
        pytest.param(b"250 ok\n", Reply(250, ("ok",)), id="bare LF"),
        pytest.param(b"250 ok\r\r\n", Reply(250, ("ok",)), id="CR twice"),
        pytest.param(b"250\r\n", Reply(250, ("",)), id="no text, no space"),
        pytest.param(b"250 \r\n", Reply(250, ("",)), id="no text"),
        pytest.param(b"250-\r\n250\r\n", Reply(250, ("", "")), id="lines without text"),
        pytest.param(b"250-a\r\n250-b\n250 c\r\n", Reply(250, ("a", "b", "c")), id="lines"),
        pytest.param(b"299 -\r\n", Reply(299, ("-",)), id="unknown code"),
        pytest.param(b"250 a\rb\r\n", Reply(250, ("a\\rb",)), id="a CR inside"),
        pytest.param(b"250 a\x00\x1b[2J\r\n", Reply(250, ("a\\x00\\x1b[2J",)), id="controls"),
        pytest.param(
            b"550 5.1.1 no such user\r\n",
            Reply(550, ("5.1.1 no such user",), EnhancedStatusCode(5, 1, 1)),
            id="enhanced",
        ),
        pytest.param(
            b"550 5.1.1\r\n", Reply(550, ("5.1.1",), EnhancedStatusCode(5, 1, 1)), id="only that"
        ),
        pytest.param(
            b"535-5.7.8 Not accepted. See\r\n535 5.7.8  https://x.example\r\n",
            Reply(
                535,
                ("5.7.8 Not accepted. See", "5.7.8  https://x.example"),
                EnhancedStatusCode(5, 7, 8),
            ),
            id="enhanced on each line",
        ),
        pytest.param(
            b"550-Rejected\r\n550 5.7.1 by policy\r\n",
            Reply(550, ("Rejected", "5.7.1 by policy"), EnhancedStatusCode(5, 7, 1)),
            id="enhanced on the last line",
        ),
        pytest.param(b"550 4.1.1 no\r\n", Reply(550, ("4.1.1 no",)), id="enhanced, another class"),
        pytest.param(b"550 5.1.1.1 no\r\n", Reply(550, ("5.1.1.1 no",)), id="an address"),
        pytest.param(b"550 5.1234.1 no\r\n", Reply(550, ("5.1234.1 no",)), id="too many digits"),
        pytest.param(
            "550 5.٣.1 no\r\n".encode(), Reply(550, ("5.٣.1 no",)), id="digits of another script"
        ),
    ],
)
def test_what_servers_say_is_read(raw: bytes, expected: Reply) -> None:
    assert parsed(raw) == [expected]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\r\n", id="empty line"),
        pytest.param(b"25\r\n", id="two digits"),
        pytest.param(b"2500 ok\r\n", id="four digits"),
        pytest.param(b"150 wait\r\n", id="1yz"),
        pytest.param(b"000 x\r\n", id="0yz"),
        pytest.param(b"600 x\r\n", id="6yz"),
        pytest.param(b"250ok\r\n", id="no separator"),
        pytest.param(b"250\tok\r\n", id="tab as separator"),
        pytest.param(b" 250 ok\r\n", id="leading space"),
        pytest.param(b"250-a\r\n251 b\r\n", id="another code in the last line"),
        pytest.param(b"250-a\r\n550-b\r\n", id="another code in between"),
        pytest.param(b"250 ok\r550 no\r\n", id="a second reply behind a lone CR"),
        pytest.param(b"250 ok\r550\r\n", id="a second reply without text"),
        pytest.param("٢٥٠ ok\r\n".encode(), id="digits of another script"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="http"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\n", id="TLS"),
        pytest.param(b"250 " + b"a" * (MAX_LINE_BYTES - 3) + b"\r\n", id="long line"),
        pytest.param(b"250 " + b"a" * (MAX_LINE_BYTES - 3), id="long line that does not end"),
    ],
)
def test_what_is_no_reply_is_a_violation(raw: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parsed(raw)


def test_a_line_as_long_as_the_bound_is_read() -> None:
    assert parsed(b"250 " + b"a" * (MAX_LINE_BYTES - 4) + b"\n")[0].code == 250


def test_an_endless_line_is_given_up_while_it_comes() -> None:
    with pytest.raises(ProtocolViolation, match="line"):
        parsed(*[b"a" * 100] * (MAX_LINE_BYTES // 100 + 1))


def test_an_endless_reply_is_given_up_while_it_comes() -> None:
    line = b"250-" + b"a" * 1000 + b"\r\n"

    with pytest.raises(ProtocolViolation, match="reply of more"):
        parsed(*[line] * (MAX_REPLY_BYTES // 1000 + 1))


def test_the_bound_on_a_reply_begins_anew_with_each() -> None:
    line = b"250 " + b"a" * 1000 + b"\r\n"

    assert len(parsed(line * (MAX_REPLY_BYTES // 1000 + 10))) == MAX_REPLY_BYTES // 1000 + 10


def test_no_more_replies_are_made_than_are_asked_for() -> None:
    replies = iter(ReplyParser().feed(b"250 a\r\n" * 100_000))

    assert next(replies).code == 250


def test_replies_not_iterated_over_come_with_the_next_bytes() -> None:
    parser = ReplyParser()

    parser.feed(b"250 a\r\n")

    assert [reply.text for reply in parser.feed(b"250 b\r\n")] == ["a", "b"]


@pytest.mark.parametrize("held", [b"2", b"250", b"250-a\r\n"])
def test_bytes_of_an_unfinished_reply_are_pending(held: bytes) -> None:
    parser = ReplyParser()

    assert not parser.pending
    assert list(parser.feed(held)) == []
    assert parser.pending


def test_nothing_is_pending_after_a_reply() -> None:
    parser = ReplyParser()

    assert len(list(parser.feed(b"250-a\r\n250 b\r\n"))) == 1
    assert not parser.pending


def test_a_violation_shows_what_came_without_controls() -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(r"\x1b[31mhello")):
        parsed(b"\x1b[31mhello\r\n")


_code = st.integers(200, 599)
_text = st.text(st.characters(categories=["L", "N", "P"]), max_size=60)
_reply = st.builds(Reply, _code, st.lists(_text, min_size=1, max_size=5).map(tuple))


def encoded(reply: Reply) -> bytes:
    *first, last = reply.lines
    return "".join(
        [*(f"{reply.code}-{line}\r\n" for line in first), f"{reply.code} {last}\r\n"]
    ).encode()


@given(replies=st.lists(_reply, max_size=5), places=st.lists(st.integers(0, 1000), max_size=10))
def test_any_cut_gives_the_same_replies(replies: list[Reply], places: list[int]) -> None:
    raw = b"".join(map(encoded, replies))

    found = parsed(*cut(raw, places))

    assert [(r.code, r.lines) for r in found] == [(r.code, r.lines) for r in replies]


_wild = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"250", b"421", b"-", b" ", b"\r", b"\n", b"a", b"\xff", b"600", b"5.1.1"])
    ).map(b"".join),
)


@given(raw=_wild, places=st.lists(st.integers(0, 200), max_size=10))
def test_garbage_is_a_violation_at_the_same_place_for_any_cut(
    raw: bytes, places: list[int]
) -> None:
    assert parsed_until_violation(*cut(raw, places)) == parsed_until_violation(raw)


@given(_wild)
def test_nothing_read_acts_on_a_terminal(raw: bytes) -> None:
    replies, _ = parsed_until_violation(raw)

    assert all(c.isprintable() or c == "\t" for reply in replies for c in str(reply))


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        (250, Severity.POSITIVE_COMPLETION),
        (354, Severity.POSITIVE_INTERMEDIATE),
        (451, Severity.TRANSIENT_NEGATIVE),
        (550, Severity.PERMANENT_NEGATIVE),
    ],
)
def test_severity_is_the_first_digit(code: int, severity: Severity) -> None:
    reply = Reply(code, ())

    assert reply.severity is severity
    assert [
        reply.is_positive,
        reply.is_intermediate,
        reply.is_transient,
        reply.is_permanent,
    ] == [severity is each for each in Severity]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"250\r\n", "250"),
        (b"250-a\r\n250-\r\n250 b\r\n", "250 a b"),
        (
            b"535-5.7.8 No. See\r\n535 5.7.8  https://x.example\r\n",
            "535 5.7.8 No. See https://x.example",
        ),
        (b"550-5.7.1 No\r\n550 because 5.7.1 says so\r\n", "550 5.7.1 No because 5.7.1 says so"),
    ],
)
def test_the_text_is_all_lines_with_the_enhanced_code_once(raw: bytes, text: str) -> None:
    assert str(parsed(raw)[0]) == text


def test_a_reply_without_lines_has_no_text() -> None:
    assert str(Reply(250, ())) == "250"


def test_an_enhanced_code_is_written_with_dots() -> None:
    assert str(EnhancedStatusCode(5, 1, 1)) == "5.1.1"


def test_only_421_closes() -> None:
    assert Reply(421, ()).is_closing
    assert not Reply(420, ()).is_closing
