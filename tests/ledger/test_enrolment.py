from __future__ import annotations

import pytest
from support.ledger_book import Book, names, new_row

from bulkmail.errors import LedgerError
from bulkmail.fate import State


async def test_first_pass_makes_pending_rows_in_the_lists_order(book: Book) -> None:
    counts = await book.enrol("ann", "bob", "cat")

    assert (counts.pending, counts.total) == (3, 3)
    claimed = await book.run().claim(10)
    assert names(claimed) == ["ann", "bob", "cat"]
    assert [row.row for row in claimed] == [1, 2, 3]
    assert claimed[0].fields == {"name": "ann"}


async def test_nothing_is_claimed_before_the_pass_is_complete(book: Book) -> None:
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    book.id = enrolment.campaign_id
    await enrolment.add([new_row(1, "ann")])

    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() is None
    assert (await book.ledger.counts(book.id)).total == 0

    await enrolment.complete(list_sha256="x")
    assert names(await book.run().claim(1)) == ["ann"]


async def test_nothing_is_claimed_while_a_later_pass_is_incomplete(book: Book) -> None:
    await book.enrol("ann")
    await book.ledger.begin("offer", path="p", key_column="email")

    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() is None


async def test_a_pass_that_was_begun_makes_the_list_unknown(book: Book) -> None:
    await book.enrol("ann")
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    await enrolment.abandon()

    record = await book.ledger.campaign("offer")
    assert record is not None
    assert record.list_sha256 is None
    assert record.generation == 1


async def test_new_row_of_a_later_list_is_added(book: Book) -> None:
    await book.enrol("ann")
    counts = await book.enrol("zoe", "ann")

    assert counts.pending == 2
    assert [(row.row, row.email) for row in await book.report()] == [
        (1, "zoe@x.example"),
        (2, "ann@x.example"),
    ]


async def test_changed_row_takes_its_new_fields_and_keeps_its_message_id(book: Book) -> None:
    await book.enrol(new_row(1, "ann"))
    await book.enrol(
        new_row(1, "ann", fields={"name": "Anna"}, address="Ann@x.example", message_id="<new@x>")
    )

    (delivery,) = await book.run().claim(1)
    assert delivery.fields == {"name": "Anna"}
    assert delivery.address == "Ann@x.example"
    assert delivery.message_id == "<ann.1@x.example>"


async def test_changed_row_keeps_state_attempts_and_back_off(book: Book) -> None:
    await book.enrol("ann")
    due_at = book.clock.now + 60
    await book.end("ann", State.DEFERRED, due_at=due_at)

    await book.enrol(new_row(1, "ann", fields={"name": "ann", "new": 1}))

    assert await book.run().claim(1) == []
    book.clock.now = due_at
    (delivery,) = await book.run().claim(1)
    assert (delivery.attempts, delivery.fields) == (1, {"name": "ann", "new": 1})


async def test_sent_row_is_not_sent_again_whatever_its_list_says(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.SENT)

    await book.enrol(new_row(1, "ann", address="other@x.example"))
    await book.enrol("bob")
    await book.enrol("ann", "bob")

    assert await book.states() == {"ann": "sent: so it went", "bob": "pending"}
    assert (await book.report())[0].email == "ann@x.example"
    (ann, _) = await book.ledger.rows(book.id, limit=10)
    assert ann.fields == {}


async def test_gone_row_is_suppressed_and_comes_back_with_its_attempts(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.DEFERRED, due_at=book.clock.now)

    await book.enrol("bob")
    assert await book.states() == {"ann": "suppressed: gone from the list", "bob": "pending"}

    await book.enrol("bob", "ann")
    assert await book.states() == {"bob": "pending", "ann": "pending"}
    assert (await book.claim("ann")).attempts == 1


@pytest.mark.parametrize("state", [State.SENT, State.FAILED])
async def test_gone_row_keeps_what_a_server_said(book: Book, state: State) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", state)

    await book.enrol("bob")
    await book.enrol("ann", "bob")

    assert (await book.states())["ann"] == f"{state}: so it went"


