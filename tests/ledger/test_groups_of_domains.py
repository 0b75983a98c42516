"""Rows of domains under a limit are claimed by its name, and keep nobody else waiting."""

from __future__ import annotations

from support.ledger_book import Book, names, new_row

from bulkmail.fate import State
from bulkmail.ledger import NewRow

GROUPS = {"gmail": {"gmail.com", "googlemail.com"}, "corp": {"corp.example"}}


def row(number: int, address: str) -> NewRow:
    name, _, domain = address.partition("@")
    return new_row(number, name, key=address, address=address, domain=domain)


async def enrol(book: Book) -> None:
    await book.enrol(
        row(1, "ada@gmail.com"),
        row(2, "bob@corp.example"),
        row(3, "cem@x.example"),
        row(4, "dan@googlemail.com"),
        row(5, "eve@x.example"),
    )


async def test_each_group_is_claimed_by_its_name(book: Book) -> None:
    await enrol(book)
    run = book.run()
    await run.divide(GROUPS)

    assert names(await run.claim(10)) == ["cem", "eve"]
    assert names(await run.claim(10, scope="gmail")) == ["ada", "dan"]
    assert names(await run.claim(10, scope="corp")) == ["bob"]
    assert await run.next_due_at() is None


async def test_limits_may_change_between_runs(book: Book) -> None:
    await enrol(book)
    await book.run().divide(GROUPS)
    run = book.run("later")
    await run.divide({"x": {"x.example"}, "gmail": {"gmail.com"}})

    assert names(await run.claim(10)) == ["bob", "dan"]
    assert names(await run.claim(10, scope="x")) == ["cem", "eve"]
    assert names(await run.claim(10, scope="gmail")) == ["ada"]


async def test_without_limits_all_are_one_group_again(book: Book) -> None:
    await enrol(book)
    await book.run().divide(GROUPS)
    run = book.run("later")
    await run.divide({})

    assert len(await run.claim(10)) == 5


async def test_what_is_due_is_told_by_group(book: Book) -> None:
    await enrol(book)
    run = book.run()
    await run.divide(GROUPS)
    (bob,) = await run.claim(1, scope="corp")
    attempt = book.attempt(bob, State.DEFERRED, due_at=book.clock.now + 60)
    assert await run.record(attempt)

    assert await run.next_due_at(["corp"]) == book.clock.now + 60
    assert await run.next_due_at([""]) == 0
    assert await run.next_due_at() == 0


async def test_a_postponed_row_is_as_it_was_but_later(book: Book) -> None:
    await enrol(book)
    run = book.run()
    await run.divide(GROUPS)
    claimed = await run.claim(10, scope="gmail")
    await run.postpone(claimed[:1], book.clock.now + 30)

    assert await run.claim(10, scope="gmail") == []
    assert await run.next_due_at(["gmail"]) == book.clock.now + 30
    book.clock.now += 31
    (ada,) = await run.claim(10, scope="gmail")
    assert (ada.attempts, ada.first_attempt_at) == (0, None)
    assert (await book.states())["ada"] == "pending"


async def test_who_is_put_under_a_group_is_claimed_by_its_name(book: Book) -> None:
    await enrol(book)
    run = book.run()
    await run.divide(GROUPS)
    claimed = await run.claim(1, scope="corp")
    await run.put_under("gmail", claimed)

    assert "bob" not in names(await run.claim(10)) + names(await run.claim(10, scope="corp"))
    assert "bob" in names(await run.claim(10, scope="gmail"))


async def test_who_was_greylisted_names_the_server(book: Book) -> None:
    await book.enrol("ada", "bob")
    later = {"due_at": book.clock.now, "server": "primary", "stage": "rcpt"}
    await book.end("ada", State.DEFERRED, code=450, **later)
    await book.end("bob", State.DEFERRED, code=421, **later)

    claimed = {d.fields["name"]: d.greylisted_by for d in await book.run().claim(10)}

    assert claimed == {"ada": "primary", "bob": None}


async def test_a_waiting_group_does_not_slow_down_the_claims_of_others(book: Book) -> None:
    """30,000 rows of a domain that waits stand before the one row of another."""
    rows = [row(n, f"u{n}@gmail.com") for n in range(1, 30_001)]
    await book.enrol(*rows, row(30_001, "last@x.example"), batch=5000)
    run = book.run()
    await run.divide(GROUPS)
    thousands = 0

    def thousand_steps() -> int:
        nonlocal thousands
        thousands += 1
        return 0

    await book.ledger._driver.submit(lambda db: db.set_progress_handler(thousand_steps, 1000))
    for _ in range(20):
        claimed = await run.claim(8)
        assert names(claimed) == ["last"]
        await run.release(claimed)

    # Of SQLite's machine; to pass by every row would take some hundred thousand each time.
    assert thousands < 20
