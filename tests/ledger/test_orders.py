from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support.ledger_book import Book, StoppedClock, names, new_row

from bulkmail.fate import Halt, State
from bulkmail.ledger import Ledger, orders


async def halt_of(book: Book) -> Halt | None:
    record = await book.ledger.campaign("offer")
    assert record is not None
    return record.halt


async def fields_of(book: Book) -> dict[str, bool]:
    """Name to whether its row data is there."""
    rows = await book.ledger.rows(book.id, limit=1000)
    return {row.address.partition("@")[0]: bool(row.fields) for row in rows}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


async def waiting(book: Book) -> list[str]:
    """Whom a run that heeds its orders can claim right now."""
    run = book.run("looking")
    await run.heed()
    claimed = await run.claim(1000)
    await run.release(claimed)
    return names(claimed)


async def said_and_no_more(book: Book) -> None:
    """The first commit of a cancellation, as another process leaves it."""
    sql = "UPDATE campaign SET halt = 'cancelled'"
    await book.ledger._driver.submit(lambda db: db.execute(sql))


async def test_nothing_is_claimed_while_a_campaign_is_paused(book: Book) -> None:
    await book.enrol("ann", "bob")

    await book.ledger.orders(book.id).pause()
    paused = await halt_of(book), (await book.run().heed()).halt, await book.run().claim(10)
    await book.ledger.orders(book.id).resume()

    assert paused == (Halt.PAUSED, Halt.PAUSED, [])
    assert await halt_of(book) is None
    assert await waiting(book) == ["ann", "bob"]


