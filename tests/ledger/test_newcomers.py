"""`only_new`: whom an earlier occurrence holds is left out of a later one."""

from __future__ import annotations

import pytest
from support.ledger_book import StoppedClock, new_row

from bulkmail.ledger import Enrolment, MemoryLedger, Series

SERIES = "signup"
FIRST, SECOND = f"{SERIES}@20261201T010000Z", f"{SERIES}@20261201T011000Z"


@pytest.fixture
async def ledger(clock: StoppedClock):  # type: ignore[no-untyped-def]
    made = MemoryLedger(clock=clock)
    yield made
    await made.close()


async def begun(ledger: MemoryLedger, name: str, *keys: str, only_new: bool = True) -> Enrolment:
    """A pass of an occurrence (or of the series' own campaign), not complete."""
    series = Series(SERIES, is_occurrence=name != SERIES, only_new=only_new)
    enrolment = await ledger.begin(name, path="p", key_column="", series=series)
    await enrolment.add([new_row(number, name, key=name) for number, name in enumerate(keys, 1)])
    return enrolment


async def enrolled(
    ledger: MemoryLedger, name: str, *keys: str, only_new: bool = True
) -> tuple[set[str], int]:
    """The keys that are in it, and how many were left out."""
    enrolment = await begun(ledger, name, *keys, only_new=only_new)
    await enrolment.complete(list_sha256="x")
    rows = await ledger.rows(enrolment.campaign_id, limit=100)
    return {row.key for row in rows}, enrolment.left_out


async def test_who_was_in_an_earlier_occurrence_is_left_out(ledger: MemoryLedger) -> None:
    await enrolled(ledger, FIRST, "ann", "bob")

    assert await enrolled(ledger, SECOND, "ann", "bob", "new") == ({"new"}, 2)


async def test_without_it_everybody_is_in_each_occurrence_and_held_for_later(
    ledger: MemoryLedger,
) -> None:
    await enrolled(ledger, FIRST, "ann", only_new=False)

    assert await enrolled(ledger, SECOND, "ann", only_new=False) == ({"ann"}, 0)
    assert await enrolled(ledger, f"{SERIES}@20261201T012000Z", "ann") == (set(), 1)


@pytest.mark.parametrize(
    ("state", "is_held"),
    [
        ("pending", True),
        ("sending", True),
        ("sent", True),
        ("deferred", True),
        ("in_doubt", True),
        ("failed", False),
        ("suppressed", False),
    ],
)
async def test_the_state_decides(ledger: MemoryLedger, state: str, is_held: bool) -> None:
    await enrolled(ledger, FIRST, "ann")
    await ledger._driver.submit(
        lambda connection: connection.execute("UPDATE delivery SET state = ?", [state])
    )

    assert await enrolled(ledger, SECOND, "ann") == ((set(), 1) if is_held else ({"ann"}, 0))


async def test_a_plain_send_of_the_series_holds_too_and_is_told_as_well(
    ledger: MemoryLedger,
) -> None:
    await enrolled(ledger, SERIES, "ann")
    await enrolled(ledger, FIRST, "ann", "bob")

    again = await enrolled(ledger, SERIES, "ann", "bob", "new")

    assert again == ({"ann", "new"}, 1)


async def test_another_series_holds_nobody(ledger: MemoryLedger) -> None:
    await enrolled(ledger, FIRST, "ann")
    other = Series("signup2", only_new=True)
    enrolment = await ledger.begin(
        "signup2@20261201T010000Z", path="q", key_column="", series=other
    )
    await enrolment.add([new_row(1, "ann", key="ann")])

    assert enrolment.left_out == 0


async def test_a_pass_that_was_cut_off_holds_nobody(ledger: MemoryLedger) -> None:
    await begun(ledger, FIRST, "ann")

    assert await enrolled(ledger, SECOND, "ann") == ({"ann"}, 0)


async def test_of_two_lists_that_are_read_at_once_one_has_the_key(ledger: MemoryLedger) -> None:
    first = await begun(ledger, FIRST, "ann", "bob")
    second = await begun(ledger, SECOND, "ann", "new")
    await second.complete(list_sha256="x")
    await first.complete(list_sha256="x")

    found = [
        {row.key for row in await ledger.rows(enrolment.campaign_id, limit=9)}
        for enrolment in (first, second)
    ]

    assert found == [{"bob"}, {"ann", "new"}]
    assert (first.left_out, second.left_out) == (1, 0)
