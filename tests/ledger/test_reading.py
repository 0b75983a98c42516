from __future__ import annotations

import pytest
from support.ledger_book import Book, names, new_row

from bulkmail.errors import ConfigurationError
from bulkmail.fate import Counts, State
from bulkmail.ledger import reading


async def test_counts_are_by_state(book: Book) -> None:
    await book.enrol("a", "b", "c", "d", "e", new_row(6, "f", invalid="x"), "g", "a")
    await book.end("a", State.SENT)
    await book.end("b", State.FAILED)
    await book.end("c", State.DEFERRED, due_at=9e9)
    await book.end("d", State.IN_DOUBT)
    await book.ledger.suppression().add(["e@x.example"], "asked to")

    assert await book.ledger.counts(book.id) == Counts(
        sent=1, failed=2, deferred=1, in_doubt=1, suppressed=1, pending=1, duplicates=1
    )


async def test_report_streams_pages_in_the_lists_order(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)
    await book.enrol("ann", "bob", "cat", "dan")
    await book.enrol("zoe", "cat", "bob", "dan")

    rows = [(row.row, row.email.partition("@")[0]) for row in await book.report()]
    # Who is gone keeps the number it had.
    assert rows == [(1, "ann"), (1, "zoe"), (2, "cat"), (3, "bob"), (4, "dan")]


async def test_report_of_one_state(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.SENT)

    assert [row.key for row in await book.report(State.SENT)] == ["ann@x.example"]


async def test_reasons_are_grouped_most_frequent_first(book: Book) -> None:
    await book.enrol("a", "b", "c", "d", "e", "f")
    for name in "abcd":
        await book.end(
            name, State.FAILED, code=550, enhanced_code="5.1.1", reply=f"550 5.1.1 no {name}"
        )
    await book.end("e", State.DEFERRED, reason="no server would work", due_at=9e9)

    first, second = await book.ledger.reasons(book.id)
    assert (first.state, first.code, first.enhanced_code, first.count) == (
        State.FAILED,
        550,
        "5.1.1",
        4,
    )
    assert first.text == "550 5.1.1 no a"
    assert first.addresses == ("a@x.example", "b@x.example", "c@x.example")
    assert (second.text, second.count) == ("no server would work", 1)


async def test_a_row_that_was_cancelled_is_not_told_by_what_a_server_said_before(
    book: Book,
) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.DEFERRED, code=450, reply="450 later", due_at=9e9)
    await book.ledger.orders(book.id).cancel()

    (reason,) = await book.ledger.reasons(book.id)
    assert (reason.state, reason.code, reason.text) == (State.SUPPRESSED, None, "cancelled")
    assert reason.count == 2


async def test_counts_by_server(book: Book) -> None:
    await book.enrol("a", "b", "c")
    await book.end("a", State.SENT, server="primary")
    await book.end("b", State.FAILED, server="backup")

    assert await book.ledger.by_server(book.id) == {
        "backup": Counts(failed=1),
        "primary": Counts(sent=1),
    }


async def test_rows_are_paged_by_id_and_filtered_by_state(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("bob", State.SENT)

    first = await book.ledger.rows(book.id, limit=1, states=[State.PENDING])
    assert names(first) == ["ann"]
    rest = await book.ledger.rows(book.id, after=first[0].id, limit=5, states=[State.PENDING])
    assert names(rest) == ["cat"]


async def test_one_row_is_found_by_number_or_address(book: Book) -> None:
    await book.enrol("ann", new_row(2, "bob", key="4711"))

    by_row = await book.ledger.delivery(book.id, row=2)
    by_key = await book.ledger.delivery(book.id, email="ANN@x.example")
    by_mailbox = await book.ledger.delivery(book.id, email="Bob@x.example")
    assert by_row is not None
    assert by_key is not None
    assert by_mailbox is not None
    assert names([by_row, by_key, by_mailbox]) == ["bob", "ann", "bob"]
    assert await book.ledger.delivery(book.id, row=3) is None
    assert await book.ledger.delivery(book.id, email="4711") is None


async def test_last_update_is_the_newest_rows(book: Book) -> None:
    await book.enrol("ann", "bob")
    book.clock.now += 10
    await book.end("ann", State.SENT)

    assert await book.ledger.updated_at(book.id) == book.clock.now
    assert await book.ledger.updated_at(999) is None


async def test_campaign_is_found_by_name_and_file(book: Book) -> None:
    await book.enrol("ann", campaign="one")
    await book.enrol("ann", campaign="two")
    await book.ledger.set_checked(book.id, "fingerprint")

    record = await book.ledger.campaign("two")
    assert record is not None
    assert record == await book.ledger.campaign_at("two.yaml")
    assert (record.fingerprint, record.list_sha256, record.generation) == ("fingerprint", "sha", 1)
    assert record.created_at == book.clock.now
    assert [other.name for other in await book.ledger.campaigns()] == ["one", "two"]
    assert await book.ledger.campaign("three") is None
    assert await book.ledger.campaign_at("three.yaml") is None


async def test_rename_keeps_everything_else(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.SENT)

    await book.ledger.rename("offer", "letter")

    record = await book.ledger.campaign("letter")
    assert record is not None
    assert record.id == book.id
    assert await book.ledger.campaign("offer") is None


async def test_a_pass_that_was_never_completed_keeps_no_name(book: Book) -> None:
    await book.enrol("ann")
    offer = book.id
    unfinished = await book.ledger.begin("letter", path="p", key_column="")
    await unfinished.add([new_row(1, "ann"), new_row(2, "bob"), new_row(3, "ann")])

    await book.ledger.rename("offer", "letter")

    assert [record.id for record in await book.ledger.campaigns()] == [offer]
    assert (await book.ledger.counts(offer)).total == 1
    assert (await book.ledger.counts(unfinished.campaign_id)).total == 0


async def test_rename_refuses_what_is_not_there_or_is_taken(book: Book) -> None:
    await book.enrol("ann", campaign="one")
    await book.enrol("ann", campaign="two")

    with pytest.raises(ConfigurationError, match="no campaign 'none'"):
        await book.ledger.rename("none", "two")
    with pytest.raises(ConfigurationError, match="'one' cannot become 'two'"):
        await book.ledger.rename("one", "two")
