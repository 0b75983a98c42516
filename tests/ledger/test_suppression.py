from __future__ import annotations

import pytest
from support.ledger_book import Book, names, new_row

from bulkmail.fate import State


async def test_adding_applies_to_who_waits_in_all_campaigns(book: Book) -> None:
    await book.enrol("ann", "bob", campaign="one")
    one = book.id
    await book.enrol(new_row(1, "ann", key="4711"), campaign="two")

    assert await book.ledger.suppression().add([" ANN@x.example "], "asked to") == 1

    assert await book.states() == {"ann": "suppressed: on the suppression list"}
    book.id = one
    assert await book.states() == {"ann": "suppressed: on the suppression list", "bob": "pending"}


LI, LI_IN_ALABELS = "li@münchen.example", "li@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    ("in_the_list", "asked"),
    [(LI.upper(), LI_IN_ALABELS), (LI_IN_ALABELS, LI)],
    ids=["unicode in the list", "A-labels in the list"],
)
async def test_a_domain_is_meant_in_both_its_writings(
    book: Book, in_the_list: str, asked: str
) -> None:
    row = new_row(1, "li", key=in_the_list.lower(), address=in_the_list)
    suppressed = {"li": "suppressed: on the suppression list"}
    suppression = book.ledger.suppression()

    await book.enrol(row, campaign="by a file", listed=[(asked, "on the suppression list")])
    by_a_file = {name.lower(): state for name, state in (await book.states()).items()}
    await book.enrol(row)
    added = await suppression.add([asked, asked], "asked to")
    at_once = {name.lower(): state for name, state in (await book.states()).items()}

    assert (by_a_file, at_once, added) == (suppressed, suppressed, 1)
    assert await suppression.among([LI, LI_IN_ALABELS]) == {LI, LI_IN_ALABELS}
    assert await suppression.remove([in_the_list]) == 1
    assert await suppression.all() == []


async def test_adding_changes_nobody_who_is_sent_or_failed(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.SENT)
    await book.end("bob", State.FAILED)

    await book.ledger.suppression().add(["ann@x.example", "bob@x.example"], "asked to")

    assert await book.states() == {"ann": "sent: so it went", "bob": "failed: so it went"}


async def test_claimed_row_is_suppressed_when_its_try_did_not_send(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    ann, bob, cat = await book.run().claim(3)
    everybody = [f"{name}@x.example" for name in ("ann", "bob", "cat")]
    await book.ledger.suppression().add(everybody, "asked to")
    assert (await book.ledger.counts(book.id)).pending == 3

    await book.run().release([ann])
    await book.run().record(book.attempt(bob, State.DEFERRED, due_at=0.0))
    await book.run().record(book.attempt(cat, State.SENT))

    assert await book.states() == {
        "ann": "suppressed: on the suppression list",
        "bob": "suppressed: on the suppression list",
        "cat": "sent: so it went",
    }


async def test_doubt_of_a_listed_address_is_not_resent(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now)

    await book.ledger.suppression().add(["ann@x.example"], "asked to")

    assert await book.states() == {"ann": "in_doubt: so it went"}
    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() is None


async def test_list_applies_at_enrolment(book: Book) -> None:
    await book.ledger.suppression().add(["ann@x.example"], "asked to")

    await book.enrol(new_row(1, "ann", address="Ann@X.example"), "bob")

    assert await book.states() == {"Ann": "suppressed: on the suppression list", "bob": "pending"}


async def test_who_is_removed_is_pending_in_the_next_run(book: Book) -> None:
    await book.ledger.suppression().add(["ann@x.example"], "asked to")
    await book.enrol("ann")
    assert await book.ledger.suppression().remove(["Ann@x.example", "nobody@x.example"]) == 1
    assert (await book.ledger.counts(book.id)).suppressed == 1

    await book.ledger.rejudge(book.id)

    assert names(await book.run().claim(1)) == ["ann"]


async def test_list_is_read_in_order_and_keeps_first_reasons(book: Book) -> None:
    await book.ledger.suppression().add(["b@x.example", "a@x.example"], "first")
    assert await book.ledger.suppression().add(["A@x.example", "c@x.example"], "second") == 1

    found = await book.ledger.suppression().all()
    assert [(entry.address, entry.reason) for entry in found] == [
        ("a@x.example", "first"),
        ("b@x.example", "first"),
        ("c@x.example", "second"),
    ]
    assert {entry.added_at for entry in found} == {book.clock.now}


async def test_carbon_copies_are_looked_up_as_they_are_written(book: Book) -> None:
    await book.ledger.suppression().add(["ann@x.example"], "asked to")

    assert await book.ledger.suppression().among(["Ann@x.example", "b@x.example"]) == {
        "Ann@x.example"
    }


async def test_nothing_to_add_is_nothing_added(book: Book) -> None:
    assert await book.ledger.suppression().add([], "asked to") == 0
    assert await book.ledger.suppression().remove([]) == 0
