"""Messages that a server does not even begin to take, at the head of a list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.engine import Bench, FakeTransport, accepts

from bulkmail.delivery import health
from bulkmail.delivery.blame import judge
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import Blame
from bulkmail.smtp.reply import EnhancedStatusCode, Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_they_do_not_keep_the_others_from_their_letters(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REST", 0.001)
    poison = {f"u{n}@x.example" for n in range(1, 6)}

    async def refuses_some(mail: MailObject, mark: Mark) -> TransactionResult:
        if mail.envelope.forward_paths[0] in poison:
            return TransactionResult(mail=Reply(550, ("not this one",)))
        return await accepts(mail, mark)

    bench, server = await bench_of(100), FakeTransport("primary", refuses_some)

    result = await bench.send(server, is_waiting=False, connections=4)

    assert result.ending is Ending.NO_SERVER
    assert await bench.states() == {"sent": 95, "pending": 5}


def test_an_extension_that_one_message_needs_is_that_message_s_matter() -> None:
    reply = Reply(553, ("5.6.7 SMTPUTF8 is needed",), EnhancedStatusCode(5, 6, 7))

    assert judge(Stage.MAIL, reply).blame is Blame.MESSAGE