async def test_cancel_suppresses_who_waits_and_drops_what_was_known_of_them(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan")
    await book.end("ann", State.SENT)
    await book.end("bob", State.FAILED)
    await book.end("cat", State.DEFERRED, due_at=book.clock.now + 60)

    count = await book.ledger.orders(book.id).cancel()

    assert count == 2
    assert await book.states() == {
        "ann": "sent: so it went",
        "bob": "failed: so it went",
        "cat": "suppressed: cancelled",
        "dan": "suppressed: cancelled",
    }
    assert await fields_of(book) == {"ann": False, "bob": True, "cat": False, "dan": False}


async def test_what_a_run_has_in_its_hands_is_cancelled_when_it_comes_back(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan")
    ann, bob, cat, dan = await book.run().claim(4)
    await book.ledger.orders(book.id).cancel()

    await book.run().release([ann])
    for delivery in (bob, cat, dan):
        await book.run().mark(delivery, 1.0)
    await book.run().record(book.attempt(bob, State.DEFERRED, due_at=2.0))
    await book.run().record(book.attempt(cat, State.SENT))
    await book.run().record(book.attempt(dan, State.IN_DOUBT, due_at=2.0, is_doubt=True))

    assert await book.states() == {
        "ann": "suppressed: cancelled",
        "bob": "suppressed: cancelled",
        "cat": "sent: so it went",
        "dan": "in_doubt: so it went",
    }
    await book.ledger.orders(book.id).resume()
    assert await waiting(book) == []


async def test_a_run_that_heeds_a_cancellation_leaves_nobody_waiting(book: Book) -> None:
    """Whoever cancels has said so, and has not come further: it was slow, or was killed."""
    await book.enrol("ann", "bob", "cat", "dan")
    await book.end("ann", State.IN_DOUBT, due_at=book.clock.now + 60, is_doubt=True)
    claimed = await book.claim("bob")
    await said_and_no_more(book)

    heeded = await book.run().heed()
    await book.run().release([claimed])

    assert heeded.halt is Halt.CANCELLED
    assert await book.states() == {
        "ann": "in_doubt: so it went",
        "bob": "suppressed: cancelled",
        "cat": "suppressed: cancelled",
        "dan": "suppressed: cancelled",
    }
    assert await book.run().next_due_at() is None


async def test_a_long_list_is_cancelled_to_its_end(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "BATCH", 2)
    await book.enrol("ann", "bob", "cat", "dan", "eve")

    count = await book.ledger.orders(book.id).cancel()

    assert count == 5
    assert set((await book.states()).values()) == {"suppressed: cancelled"}


async def test_later_passes_are_cancelled_too(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.ledger.orders(book.id).cancel()

    await book.enrol("ann", "cat")

    assert await book.states() == {
        "ann": "suppressed: cancelled",
        "bob": "suppressed: cancelled",
        "cat": "suppressed: cancelled",
    }
    assert not any((await fields_of(book)).values())


async def test_who_is_taken_off_a_list_is_cancelled_instead(book: Book) -> None:
    await book.ledger.suppression().add(["ann@x.example"], "asked")
    await book.enrol("ann")
    await book.ledger.orders(book.id).cancel()
    listed = await book.states()

    await book.ledger.suppression().remove(["ann@x.example"])
    await book.ledger.rejudge(book.id)

    assert listed == {"ann": "suppressed: on the suppression list"}
    assert await book.states() == {"ann": "suppressed: cancelled"}


async def test_a_row_that_turned_bad_stays_cancelled(book: Book) -> None:
    await book.enrol("ann")
    await book.ledger.orders(book.id).cancel()

    await book.enrol(new_row(1, "ann", invalid="no address"))

    assert await book.states() == {"ann": "suppressed: cancelled"}


async def test_who_was_cancelled_left_the_list_and_came_back_stays_cancelled(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.ledger.orders(book.id).cancel()
    await book.ledger.orders(book.id).resume()

    await book.enrol("ann")
    await book.enrol("ann", "bob", "cat")

    assert await waiting(book) == ["cat"]
    assert (await book.states())["bob"] == "suppressed: cancelled"


async def test_cancelled_rows_come_back_by_retry_once_the_list_was_read_again(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.ledger.orders(book.id).cancel()

    put_back = await book.ledger.orders(book.id).retry(State.SUPPRESSED)
    record = await book.ledger.campaign("offer")
    before = await waiting(book)
    await book.enrol("ann", "bob")

    assert (put_back.count, put_back.left) == (2, 0)
    assert record is not None
    assert (record.halt, record.list_sha256) == (None, None)
    assert before == []
    assert await waiting(book) == ["ann", "bob"]
    assert all((await fields_of(book)).values())


async def test_with_all_fields_kept_cancelled_rows_need_no_list(clock: StoppedClock) -> None:
    ledger = await Ledger.open(None, clock=clock, keeps_fields=True)
    book = Book(ledger, clock)
    await book.enrol("ann", "bob")
    await book.end("ann", State.SENT)
    await ledger.orders(book.id).cancel()
    await ledger.orders(book.id).retry(State.SUPPRESSED)

    assert await fields_of(book) == {"ann": True, "bob": True}
    assert await waiting(book) == ["bob"]
    await ledger.close()


async def test_a_doubt_that_a_cancellation_held_follows_its_own_rule_again(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now)
    await book.ledger.orders(book.id).cancel()
    held = await waiting(book)
    await book.ledger.orders(book.id).resume()
    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert held == []
    assert await waiting(book) == ["ann"]


@pytest.mark.parametrize("later", ["gone", "bad"])
async def test_a_doubt_freed_of_a_cancellation_is_held_by_what_the_list_says(
    book: Book, later: str
) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.IN_DOUBT, is_doubt=True)
    await book.ledger.orders(book.id).cancel()
    bad = [new_row(2, "ann", invalid="no address")] if later == "bad" else []
    await book.enrol("bob", *bad)
    await book.ledger.orders(book.id).resume()
    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert await waiting(book) == []


async def test_retry_puts_failed_rows_back_as_if_they_had_not_been_tried(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.FAILED)
    before = (await book.claim("bob")).message_id

    put_back = await book.ledger.orders(book.id).retry(State.FAILED)
    await book.run("other").heed()
    (ann,) = await book.run("other").claim(10)

    assert (put_back.count, put_back.left) == (1, 0)
    assert (ann.attempts, ann.doubts, ann.first_attempt_at) == (0, 0, None)
    assert ann.message_id == "<ann.1@x.example>"
    assert ann.fields == {"name": "ann"}
    assert before == "<bob.1@x.example>"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (None, {"ann", "bob", "cat"}),
        ("552", {"ann"}),
        ("55", {"ann", "bob"}),
        ("5", {"ann", "bob", "cat"}),
        ("5.2.2", {"ann", "cat"}),
        ("5.2", {"ann", "cat"}),
        ("5.2.20", set[str]()),
        ("4", set[str]()),
    ],
)
async def test_retry_takes_those_whose_reply_had_the_code(
    book: Book, code: str | None, found: set[str]
) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("ann", State.FAILED, code=552, enhanced_code="5.2.2")
    await book.end("bob", State.FAILED, code=550, enhanced_code="5.21.2")
    await book.end("cat", State.FAILED, code=541, enhanced_code="5.2.2")

    await book.ledger.orders(book.id).retry(State.FAILED, code)

    assert set(await waiting(book)) == found


async def test_retry_leaves_bad_rows_those_gone_and_those_in_hand(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan", new_row(5, "eve", invalid="no address"))
    for name in ("ann", "bob", "cat"):
        await book.end(name, State.FAILED)
    await book.enrol("ann", new_row(2, "bob", invalid="mended badly"), "dan")
    await book.claim("dan")

    put_back = await book.ledger.orders(book.id).retry(State.FAILED)

    assert (put_back.count, put_back.left) == (1, 2)


async def test_retry_takes_nobody_out_of_a_runs_hands(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.DEFERRED, due_at=book.clock.now)
    await book.claim("ann")

    assert await book.ledger.orders(book.id).retry(State.DEFERRED) == orders.PutBack(0, 1)


async def test_who_was_put_back_and_is_on_a_list_by_now_is_suppressed(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    for name in ("ann", "bob", "cat"):
        await book.end(name, State.FAILED)
    await book.ledger.suppression().add(["ann@x.example"], "asked")
    await book.ledger.orders(book.id).retry(State.FAILED)

    listed = [("bob@x.example", "in the campaign's file")]
    run = book.ledger.run(book.id, owner="me", listed=listed)
    before = await run.claim(10)
    heeded = await run.heed()

    assert before == []
    assert heeded.put_back == 1
    assert names(await run.claim(10)) == ["cat"]
    assert (await book.states())["ann"] == "suppressed: on the suppression list"
    assert (await book.states())["bob"] == "suppressed: in the campaign's file"
    assert (await run.heed()).put_back == 0


@pytest.mark.parametrize("way", ["pass", "rejudge"])
async def test_the_next_run_takes_up_who_was_put_back(book: Book, way: str) -> None:
    await book.enrol("ann")
    await book.end("ann", State.FAILED)
    await book.ledger.orders(book.id).retry(State.FAILED)

    if way == "pass":
        await book.enrol("ann")
    else:
        await book.ledger.rejudge(book.id)

    assert names(await book.run().claim(10)) == ["ann"]


@pytest.mark.parametrize(("verb", "doubts"), [("retry", 0), ("resend", 1)])
async def test_doubts_are_forgotten_only_where_they_were_chosen(
    book: Book, verb: str, doubts: int
) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True)
    order = book.ledger.orders(book.id)

    put_back = await (order.retry(State.IN_DOUBT) if verb == "retry" else order.resend())
    await book.run().heed()
    (ann,) = await book.run().claim(10)

    assert put_back.count == 1
    assert (ann.doubts, ann.attempts, ann.message_id) == (doubts, 0, "<ann.1@x.example>")


async def test_a_doubt_of_who_is_suppressed_is_not_resent(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.IN_DOUBT, is_doubt=True)
    await book.ledger.suppression().add(["ann@x.example"], "asked")

    assert await book.ledger.orders(book.id).resend() == orders.PutBack(0, 1)


async def test_a_person_may_know_that_a_doubt_arrived(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("ann", State.IN_DOUBT, is_doubt=True)
    await book.end("bob", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now)
    (bob, cat) = await book.run().claim(10)

    count = await book.ledger.orders(book.id).resolve()

    assert count == 1
    assert (await book.states())["ann"] == "sent: resolved by hand"
    assert (await fields_of(book))["ann"] is False
    assert {bob.doubts, cat.doubts} == {0, 1}


async def test_long_orders_go_through_in_many_commits(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "BATCH", 3)
    await book.enrol(*(f"n{number}" for number in range(10)))

    cancelled = await book.ledger.orders(book.id).cancel()
    back = await book.ledger.orders(book.id).retry(State.SUPPRESSED)
    await book.enrol(*(f"n{number}" for number in range(10)))
    dropped = await book.ledger.orders(book.id).purge()

    assert (cancelled, back.count, dropped) == (10, 10, 10)


async def test_another_campaign_is_left_alone(book: Book) -> None:
    await book.enrol("ann", campaign="other")
    other = book.id
    await book.enrol("ann")

    await book.ledger.orders(book.id).cancel()
    await book.ledger.orders(book.id).purge()

    book.id = other
    assert await waiting(book) == ["ann"]
    assert await fields_of(book) == {"ann": True}


async def test_purge_drops_all_row_data_and_leaves_the_outcomes(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("ann", State.SENT)
    await book.end("bob", State.FAILED, code=550, reply="no such user")
    before = await book.report()

    dropped = await book.ledger.orders(book.id).purge()
    record = await book.ledger.campaign("offer")

    assert dropped == 2
    assert await book.report() == before
    assert not any((await fields_of(book)).values())
    assert record is not None
    assert record.list_sha256 is None, "the next run reads the list again"
    await book.enrol("ann", "bob", "cat")
    assert await fields_of(book) == {"ann": False, "bob": True, "cat": True}


async def test_what_was_purged_is_in_no_file(tmp_path: Path, clock: StoppedClock) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock)
    book = Book(ledger, clock)
    await book.enrol(new_row(1, "ann", fields={"salary": "MYSALARY" * 2000}), "bob")

    await ledger.orders(book.id).purge()
    left = contents(tmp_path)
    await ledger.close()

    assert "ledger.db" in left
    assert not [name for name, content in left.items() if b"MYSALARY" in content]


async def test_a_halt_of_another_word_is_refused_by_the_schema(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock)
    await Book(ledger, clock).enrol("ann")
    await ledger.close()

    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE campaign SET halt = 'stopped'")
    connection.close()


async def test_cut_off_ends_what_a_dead_run_left_and_holds_the_doubts(book: Book) -> None:
    await book.enrol("ann", "bob")
    ann, _ = await book.run("dead").claim(2)
    await book.run("dead").mark(ann, 1.0)

    doubts = await book.ledger.cut_off(book.id)

    assert doubts == 1
    assert await waiting(book) == ["bob"]
    assert (await book.report(State.IN_DOUBT))[0].email == "ann@x.example"
