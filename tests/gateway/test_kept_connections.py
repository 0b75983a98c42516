"""Requests on a connection that is kept, one behind another, and what breaks it."""

from __future__ import annotations

import pytest
from gateway.conftest import NUMBER, TEXT, Sender, ihuyi
from support.scripted_gateway import TAKEN, answer, code, scripted_gateway

from bulkmail.clock import SystemClock
from bulkmail.gateway import GatewayTransport
from bulkmail.message.sms.text_message import TextMessage
from bulkmail.outcome import Accepted, InDoubt, Outcome


@pytest.fixture(autouse=True)
def kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine, too."""
    monkeypatch.setattr("bulkmail.gateway.exchange.KEEPALIVE", 3600.0)


async def sent(endpoint: str, sender: Sender, count: int) -> list[Outcome]:
    """What so many texts came to, one after the other."""
    transport = GatewayTransport(ihuyi(endpoint), clock=SystemClock(), key=None)
    message = TextMessage.to(NUMBER, TEXT, message_id="<1@x.example>", row=1)
    outcomes = []
    for _ in range(count):
        session = await transport.acquire()
        outcomes.append(await session.send(message, sender.mark))
        await transport.release(session)
    await transport.close()
    return outcomes


async def test_connections_are_used_again(sender: Sender) -> None:
    async with scripted_gateway() as gateway:
        await sent(gateway.endpoint, sender, 5)

    assert len(gateway.arrivals) == 5
    assert gateway.connections == 1


async def test_a_second_answer_is_not_taken_for_the_next_request_s(sender: Sender) -> None:
    said = iter([answer(TAKEN % 1) + answer(TAKEN % 2), code(4072), answer(TAKEN % 3)])
    async with scripted_gateway(lambda *_: next(said)) as gateway:
        outcomes = await sent(gateway.endpoint, sender, 3)

    first, second, third = outcomes
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert isinstance(second, InDoubt)
    assert "before the request" in second.reason


@pytest.mark.parametrize("more", [answer(TAKEN % 2), b"\r\n"], ids=["answer", "blank line"])
async def test_of_a_gateway_that_says_more_than_an_answer_not_every_other_message_is_in_doubt(
    more: bytes, sender: Sender
) -> None:
    async with scripted_gateway(lambda *_: answer(TAKEN % 1) + more) as gateway:
        outcomes = await sent(gateway.endpoint, sender, 5)

    assert [type(outcome) for outcome in outcomes] == [Accepted, InDoubt, *[Accepted] * 3]
