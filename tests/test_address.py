"""Addresses: taken as people write them, refused in words they understand."""

import re

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.address import (
    control_character,
    parse_address,
    parse_mailbox,
    parse_mailboxes,
    printable,
    spellings,
    split_mailboxes,
    wire_form,
)

ATOM_TEXT = "abcXYZ0129!#$%&'*+/=?^_`{|}~-."
LABEL_TEXT = "abcXYZ0129-."


@pytest.mark.parametrize(
    ("text", "domain", "wire"),
    [
        ("li@example.com", "example.com", "li@example.com"),
        ("Li.Wei+x@Example.COM", "example.com", "Li.Wei+x@Example.COM"),
        ("a@x.test", "x.test", "a@x.test"),
        ("a@x.example", "x.example", "a@x.example"),
        ("a@x.invalid", "x.invalid", "a@x.invalid"),
        ("a@mail.LOCAL", "mail.local", "a@mail.LOCAL"),
        ("a@localhost", "localhost", "a@localhost"),
        ("a@intranet", "intranet", "a@intranet"),
        ("a@[127.0.0.1]", "[127.0.0.1]", "a@[127.0.0.1]"),
        ("a@[IPv6:::1]", "[ipv6:::1]", "a@[IPv6:::1]"),
        ('"john smith"@example.com', "example.com", '"john smith"@example.com'),
        ('"a@b"@example.test', "example.test", '"a@b"@example.test'),
        ("a@bücher.example", "xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@Bücher.TEST", "xn--bcher-kva.test", "a@xn--bcher-kva.test"),
        ("a@例子.中国", "xn--fsqu00a.xn--fiqs8s", "a@xn--fsqu00a.xn--fiqs8s"),
        ("a@xn--bcher-kva.example", "xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("李@例子.中国", "xn--fsqu00a.xn--fiqs8s", "李@xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_an_address_is_as_written_on_the_wire_but_for_its_domain_in_a_labels(
    text: str, domain: str, wire: str
) -> None:
    address = parse_address(text)

    assert (address.domain, address.wire) == (domain, wire)
    assert str(address) == wire


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (" Ada@X.example ", ("ada@x.example",)),
        ("a@Faß.de", ("a@faß.de", "a@xn--fa-hia.de")),
        ("a@XN--fa-hia.de", ("a@xn--fa-hia.de", "a@faß.de")),
        ("李@x.example", ("李@x.example",)),
        ("a@xn--☃.example", ("a@xn--☃.example",)),
        ("nobody", ("nobody",)),
    ],
)
def test_a_list_knows_an_address_by_all_writings_of_its_domain(
    text: str, names: tuple[str, ...]
) -> None:
    assert spellings(text) == names


def test_only_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert parse_address("李@x.example").needs_smtputf8
    assert not parse_address("a@例子.example").needs_smtputf8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing there"),
        ("wang fang@example.com", "a space before the @"),
        ("a@exam ple.com", "a space after the @"),
        (" a@b", "a space around it"),
        ("a@@b", "two @"),
        ("a@b@c", "two @"),
        ("a", "no @"),
        ("a＠b.example", "a wide ＠, not @"),
        ("@b", "nothing before the @"),
        ("a@", "nothing after the @"),
        ("a..b@c", "two dots in a row before the @"),
        ("a@b..c", "two dots in a row after the @"),
        (".a@b", "what is before the @ begins with a dot"),
        ("a@b.", "what is after the @ ends with a dot"),
        ("a@b,c@d", "several addresses, where one belongs"),
        ("a@b c@d", "several addresses, where one belongs"),
        ("A <a@b", "a < without its >"),
        ("a@b;", "several addresses, where one belongs"),
        ("Li <a@b>", "a name or angle brackets, where only the address belongs"),
        ("a@b\n", "a control character, U+000A"),
        ("a@b\r\nRCPT TO:<c@d>", "a control character, U+000D"),
        ("a\0@b", "a control character, U+0000"),
        ('"a\tb"@c', "a control character, U+0009"),
        ("a\x85@b", "a control character, U+0085"),
        ("a\ud800@b", "half a character, U+D800"),
        ("x" * 65 + "@b.example", "65 bytes before the @, where 64 are allowed"),
        ("é" * 40 + "@b.example", "80 bytes before the @, where 64 are allowed"),
    ],
)
def test_what_is_no_address_is_refused_in_plain_words(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["a@b_c.example", "a@-b.example", "a@" + "b" * 64, "a\u200bb@c", '"a"b"@c', "a@[1.2.3]"]
)
def test_what_the_library_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)


