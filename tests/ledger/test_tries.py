"""Marks and results that are asked for together: written together, and each with its own answer."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence

import pytest
from support.ledger_book import Book

from bulkmail.fate import Delivery, Digests, State
from bulkmail.ledger import tries
from bulkmail.ledger.statements import execute_for, for_rows

#: More than two statements of the longest kind, and some left.
MANY = 150


async def claimed(book: Book, count: int) -> list[Delivery]:
    await book.enrol(*[f"u{number}" for number in range(count)], batch=1000)
    return sorted(await book.run().claim(count), key=lambda delivery: delivery.id)


async def test_many_at_once_are_all_written(book: Book) -> None:
    deliveries = await claimed(book, MANY)
    run = book.run()

    marked = await asyncio.gather(*(run.mark(delivery, 5.0) for delivery in deliveries))
    recorded = await asyncio.gather(
        *(
            run.record(book.attempt(d, State.SENT, reason=f"as {d.row}", code=d.row))
            for d in deliveries
        )
    )

    assert marked == recorded == [True] * MANY
    rows = await book.report(State.SENT)
    assert [(row.row, row.reason, row.code) for row in rows] == [
        (number, f"as {number}", number) for number in range(1, MANY + 1)
    ]


async def test_what_is_bound_is_plain(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any other type sqlite3 looks for an adapter, which takes longer than the rest."""
    real, bound = tries.write, set[type]()

    def write(connection: sqlite3.Connection, notes: Sequence[tries.Note]) -> list[bool]:
        bound.update(type(value) for note in notes for value in note)
        return real(connection, notes)

    monkeypatch.setattr(tries, "write", write)
    (delivery,) = await claimed(book, 1)
    run = book.run()
    await run.mark(delivery, 5.0, Digests(message_sha256="0a" * 32))
    await run.record(book.attempt(delivery, State.SENT))

    assert bound == {int, float, str, bytes, type(None)}


async def test_one_whose_claim_is_lost_is_told_so_and_the_rest_are_written(book: Book) -> None:
    deliveries = await claimed(book, 9)
    run, lost = book.run(), deliveries[4]
    await run.release([lost])
    (theirs,) = await book.run("other").claim(1)

    marked = await asyncio.gather(*(run.mark(delivery, 5.0) for delivery in deliveries))
    recorded = await asyncio.gather(
        *(run.record(book.attempt(delivery, State.SENT)) for delivery in deliveries)
    )

    assert marked == recorded == [delivery is not lost for delivery in deliveries]
    assert await book.run("other").mark(theirs, 6.0)


async def test_of_those_written_as_one_each_has_the_answer_it_would_have_alone(book: Book) -> None:
    deliveries = await claimed(book, 9)
    run, lost = book.run(), deliveries[4]
    await run.release([lost])
    (theirs,) = await book.run("other").claim(1)

    attempts = [book.attempt(delivery, State.SENT) for delivery in deliveries[:6]]
    marked, alone, recorded = await asyncio.gather(
        run.mark_all([(delivery, 5.0, None) for delivery in deliveries[:6]]),
        run.mark(deliveries[6], 5.0),
        run.record_all(attempts),
    )

    assert marked == recorded == [delivery is not lost for delivery in deliveries[:6]]
    assert alone is True
    assert len(await book.report(State.SENT)) == 5
    assert await book.run("other").mark(theirs, 6.0)


async def test_who_was_listed_meanwhile_is_suppressed_among_others(book: Book) -> None:
    deliveries = await claimed(book, 5)
    await book.ledger.suppression().add([deliveries[2].address], "asked")

    marked = await asyncio.gather(*(book.run().mark(delivery, 5.0) for delivery in deliveries))

    assert marked == [True, True, False, True, True]
    assert (await book.states())["u2"] == "suppressed: on the suppression list"


async def test_a_result_may_be_asked_for_before_its_mark_is_durable(book: Book) -> None:
    deliveries = await claimed(book, 4)
    run = book.run()
    asked = []
    for delivery in deliveries:
        asked += [run.mark(delivery, 5.0), run.record(book.attempt(delivery, State.DEFERRED))]

    assert await asyncio.gather(*asked) == [True] * 8
    assert set((await book.states()).values()) == {"deferred: so it went"}


async def test_of_a_mark_that_is_refused_no_result_is_written(book: Book) -> None:
    deliveries = await claimed(book, 2)
    await book.ledger.suppression().add([deliveries[0].address], "asked")
    run = book.run()
    asked = []
    for delivery in deliveries:
        asked += [run.mark(delivery, 5.0), run.record(book.attempt(delivery, State.SENT))]

    assert await asyncio.gather(*asked) == [False, False, True, True]
    assert await book.states() == {
        "u0": "suppressed: on the suppression list",
        "u1": "sent: so it went",
    }


async def test_results_of_all_kinds_at_once(book: Book) -> None:
    deliveries = await claimed(book, 3)
    run = book.run()
    states = (State.SENT, State.FAILED, State.DEFERRED)
    await asyncio.gather(*(run.mark(delivery, 5.0) for delivery in deliveries))

    await asyncio.gather(
        *(
            run.record(book.attempt(delivery, state, due_at=7.0 if delivery.row == 3 else None))
            for delivery, state in zip(deliveries, states, strict=True)
        )
    )

    assert list((await book.states()).values()) == [f"{state}: so it went" for state in states]
    again = await book.run().claim(10)
    assert [(delivery.row, delivery.attempts) for delivery in again] == [(3, 1)]


def test_a_statement_for_many_rows_is_that_of_one_with_more_parameters() -> None:
    one = "UPDATE a SET b = told.b FROM (SELECT column1 AS b FROM (VALUES (?, ?))) AS told"
    assert for_rows(one, 3) == one.replace("(?, ?)", "(?, ?), (?, ?), (?, ?)")


@pytest.mark.parametrize(
    ("rows", "counts"), [(0, []), (1, [1]), (16, [16]), (17, [16, 1]), (109, [64, 32, 13])]
)
def test_many_rows_are_changed_by_few_statements(rows: int, counts: list[int]) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE a (b)")
        insert = "INSERT INTO a SELECT column1 FROM (VALUES (?))"
        told = execute_for(connection, insert, [(number,) for number in range(rows)])

        assert list(told) == [(count, count) for count in counts]
        assert [b for (b,) in connection.execute("SELECT b FROM a")] == list(range(rows))
