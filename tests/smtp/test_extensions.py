"""What servers offer, as they say it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply


def offered(*lines: str) -> Extensions:
    return Extensions.parse(Reply(250, ("mx.example", *lines)))


@dataclass(frozen=True)
class Server:
    lines: tuple[str, ...]
    auth: tuple[str, ...]
    size: int | None
    pipelining: bool = True
    starttls: bool = True
    eight_bit_mime: bool = True
    smtputf8: bool = False
    chunking: bool = False


SERVERS = {
    "QQ": Server(
        lines=(
            "PIPELINING",
            "SIZE 52428800",
            "AUTH LOGIN PLAIN",
            "AUTH=LOGIN",
            "MAILCOMPRESS",
            "8BITMIME",
            "STARTTLS",
        ),
        auth=("LOGIN", "PLAIN"),
        size=52428800,
    ),
    "163": Server(
        lines=(
            "mail",
            "PIPELINING",
            "AUTH LOGIN PLAIN XOAUTH2",
            "AUTH=LOGIN PLAIN XOAUTH2",
            "coremail 1Uxr2xKj7kG0xkI17xGrU7I0s8FY2U3Uj8Cz28x1UUUUU7Ic2I0Y2UFY0RqUUCa0xDrUUUUj",
            "STARTTLS",
            "ID",
            "8BITMIME",
        ),
        auth=("LOGIN", "PLAIN", "XOAUTH2"),
        size=None,
    ),
    "Gmail": Server(
        lines=(
            "SIZE 35882577",
            "8BITMIME",
            "STARTTLS",
            "AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH",
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            "CHUNKING",
            "SMTPUTF8",
        ),
        auth=("LOGIN", "PLAIN", "XOAUTH2", "PLAIN-CLIENTTOKEN", "OAUTHBEARER", "XOAUTH"),
        size=35882577,
        smtputf8=True,
        chunking=True,
    ),
    "Outlook": Server(
        lines=(
            "SIZE 157286400",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "AUTH LOGIN XOAUTH2",
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ),
        auth=("LOGIN", "XOAUTH2"),
        size=157286400,
        starttls=False,
        smtputf8=True,
        chunking=True,
    ),
    "Postfix": Server(
        lines=(
            "PIPELINING",
            "SIZE 10240000",
            "VRFY",
            "ETRN",
            "STARTTLS",
            "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN",
            "AUTH=SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN",
            "ENHANCEDSTATUSCODES",
            "8BITMIME",
            "DSN",
            "SMTPUTF8",
            "CHUNKING",
        ),
        auth=("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"),
        size=10240000,
        smtputf8=True,
        chunking=True,
    ),
    "a bare one": Server(
        lines=(), auth=(), size=None, pipelining=False, starttls=False, eight_bit_mime=False
    ),
}


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_the_replies_of_known_servers_are_understood(server: Server) -> None:
    extensions = offered(*server.lines)

    assert extensions.auth == server.auth
    assert extensions.size == server.size
    assert extensions.pipelining is server.pipelining
    assert extensions.starttls is server.starttls
    assert extensions.eight_bit_mime is server.eight_bit_mime
    assert extensions.smtputf8 is server.smtputf8
    assert extensions.chunking is server.chunking


@pytest.mark.parametrize(
    ("lines", "auth"),
    [
        pytest.param(["AUTH PLAIN LOGIN"], ("PLAIN", "LOGIN"), id="space"),
        pytest.param(["AUTH=PLAIN LOGIN"], ("PLAIN", "LOGIN"), id="equals sign"),
        pytest.param(["AUTH=LOGIN", "AUTH PLAIN LOGIN"], ("LOGIN", "PLAIN"), id="both, once each"),
        pytest.param(["AUTH =LOGIN"], ("LOGIN",), id="space and equals sign"),
        pytest.param(["auth plain"], ("PLAIN",), id="lower case"),
        pytest.param(["AUTH\tPLAIN"], ("PLAIN",), id="tab"),
        pytest.param(["  AUTH   PLAIN  "], ("PLAIN",), id="spaces"),
        pytest.param(["AUTH"], (), id="none named"),
        pytest.param(["AUTH="], (), id="none named, equals sign"),
        pytest.param(["AUTHPLAIN"], (), id="another keyword"),
    ],
)
def test_auth_is_read_in_all_its_forms(lines: list[str], auth: tuple[str, ...]) -> None:
    assert offered(*lines).auth == auth


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE 1000", 1000),
        ("size 1000", 1000),
        ("SIZE=1000", 1000),
        ("SIZE 1000 2000", 1000),
        ("SIZE 00000000000000001000", 1000),
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE -1", None),
        ("SIZE unlimited", None),
        ("SIZE 1000KB", None),
        ("SIZE ١٠٠", None),
        ("SIZE " + "9" * 20, int("9" * 20)),
        ("SIZE " + "9" * 21, None),
        ("SIZE " + "9" * 5000, None),
    ],
)
def test_size_is_a_number_or_no_limit(line: str, size: int | None) -> None:
    assert offered(line).size == size


def test_the_first_of_two_counts() -> None:
    assert offered("SIZE 1000", "SIZE 2000").size == 1000


def test_the_servers_name_is_no_keyword() -> None:
    assert not Extensions.parse(Reply(250, ("PIPELINING",))).pipelining


@pytest.mark.parametrize("line", ["", "-", "¡hola!", "\u017fIZE 5", "=PIPELINING", "_X"])
def test_a_line_that_is_no_keyword_is_left_out(line: str) -> None:
    assert not offered(line).keywords


def test_keywords_are_kept_with_their_parameters() -> None:
    extensions = offered("Limits RCPTMAX=100", "AUTH PLAIN", "HELP")

    assert dict(extensions.keywords) == {"LIMITS": "RCPTMAX=100", "AUTH": "PLAIN", "HELP": ""}
    assert "LIMITS" in extensions
    assert "limits" not in extensions


@given(st.lists(st.text()))
def test_nothing_a_server_offers_makes_it_raise(lines: list[str]) -> None:
    extensions = offered(*lines)

    assert extensions.size is None or extensions.size > 0
