"""Many messages of a program's own, ahead of their replies, against a server on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from email.message import EmailMessage
from itertools import pairwise
from typing import cast

import pytest
from support.scripted_server import Deed, ScriptedServer, on, scripted

from bulkmail.errors import (
    ConfigurationError,
    ConnectionLost,
    MessageRefusedLocally,
    SessionError,
)
from bulkmail.transport.client import Letter, SMTPClient
from bulkmail.transport.sending_all import Sent

CONTENT = b"Subject: hi\r\n\r\n.hello\r\n"

#: What a server offers, by how far ahead it is spoken to.
OFFERS = {
    "lockstep": [],
    "glue": ["PIPELINING"],
    "window": ["PIPELINING", "CHUNKING", "8BITMIME"],
}


def letters(count: int) -> list[Letter]:
    return [("a@x.example", f"u{n}@y.example", CONTENT) for n in range(count)]


def client_of(server: ScriptedServer, window: int = 4) -> SMTPClient:
    return SMTPClient("127.0.0.1", server.port, "none", local_hostname="me.example", window=window)


async def sent_by(client: SMTPClient, some: list[Letter]) -> list[Sent]:
    return [sent async for sent in client.send_all(some)]


async def keep(sent: list[Sent], client: SMTPClient, some: Iterator[Letter]) -> None:
    """What is given, also where it ends by an error."""
    async for one in client.send_all(some):
        sent.append(one)  # noqa: PERF401  # as above


def arrived(server: ScriptedServer) -> list[str]:
    return [path for arrival in server.arrivals for path in arrival.recipients]


def verbs(server: ScriptedServer) -> list[str]:
    return [line.partition(" ")[0] for line in server.commands]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_each_arrives_once_and_in_order_however_it_is_sent(offer: list[str]) -> None:
    async with scripted(extensions=offer) as server, client_of(server) as client:
        sent = await sent_by(client, letters(20))

    assert [one.index for one in sent] == list(range(20))
    assert all(one.is_accepted for one in sent)
    assert arrived(server) == [f"u{n}@y.example" for n in range(20)]
    assert ("BDAT" in verbs(server)) is ("CHUNKING" in offer)


async def test_the_content_is_the_same_by_both_roads() -> None:
    contents = []
    for offer in ("glue", "window"):
        async with scripted(extensions=OFFERS[offer]) as server, client_of(server) as client:
            await sent_by(client, letters(2))
        contents.append(server.arrivals[0].content)

    dotted, whole = contents
    assert whole == CONTENT
    assert dotted == CONTENT.replace(b"\r\n.", b"\r\n..")


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_what_a_program_writes_into_again_goes_out_as_it_was(offer: list[str]) -> None:
    buffer = bytearray(b"Subject: 0\r\n\r\nhi\r\n")

    def written() -> Iterator[Letter]:
        for n in range(6):
            buffer[9:10] = str(n).encode()
            yield "a@x.example", f"u{n}@y.example", cast("bytes", buffer)

    async with scripted(extensions=offer) as server, client_of(server) as client:
        sent = [one async for one in client.send_all(written())]

    assert all(one.is_accepted for one in sent)
    assert [arrival.content[9:10] for arrival in server.arrivals] == [b"%d" % n for n in range(6)]


async def test_with_a_window_of_one_envelopes_ride_behind_the_end_of_data() -> None:
    async with (
        scripted(extensions=OFFERS["window"]) as server,
        client_of(server, window=1) as client,
    ):
        sent = await sent_by(client, letters(10))

    assert all(one.is_accepted for one in sent)
    assert "BDAT" not in verbs(server)


async def test_a_window_below_one_is_none() -> None:
    with pytest.raises(ConfigurationError, match="window"):
        SMTPClient("127.0.0.1", window=0)


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_a_refused_recipient_and_a_bad_letter_stop_nobody(offer: list[str]) -> None:
    some = letters(9)
    some[4] = ("a@x.example", "no address", CONTENT)
    refuses = on("rcpt", "550 5.1.1 no such user", to="u2@y.example")
    async with scripted(refuses, extensions=offer) as server, client_of(server) as client:
        sent = await sent_by(client, some)

    assert [one.index for one in sent if not one.is_accepted] == [2, 4]
    assert sent[2].result is not None
    assert "u2@y.example" in sent[2].result.refused
    assert isinstance(sent[4].error, MessageRefusedLocally)
    assert len(arrived(server)) == 7


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_letters_for_several_and_beyond_ascii_are_sent_among_the_others(
    offer: list[str],
) -> None:
    several = EmailMessage()
    several["From"] = "a@x.example"
    several["To"] = "one@y.example, two@y.example"
    several.set_content("hello")
    some: list[Letter] = [*letters(3), several, *letters(3)]
    if "8BITMIME" in offer:
        some.append(("a@x.example", "u@y.example", "Subject: hi\r\n\r\n你好\r\n".encode()))
    async with scripted(extensions=offer) as server, client_of(server) as client:
        sent = await sent_by(client, some)

    assert all(one.is_accepted for one in sent)
    assert server.arrivals[3].recipients == ("one@y.example", "two@y.example")
    assert len(server.arrivals) == len(some)


async def test_what_was_on_its_way_is_in_doubt_and_the_rest_is_left() -> None:
    breaks = on("dot", Deed.CUT, after=6)
    rest = iter(letters(20))
    sent: list[Sent] = []
    async with (
        scripted(breaks, extensions=OFFERS["window"]) as server,
        client_of(server) as client,
    ):
        with pytest.raises(ConnectionLost):
            await keep(sent, client, rest)

    assert [one.is_accepted for one in sent[:6]] == [True] * 6
    doubted = [one.index for one in sent if one.is_in_doubt]
    assert doubted == list(range(6, 6 + len(doubted)))
    assert 1 <= len(doubted) <= 4
    assert len(list(rest)) == 20 - len(sent) - 1


async def test_behind_a_421_nothing_is_in_doubt() -> None:
    leaves = on("mail", "421 4.7.0 enough", after=5)
    sent: list[Sent] = []
    async with (
        scripted(leaves, extensions=OFFERS["glue"]) as server,
        client_of(server) as client,
    ):
        with contextlib.suppress(SessionError):
            await keep(sent, client, iter(letters(20)))

    assert sum(one.is_accepted for one in sent) == 5
    assert not any(one.is_in_doubt for one in sent)


@pytest.mark.parametrize("offer", ["glue", "window"])
async def test_who_leaves_early_cuts_the_connection_and_doubles_nothing(offer: str) -> None:
    async with scripted(extensions=OFFERS[offer]) as server, client_of(server) as client:
        async with contextlib.aclosing(client.send_all(letters(20))) as all_sent:
            async for one in all_sent:
                if one.index == 4:
                    break
        with pytest.raises(SessionError):
            await client.noop()

    assert len(set(arrived(server))) == len(arrived(server))


async def test_nothing_to_send_says_nothing() -> None:
    async with scripted(extensions=OFFERS["glue"]) as server, client_of(server) as client:
        sent = await sent_by(client, [])

    assert sent == []
    assert "MAIL" not in verbs(server)


async def test_the_client_is_whole_behind_all() -> None:
    async with scripted(extensions=OFFERS["window"]) as server, client_of(server) as client:
        await sent_by(client, letters(3))
        result = await client.sendmail("a@x.example", "b@y.example", CONTENT)
        other, more = await asyncio.gather(client.noop(), sent_by(client, letters(2)))

    assert result.is_accepted
    assert other.is_positive
    assert len(more) == 2


async def test_with_glue_a_data_stands_right_behind_each_end_of_data() -> None:
    async with scripted(extensions=OFFERS["glue"]) as server, client_of(server) as client:
        await sent_by(client, letters(5))

    said = [verb for verb in verbs(server) if verb in ("MAIL", "RCPT", "DATA")]
    assert said == ["MAIL", "RCPT", "DATA"] * 5
    assert all(one != two for one, two in pairwise(said))
