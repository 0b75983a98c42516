"""Addresses: one mailbox's place, and who is meant by it.

RFC 5321, 4.1.2; RFC 6531; RFC 5322, 3.4. Plain ASCII addresses, nearly all there are, take a
regular expression; everything else (quoted local parts, IDN, address literals) is judged by
email-validator, without a look at the DNS. A property test holds the two equal. Names for tests and
local networks (``.test .example .invalid .local localhost``, one label alone) are addresses here:
whether a server takes them is the server's business.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: RFC 5321, 4.5.3.1.1, in octets.
MAX_LOCAL_PART = 64
#: RFC 5321, 4.5.3.1.3 less the angle brackets (RFC 3696, erratum 1690), in octets.
MAX_ADDRESS = 254

# What was matched is never given back (`++`, `*+`): no address can be read in two ways here.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
# "--" is left to the slow path: it is an A-label, or a label that IDNA reserves.
_LABELS = r"[A-Za-z0-9]++(?:[.-][A-Za-z0-9]++)*+"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*+)@({_LABELS})")
#: RFC 1035, 2.3.4: octets of a label. A longer domain is left to the slow path, which counts them.
_MAX_LABEL = 63
#: Characters of what is no address that are shown whole; and of what is longer.
_LONGEST_SHOWN, _EXCERPT = 320, 100

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Special-use names that email-validator refuses as not public (RFC 6761, 6762, 7686).
_SPECIAL_USE = ("arpa", "invalid", "local", "localhost", "onion", "test")


class Address(NamedTuple):
    """An address as it was written, and as the wire wants it."""

    #: Before the @, as written, quotes included.
    local: str
    #: After the @: A-labels in lower case, or an address literal. Limits hang on it.
    domain: str
    #: As it goes between angle brackets: as written, but for an IDN domain as A-labels.
    wire: str

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the local part holds more than ASCII (RFC 6531)."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return self.wire


class Mailbox(NamedTuple):
    """An address with the name it is shown under (RFC 5322, 3.4)."""

    #: Without quotes; "" where there is none.
    display_name: str
    address: Address


def parse_address(text: str) -> Address:
    """The address that `text` is, all of it.

    Raises `ValueError` with the reason in a few words, to be put behind "… is not an address: ".
    """
    if plain := _PLAIN.fullmatch(text):
        local, domain = plain.groups()
        if len(local) <= MAX_LOCAL_PART and len(domain) <= _MAX_LABEL:
            # As `Address(...)` does it, behind a call in Python.
            return tuple.__new__(Address, (local, domain.lower(), text))
    _refuse_obvious(text)
    return _validated(text)


def wire_form(text: str) -> str:
    """As it goes between angle brackets: `parse_address(text).wire`, where nothing else is wanted.

    Raises as that does.
    """
    plain = _PLAIN.fullmatch(text)
    if plain and plain.end(1) <= MAX_LOCAL_PART and len(plain[2]) <= _MAX_LABEL:
        return text
    return parse_address(text).wire


def parse_mailbox(text: str) -> Mailbox:
    """The mailbox of ``Name <address>``, ``"Name, quoted" <address>`` or a bare address.

    Space around it is no part of it. A name may hold anything but control characters, also
    unquoted commas and brackets: the address is what stands in the last angle brackets.
    Raises `ValueError` as `parse_address` does.
    """
    text = text.strip(" ")
    _refuse_control(text)
    if not text.endswith(">"):
        return Mailbox("", parse_address(text))
    opening = text.rfind("<")
    if opening < 0:
        raise ValueError("a > without its <")
    name = text[:opening].strip(" ")
    return Mailbox(_unquoted(name), parse_address(text[opening + 1 : -1].strip(" ")))


def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Several mailboxes, separated by commas or semicolons outside quotes and brackets.

    Empty places between separators are passed over. Raises `ValueError` that names the bad one.
    """
    return tuple(_named_in_errors(part) for part in split_mailboxes(text))


def split_mailboxes(text: str) -> list[str]:
    """The parts of a list of mailboxes, unparsed, without surrounding space and empty ones."""
    parts, start, in_quotes, in_brackets, escaped = [], 0, False, False, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\" and in_quotes:
            escaped = True
        elif character == '"':
            in_quotes = not in_quotes
        elif character in "<>" and not in_quotes:
            in_brackets = character == "<"
        elif character in ",;" and not (in_quotes or in_brackets):
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip(" ") for part in parts if part.strip(" ")]


