"""What becomes of a claim when something comes between it and its result."""

from __future__ import annotations

import pytest
from support.ledger_book import Book, names

from bulkmail.fate import State


@pytest.mark.parametrize("tried", [False, True], ids=["fresh", "deferred"])
async def test_who_is_suppressed_while_claimed_is_not_marked_and_gets_nothing(
    book: Book, tried: bool
) -> None:
    await book.enrol("ann", "bob")
    if tried:
        await book.end("ann", State.DEFERRED, due_at=book.clock.now)
    delivery = await book.claim("ann")
    await book.ledger.suppression().add(["ann@x.example"], "asked for it")

    assert not await book.run().mark(delivery, book.clock.now)

    assert (await book.states())["ann"] == "suppressed: on the suppression list"
    await book.claim("bob")


async def test_a_doubt_that_is_suppressed_while_claimed_is_held(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now)
    delivery = await book.claim("ann")
    await book.ledger.suppression().add(["ann@x.example"], "asked for it")

    assert not await book.run().mark(delivery, book.clock.now)

    assert await book.states() == {"ann": "in_doubt: so it went"}
    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() is None


async def test_a_doubt_that_is_suppressed_while_claimed_is_held_when_it_is_given_back(
    book: Book,
) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now)
    delivery = await book.claim("ann")
    await book.ledger.suppression().add(["ann@x.example"], "asked for it")

    await book.run().release([delivery])

    assert await book.run().claim(1) == []


async def test_a_refused_mark_of_what_is_under_way_changes_nothing(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")
    assert await book.run().mark(delivery, book.clock.now)

    assert not await book.run().mark(delivery, book.clock.now)

    assert (await book.ledger.counts(book.id)).sending == 1
    assert await book.run().record(book.attempt(delivery, State.SENT))


@pytest.mark.parametrize(
    ("before", "is_doubt", "reason"),
    [(State.DEFERRED, False, "refused at mail"), (State.IN_DOUBT, True, "so it went")],
    ids=str,
)
async def test_a_try_that_came_to_nothing_leaves_the_row_in_its_state_and_due(
    book: Book, before: State, is_doubt: bool, reason: str
) -> None:
    await book.enrol("ann")
    await book.end("ann", before, is_doubt=is_doubt, due_at=book.clock.now)

    await book.end("ann", State.PENDING, is_counted=False, reason="refused at mail")

    assert await book.states() == {"ann": f"{before}: {reason}"}
    (again,) = await book.run().claim(1)
    assert again.attempts == 1


async def test_doubts_come_last_as_a_second_cut_would_hold_them(book: Book) -> None:
    await book.enrol("ann", "bob", "cid", "dan")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now - 50)
    await book.end("bob", State.DEFERRED, due_at=book.clock.now)
    run = book.run()

    claimed = [names(await run.claim(1))[0] for _ in range(4)]

    assert sorted(claimed[:3]) == ["bob", "cid", "dan"]
    assert claimed[3] == "ann"


async def test_who_could_not_be_begun_stands_behind_those_who_were_not_tried(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("ann", State.PENDING, is_counted=False)

    assert names(await book.run().claim(2)) == ["bob", "cat"]
    assert names(await book.run().claim(1)) == ["ann"]