async def test_doubt_that_is_gone_from_the_list_stays_in_doubt_and_is_not_resent(
    book: Book,
) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.IN_DOUBT, due_at=book.clock.now, is_doubt=True)

    await book.enrol("bob")
    assert (await book.states())["ann"] == "in_doubt: so it went"
    assert names(await book.run().claim(10)) == ["bob"]

    await book.enrol("ann", "bob")
    assert names(await book.run().claim(10)) == ["ann"]


async def test_held_doubt_that_was_gone_is_still_held_when_it_is_back(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.IN_DOUBT, is_doubt=True)

    await book.enrol("bob")
    await book.enrol("ann", "bob")

    assert names(await book.run().claim(10)) == ["bob"]


async def test_duplicates_are_left_out_within_and_across_batches(book: Book) -> None:
    rows = [
        new_row(1, "ann"),
        new_row(2, "ann", fields={"name": "second"}),
        new_row(3, "bob"),
        new_row(4, "ann"),
    ]
    counts = await book.enrol(*rows, batch=2)

    assert (counts.total, counts.duplicates) == (2, 2)
    found = await book.ledger.duplicates(book.id)
    assert [(row.row, row.key, row.first_row) for row in found] == [
        (2, "ann@x.example", 1),
        (4, "ann@x.example", 1),
    ]
    assert (await book.claim("ann")).row == 1


async def test_duplicates_are_those_of_the_last_complete_list(book: Book) -> None:
    await book.enrol("ann", "ann")
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    await enrolment.add([new_row(1, "ann"), new_row(2, "ann"), new_row(3, "ann")])
    await enrolment.abandon()
    assert (await book.ledger.counts(book.id)).duplicates == 1

    counts = await book.enrol("ann")
    assert counts.duplicates == 0


async def test_abandoned_pass_leaves_no_new_row_behind(book: Book) -> None:
    await book.enrol("ann")
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    await enrolment.add([new_row(1, "zoe"), new_row(2, "ann", invalid="bad")])
    await enrolment.abandon()

    assert await book.states() == {"ann": "pending"}


async def test_abandoned_first_pass_leaves_no_campaign_behind(book: Book) -> None:
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    await enrolment.add([new_row(1, "ann"), new_row(2, "ann")])
    await enrolment.abandon()

    assert await book.ledger.campaigns() == []


async def test_pass_that_was_cut_off_is_cleared_by_the_next(book: Book) -> None:
    await book.enrol("ann")
    cut_off = await book.ledger.begin("offer", path="p", key_column="email")
    await cut_off.add([new_row(1, "zoe"), new_row(2, "ann")])

    assert await book.states() == {"ann": "pending"}
    await book.enrol("bob", "ann")
    assert await book.states() == {"bob": "pending", "ann": "pending"}


async def test_pass_that_is_over_takes_no_more(book: Book) -> None:
    first = await book.ledger.begin("offer", path="p", key_column="email")
    await book.ledger.begin("offer", path="p", key_column="email")

    with pytest.raises(LedgerError, match="enrolment is over"):
        await first.add([new_row(1, "ann")])
    with pytest.raises(LedgerError, match="enrolment is over"):
        await first.complete(list_sha256="x")


async def test_bad_row_fails_and_waits_again_once_it_is_mended(book: Book) -> None:
    counts = await book.enrol(new_row(1, "ann", invalid="no address"), "bob")
    assert counts.failed == 1
    assert await book.states() == {"ann": "failed: no address", "bob": "pending"}

    await book.enrol("ann", "bob")
    assert await book.states() == {"ann": "pending", "bob": "pending"}


async def test_deferred_row_that_went_bad_fails(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.DEFERRED, due_at=book.clock.now)

    await book.enrol(new_row(1, "ann", invalid="no address"))

    assert await book.states() == {"ann": "failed: no address"}


async def test_row_that_a_server_refused_is_not_revived_by_a_new_list(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.FAILED)

    await book.enrol(new_row(1, "ann", fields={"name": "ann", "changed": True}))

    assert await book.states() == {"ann": "failed: so it went"}


