"""Messages that one server cannot take, and another could if it were in use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from support.engine import Bench, FakeTransport, accepted, refused_at_rcpt

from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.errors import AuthenticationFailed, MessageRefusedLocally
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_a_limited_run_that_keeps_some_of_its_own_aside_is_not_over_well(
    bench_of: BenchOf,
) -> None:
    """They were tried, and then only a server could take them that refuses the login."""
    bench = await bench_of(10)
    tried: set[str] = set()

    async def answers(mail: MailObject, mark: Mark) -> TransactionResult:
        address = mail.envelope.forward_paths[0]
        if address in tried:
            raise MessageRefusedLocally("too large")
        if int(address[1]) % 2 == 0:
            tried.add(address)
            return refused_at_rcpt(mail, 450, "4.2.0 later")
        await mark()
        return accepted(mail)

    def refuses() -> None:
        raise AuthenticationFailed("535", host="b", stage=Stage.AUTH, code=535)

    able, out_of_use = FakeTransport("a", answers), FakeTransport("b")
    out_of_use.opening = refuses

    result = await bench.send(able, out_of_use, connections=2, limit=6)

    assert result.ending is Ending.NO_SERVER
    assert "535" in result.sentence
    assert await bench.states() == {"sent": 3, "deferred": 3, "pending": 4}