def spellings(text: str) -> tuple[str, ...]:
    """An address in lower case; behind it, where its domain is an IDN, that in its other writings.

    Who is named as ``user@münchen.example`` is meant as ``user@xn--mnchen-3ya.example``, too.
    """
    written = text.strip().lower()
    local, _, domain = written.rpartition("@")
    if domain.isascii() and "xn--" not in domain:
        return (written,)
    import idna  # noqa: PLC0415  # it takes its time, and few have such a domain

    try:
        a_labels = idna.encode(domain, uts46=True).decode()
        others = (f"{local}@{a_labels}", f"{local}@{idna.decode(a_labels)}")
    except idna.IDNAError:
        return (written,)
    return tuple(dict.fromkeys((written, *others)))


def control_character(text: str) -> str | None:
    """The first character that no header, command or file name may hold, in words; else None.

    C0, DEL, C1, the Unicode line ends, and halves of surrogate pairs, which no encoding takes.
    """
    match = _UNSAFE.search(text)
    if match is None:
        return None
    kind = "half a character" if match[0] >= "\ud800" else "a control character"
    return f"{kind}, U+{ord(match[0]):04X}"


def printable(text: str) -> str:
    """`text` as a terminal or log may show it: control characters and surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def excerpt(text: str) -> str:
    """The same, cut where it is longer than any address: a cell may hold megabytes."""
    return printable(text if len(text) <= _LONGEST_SHOWN else f"{text[:_EXCERPT]}…")


def _named_in_errors(part: str) -> Mailbox:
    try:
        return parse_mailbox(part)
    except ValueError as error:
        raise ValueError(f"`{excerpt(part)}` is not an address: {error}") from error


def _unquoted(name: str) -> str:
    """A display name without the quotes around it (RFC 5322, 3.2.4)."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def _refuse_control(text: str) -> None:
    if unsafe := control_character(text):
        raise ValueError(unsafe)


def _refuse_obvious(text: str) -> None:
    """What people do get wrong, each in its own words."""
    if not text:
        raise ValueError("nothing there")
    _refuse_control(text)
    if text != text.strip():
        raise ValueError("a space around it")
    if '"' not in text and text.rfind("<") > text.rfind(">"):
        raise ValueError("a < without its >")
    if text.endswith(">"):
        raise ValueError("a name or angle brackets, where only the address belongs")
    if "@" not in text:
        wide = next((at for at in "＠﹫" if at in text), None)
        raise ValueError(f"a wide {wide}, not @" if wide else "no @")
    if '"' not in text:
        _refuse_obvious_parts(*text.split("@", 1))


def _refuse_obvious_parts(local: str, domain: str) -> None:
    if "@" in domain:
        is_list = re.search(r"[,;\s]", domain)
        raise ValueError("several addresses, where one belongs" if is_list else "two @")
    for part, where in ((local, "before"), (domain, "after")):
        if not part:
            raise ValueError(f"nothing {where} the @")
        if any(map(str.isspace, part)):
            raise ValueError(f"a space {where} the @")
        if ".." in part:
            raise ValueError(f"two dots in a row {where} the @")
        if part[0] == "." or part[-1] == ".":
            end = "begins" if part[0] == "." else "ends"
            raise ValueError(f"what is {where} the @ {end} with a dot")
    if any(character in domain for character in ",;"):
        raise ValueError("several addresses, where one belongs")


def _validated(text: str) -> Address:
    """The verdict of email-validator, imported only where it is needed: it takes its time."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    stand_in, special = _as_public(text)
    try:
        verdict = validate_email(
            stand_in,
            check_deliverability=False,
            globally_deliverable=False,
            allow_quoted_local=True,
            allow_domain_literal=True,
        )
    except EmailNotValidError as error:
        raise ValueError(_in_few_words(str(error))) from error
    local, _, domain = text.rpartition("@")
    ascii_domain = verdict.ascii_domain.lower()
    ascii_domain = ascii_domain[: len(ascii_domain) - len(special)] + special
    wire = text if domain.isascii() else f"{local}@{ascii_domain}"
    _refuse_long(local, wire)
    return Address(local, ascii_domain, wire)


def _as_public(text: str) -> tuple[str, str]:
    """`text` with a special-use last label changed to one of the same length, and that label."""
    for name in _SPECIAL_USE:
        start = len(text) - len(name)
        if text[start:].lower() == name and text[start - 1 : start] in {"@", "."}:
            return text[:start] + "x" * len(name), name
    return text, ""


def _refuse_long(local: str, wire: str) -> None:
    if (length := len(local.encode())) > MAX_LOCAL_PART:
        raise ValueError(f"{length} bytes before the @, where {MAX_LOCAL_PART} are allowed")
    if (length := len(wire.encode())) > MAX_ADDRESS:
        raise ValueError(f"{length} bytes, where {MAX_ADDRESS} are allowed")


def _in_few_words(sentence: str) -> str:
    """The library's sentence, made to stand behind a colon."""
    short = sentence.removesuffix(".").replace("@-sign", "@")
    return printable(short[:1].lower() + short[1:])
