import asyncio
import functools
import threading

import pytest

from bulkmail.smtp.commands import Ehlo
from bulkmail.transport import local_hostname as module
from bulkmail.transport.local_hostname import address_literal, is_public_name, local_hostname


@pytest.mark.parametrize(
    ("name", "is_public"),
    [
        ("mail.example.com", True),
        ("laptop.local", True),
        ("laptop", False),
        ("", False),
        ("localhost", False),
        ("localhost.localdomain", False),
        ("1.0.0.127.in-addr.arpa", False),
        ("bad_name.example.com", False),
        ("a b.example.com", False),
        ("-x.example.com", False),
        ("例子.example", False),
    ],
)
def test_a_name_for_ehlo_is_labels_with_a_dot_between(name: str, *, is_public: bool) -> None:
    assert is_public_name(name) is is_public


@pytest.mark.parametrize(
    ("address", "literal"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        ("", "[127.0.0.1]"),
    ],
)
def test_an_address_literal_fits_into_ehlo(address: str, literal: str) -> None:
    assert address_literal(address) == literal
    assert Ehlo(literal).encode() == f"EHLO {literal}\r\n".encode()


async def test_the_fqdn_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_fqdn", functools.cache(lambda: "mail.example.com"))

    assert await local_hostname("192.0.2.1") == "mail.example.com"


async def test_a_slow_resolver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def slow() -> str:
        is_over.wait()
        return "late.example.com"

    monkeypatch.setattr(module, "_fqdn", functools.cache(slow))
    monkeypatch.setattr(module, "LOOKUP_TIMEOUT", 0.01)

    name = await local_hostname("192.0.2.1")
    is_over.set()

    assert name == "[192.0.2.1]"


async def test_the_resolver_is_asked_once_and_no_thread_is_woken_for_what_it_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []

    def ask() -> str:
        threads.append(threading.current_thread().name)
        return "mail.example.com"

    monkeypatch.setattr(module, "_fqdn", functools.cache(ask))
    first = await local_hostname("192.0.2.1")
    monkeypatch.setattr(asyncio, "to_thread", None)

    assert first == await local_hostname("192.0.2.1") == "mail.example.com"
    assert len(threads) == 1
    assert threads[0] != threading.current_thread().name
