"""Who waits by a clock that was a year ahead waits no longer, and no shorter, than he was to."""

from __future__ import annotations

from support.ledger_book import Book

from bulkmail.fate import State

YEAR = 365 * 86400.0


async def test_a_wait_is_kept_over_a_second_recovery(book: Book) -> None:
    await book.enrol("ann")
    now = book.clock.now
    book.clock.now += YEAR
    await book.end("ann", State.DEFERRED, due_at=book.clock.now + 3600)

    due = []
    for seconds in (0, 60):
        book.clock.now = now + seconds
        await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)
        due.append(await book.run("next").next_due_at())

    assert due == [now + 3600, now + 3600]


async def test_who_was_postponed_by_it_is_due(book: Book) -> None:
    await book.enrol("ann")
    now = book.clock.now
    await book.end("ann", State.DEFERRED, due_at=now + 60)
    book.clock.now += YEAR
    run = book.run()
    await run.postpone(await run.claim(1), book.clock.now + 300)

    book.clock.now = now + 300
    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert await book.run("next").next_due_at() == now + 300
