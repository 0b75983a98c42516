"""What a new run makes of rows that its predecessor, or a person meanwhile, has left."""

from __future__ import annotations

from support.ledger_book import Book, names

from bulkmail.fate import State


async def test_who_was_in_a_dead_runs_hands_when_it_was_cancelled_is_cancelled_by_recovery(
    book: Book,
) -> None:
    await book.enrol("ann", "bob")
    await book.run("dead").claim(1)
    await book.ledger.orders(book.id).cancel()
    before = await book.ledger.counts(book.id)

    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert (before.pending, before.suppressed) == (1, 1)
    assert {row.state for row in await book.report()} == {State.SUPPRESSED}


async def test_who_was_postponed_untried_is_due_at_once_for_the_next_run(book: Book) -> None:
    await book.enrol("ann")
    run = book.run("former")
    await run.postpone(await run.claim(1), book.clock.now + 3600)
    before = await book.run().claim(1)

    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert before == []
    assert names(await book.run().claim(1)) == ["ann"]


async def test_who_waits_and_has_time_left_waits_on(book: Book) -> None:
    await book.enrol("ann", "bob")
    due_at = book.clock.now + 7200
    await book.end("ann", State.DEFERRED, due_at=due_at)
    book.clock.now += 60
    await book.end("bob", State.DEFERRED, due_at=due_at)

    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now, give_up_after=30)

    assert names(await book.run().claim(9)) == ["ann"]


async def test_who_was_never_counted_as_tried_waits_as_long_as_he_was_to(book: Book) -> None:
    """He would not be given up: a server that had no time would be asked sooner than it said."""
    await book.enrol("ann")
    await book.end("ann", State.DEFERRED, due_at=book.clock.now + 7200, is_counted=False)
    book.clock.now += 60

    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now, give_up_after=30)

    assert await book.run().claim(9) == []