def test_an_address_is_at_most_254_bytes() -> None:
    labels = ".".join(["b" * 49] * 4)

    assert parse_address("a" * 54 + "@" + labels).local == "a" * 54
    with pytest.raises(ValueError, match=r"254|too long"):
        parse_address("a" * 64 + "@" + labels)


@given(st.text(ATOM_TEXT, max_size=70), st.text(LABEL_TEXT, max_size=80))
@example("a", "ab--c.d")
@example("a", "xn--bcher-kva.d")
@example("a", "b.1")
@example("a" * 64, "b.d")
def test_the_fast_path_says_what_email_validator_says(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    try:
        expected = validate_email(
            # The library refuses names that are not public: those are ours to take.
            text,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            strict=True,
        )
    except EmailNotValidError:
        with pytest.raises(ValueError, match=r"."):
            parse_address(text)
        with pytest.raises(ValueError, match=r"."):
            wire_form(text)
    else:
        address = parse_address(text)
        assert address.local == local
        assert address.domain == expected.ascii_domain.lower()
        assert wire_form(text) == address.wire == text


@given(st.text())
def test_whatever_is_given_becomes_an_address_or_a_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert control_character(address.wire) is None
    assert parse_address(address.wire) == address
    assert wire_form(text) == address.wire


@pytest.mark.parametrize(
    ("text", "name", "wire"),
    [
        ("People Team <people@example.com>", "People Team", "people@example.com"),
        ('"Li, Wei" <li@x.example>', "Li, Wei", "li@x.example"),
        (r'"Li \"Leo\" Wei" <li@x.example>', 'Li "Leo" Wei', "li@x.example"),
        ("李雷 <li@x.example>", "李雷", "li@x.example"),
        ("  li@x.example ", "", "li@x.example"),
        ("<li@x.example>", "", "li@x.example"),
        ("Smith, John <j@x.example>", "Smith, John", "j@x.example"),
        ("x <evil@y> <li@x.example>", "x <evil@y>", "li@x.example"),
    ],
)
def test_a_mailbox_is_a_name_and_an_address(text: str, name: str, wire: str) -> None:
    mailbox = parse_mailbox(text)

    assert (mailbox.display_name, mailbox.address.wire) == (name, wire)


@pytest.mark.parametrize(
    "text",
    ["", "Li", "Li <>", "Li <a b@c>", "a@b>", "Li\r\nBcc: x <a@b>", "Li\0 <a@b>", "a@b, c@d"],
)
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_mailbox(text)


def test_a_list_is_cut_at_commas_and_semicolons_outside_quotes_and_brackets() -> None:
    parts = split_mailboxes('"Li, Wei" <a@b>; c@d,, "x\\",y" <"e,f"@g> ,')

    assert parts == ['"Li, Wei" <a@b>', "c@d", '"x\\",y" <"e,f"@g>']


def test_a_bad_mailbox_in_a_list_is_named() -> None:
    assert [box.address.wire for box in parse_mailboxes("a@b; c@d")] == ["a@b", "c@d"]
    with pytest.raises(ValueError, match="`c d@e` is not an address: a space before the @"):
        parse_mailboxes("a@b, c d@e")


@given(st.text(min_size=1).filter(lambda text: control_character(text) is None))
def test_a_quoted_name_comes_back_as_it_was(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_mailbox(f'"{quoted}" <a@b>').display_name == name


def test_what_a_terminal_would_obey_is_spelt_out() -> None:
    assert printable("a\x1b[2J\ud800李") == "a\\x1b[2J\\ud800李"
