"""What a pass that was cut off leaves to the next one."""

from __future__ import annotations

from support.ledger_book import Book, new_row


async def test_a_pass_behind_one_that_was_cut_off_can_be_given_up(book: Book) -> None:
    twice = [new_row(1, "ann"), new_row(2, "ann")]
    cut_off = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await cut_off.add(twice)

    again = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await again.add(twice)
    await again.abandon()

    assert await book.ledger.campaign("offer") is None