async def test_row_that_its_list_suppresses_is_judged_anew_in_the_next_pass(book: Book) -> None:
    await book.enrol(new_row(1, "ann", suppressed="opted out"))
    assert await book.states() == {"ann": "suppressed: opted out"}

    await book.ledger.rejudge(book.id)
    assert await book.states() == {"ann": "suppressed: opted out"}

    await book.enrol("ann")
    assert await book.states() == {"ann": "pending"}


async def test_unfit_rows_fail_and_are_judged_anew_only_when_checked_again(book: Book) -> None:
    await book.enrol("ann", "bob")
    ann, _ = await book.ledger.rows(book.id, limit=10)
    await book.ledger.fail_rows(book.id, [(ann.id, "undefined: salary")])
    assert await book.states() == {"ann": "failed: undefined: salary", "bob": "pending"}

    await book.ledger.rejudge(book.id)
    assert (await book.states())["ann"] == "failed: undefined: salary"

    await book.ledger.rejudge(book.id, recheck=True)
    assert (await book.states())["ann"] == "pending"


async def test_skipped_row_is_judged_anew_in_each_run(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")
    await book.run().record(
        book.attempt(delivery, State.SUPPRESSED, reason="skipped", is_counted=False)
    )
    assert await book.states() == {"ann": "suppressed: skipped"}

    await book.ledger.rejudge(book.id)

    (delivery,) = await book.run().claim(1)
    assert delivery.first_attempt_at is None


async def test_campaigns_own_list_suppresses_and_lets_go(book: Book) -> None:
    listed = [("ANN@x.example", "unsubscribed"), ("ann@x.example", "again")]
    await book.enrol("ann", "bob", listed=listed)
    assert await book.states() == {"ann": "suppressed: unsubscribed", "bob": "pending"}

    await book.ledger.rejudge(book.id, listed=[("bob@x.example", "unsubscribed")])
    assert await book.states() == {"ann": "pending", "bob": "suppressed: unsubscribed"}

    await book.enrol("ann", "bob", listed=[])
    assert await book.states() == {"ann": "pending", "bob": "pending"}


async def test_listed_row_stays_so_over_a_pass_that_lists_it_still(book: Book) -> None:
    await book.enrol("ann", listed=[("ann@x.example", "unsubscribed")])
    (before,) = await book.report()
    book.clock.now += 100

    await book.enrol("ann", listed=[("ann@x.example", "unsubscribed")])

    (after,) = await book.report()
    assert after == before


async def test_address_is_looked_up_where_the_key_is_another_column(book: Book) -> None:
    await book.enrol(new_row(1, "ann", key="4711"), listed=[("ann@x.example", "unsubscribed")])
    assert await book.states() == {"ann": "suppressed: unsubscribed"}

    await book.ledger.rejudge(book.id)
    assert await book.states() == {"ann": "pending"}


async def test_rows_of_a_pass_are_read_before_it_is_complete(book: Book) -> None:
    await book.enrol("ann", "bob", "cat")
    await book.end("ann", State.SENT)
    await book.end("bob", State.FAILED)
    enrolment = await book.ledger.begin("offer", path="p", key_column="email")
    rows = [new_row(1, "ann"), new_row(2, "bob"), new_row(3, "dan"), new_row(4, "eve", invalid="x")]
    await enrolment.add(rows)

    first = await enrolment.rows(limit=1)
    assert names(first) == ["dan"]
    assert await enrolment.rows(after=first[-1].id, limit=10) == []


async def test_first_from_domain_is_kept(book: Book) -> None:
    first = await book.ledger.begin("offer", path="p", key_column="k", from_domain="one.example")
    await first.complete(list_sha256="x")
    second = await book.ledger.begin("offer", path="p", key_column="k", from_domain="two.example")

    assert second.from_domain == "one.example"


async def test_path_and_key_column_change_only_with_a_complete_pass(book: Book) -> None:
    await book.enrol("ann")
    enrolment = await book.ledger.begin("offer", path="new.yaml", key_column="id")
    record = await book.ledger.campaign("offer")
    assert record is not None
    assert (record.path, record.key_column) == ("offer.yaml", "email")

    await enrolment.complete(list_sha256="x")
    record = await book.ledger.campaign("offer")
    assert record is not None
    assert (record.path, record.key_column) == ("new.yaml", "id")
