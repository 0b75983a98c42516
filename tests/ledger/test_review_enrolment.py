"""What a pass that was cut off leaves to the next one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.ledger_book import Book, new_row

from bulkmail.ledger import enrolment


async def test_a_pass_behind_one_that_was_cut_off_can_be_given_up(book: Book) -> None:
    twice = [new_row(1, "ann"), new_row(2, "ann")]
    cut_off = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await cut_off.add(twice)

    again = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await again.add(twice)
    await again.abandon()

    assert await book.ledger.campaign("offer") is None


async def test_a_pass_that_was_taken_over_removes_nobody_when_it_is_given_up(book: Book) -> None:
    rows = [new_row(1, "ann"), new_row(2, "bob")]
    former = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await former.add(rows)
    latter = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await latter.add(rows)

    await former.abandon()

    assert (await latter.complete(list_sha256="list")).pending == len(rows)


async def test_who_is_taken_over_while_a_pass_begins_removes_nobody(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a seed of the simulation: the later pass was complete then, and without a recipient."""
    rows = [new_row(1, "ann"), new_row(2, "bob")]
    stopped, goes_on = asyncio.Event(), asyncio.Event()
    remove = enrolment.remove_unborn

    async def paused(*of: Any) -> None:
        stopped.set()
        await goes_on.wait()
        await remove(*of)

    monkeypatch.setattr(enrolment, "remove_unborn", paused)
    former = asyncio.create_task(book.ledger.begin("offer", path="offer.yaml", key_column=""))
    await stopped.wait()
    monkeypatch.setattr(enrolment, "remove_unborn", remove)
    latter = await book.ledger.begin("offer", path="offer.yaml", key_column="")
    await latter.add(rows)

    goes_on.set()
    await former

    assert (await latter.complete(list_sha256="list")).pending == len(rows)
