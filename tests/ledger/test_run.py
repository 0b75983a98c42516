from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.ledger_book import Book, StoppedClock, names, new_row

from bulkmail.campaign.units import Rate
from bulkmail.delivery import ledger_port
from bulkmail.fate import State
from bulkmail.ledger import CampaignRun, Ledger, Permit


def test_a_run_is_what_the_engine_asks_for() -> None:
    """Held by mypy: the ports are met by shape."""

    def engine(_: ledger_port.Ledger, __: ledger_port.Permit) -> None: ...

    def meets(run: CampaignRun, permit: Permit) -> None:
        engine(run, permit)

    assert callable(meets)


async def test_claims_are_disjoint_and_oldest_due_first(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan")

    first = await book.run("one").claim(2)
    second = await book.run("two").claim(2)

    assert names(first) == ["ann", "bob"]
    assert names(second) == ["cat", "dan"]


async def test_who_was_deferred_and_who_is_fresh_take_turns(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan", "eve", "fay")
    for name in ("ann", "bob"):
        await book.end(name, State.DEFERRED, due_at=book.clock.now - 5)

    run = book.run()
    one_by_one = [name for _ in range(3) for name in names(await run.claim(1))]
    at_once = await book.run("other").claim(2)

    assert one_by_one == ["ann", "cat", "bob"]
    assert names(at_once) == ["dan", "eve"]


async def test_a_batch_holds_both_who_was_deferred_and_who_is_fresh(book: Book) -> None:
    await book.enrol("ann", "bob", "cat", "dan", "eve", "fay")
    for name in ("ann", "bob", "cat"):
        await book.end(name, State.DEFERRED, due_at=book.clock.now - 5)

    assert sorted(names(await book.run().claim(4))) == ["ann", "bob", "dan", "eve"]


async def test_deferred_row_is_claimed_when_it_is_due(book: Book) -> None:
    await book.enrol("ann")
    due_at = book.clock.now + 60
    await book.end("ann", State.DEFERRED, due_at=due_at)

    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() == due_at
    book.clock.now = due_at
    assert names(await book.run().claim(1)) == ["ann"]


async def test_row_recorded_as_pending_is_free_at_once_and_was_not_tried(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.PENDING, is_counted=False)

    (delivery,) = await book.run().claim(1)
    assert (delivery.attempts, delivery.first_attempt_at) == (0, None)


async def test_result_is_written_with_its_facts(book: Book) -> None:
    await book.enrol("ann")
    await book.end(
        "ann",
        State.SENT,
        reason="accepted",
        server="primary",
        stage="end of data",
        code=250,
        enhanced_code="2.0.0",
        reply="250 2.0.0 queued",
        refused_recipients={"cc@x.example": "550 no"},
    )

    (row,) = await book.report()
    assert (row.state, row.reason, row.attempts) == (State.SENT, "accepted", 1)
    assert (row.server, row.stage, row.code) == ("primary", "end of data", 250)
    assert (row.enhanced_code, row.reply) == ("2.0.0", "250 2.0.0 queued")
    assert row.refused_recipients == {"cc@x.example": "550 no"}
    assert row.updated_at == book.clock.now


async def test_fields_are_dropped_when_sent_and_kept_when_failed(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.end("ann", State.SENT)
    await book.end("bob", State.FAILED)

    rows = await book.ledger.rows(book.id, limit=10)
    assert [row.fields for row in rows] == [{}, {"name": "bob"}]


async def test_result_of_an_older_epoch_writes_nothing(book: Book) -> None:
    await book.enrol("ann")
    old = await book.claim("ann")
    book.clock.now += 61
    (new,) = await book.run("other").claim(1)

    assert new.epoch == old.epoch + 1
    assert not await book.run().mark(old, 0.0)
    assert not await book.run().record(book.attempt(old, State.SENT))
    assert await book.run("other").mark(new, 0.0)
    assert (await book.ledger.counts(book.id)).sending == 1


async def test_run_never_claims_again_what_it_still_holds(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")
    book.clock.now += 3600

    assert await book.run().claim(1) == []
    assert await book.run().mark(delivery, 0.0)


async def test_result_is_written_once(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")

    assert await book.run().record(book.attempt(delivery, State.SENT))
    assert not await book.run().record(book.attempt(delivery, State.FAILED))
    assert (await book.ledger.counts(book.id)).sent == 1


async def test_lease_holds_until_it_ends_and_is_renewed(book: Book) -> None:
    await book.enrol("ann")
    await book.claim("ann")

    book.clock.now += 59
    assert await book.run("other").claim(1) == []
    await book.run().renew()
    book.clock.now += 59
    assert await book.run("other").claim(1) == []
    book.clock.now += 2
    assert names(await book.run("other").claim(1)) == ["ann"]


async def test_next_due_counts_other_owners_leases_and_not_our_own(book: Book) -> None:
    await book.enrol("ann")
    began = book.clock.now
    await book.claim("ann")

    assert await book.run().next_due_at() is None
    assert await book.run("other").next_due_at() == began + 60


async def test_next_due_counts_siblings_claims_when_their_leases_have_ended(book: Book) -> None:
    await book.enrol("ann")
    await book.claim("ann")
    sibling = book.ledger.run(book.id, owner="other", has_siblings=True)

    assert await sibling.next_due_at() is None
    book.clock.now += 61
    assert await sibling.next_due_at() == book.clock.now - 1
    assert names(await sibling.claim(1)) == ["ann"]


async def test_release_gives_back_what_was_claimed(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")
    await book.run().release([delivery])

    again = await book.claim("ann")
    assert (again.attempts, again.first_attempt_at) == (0, None)


@pytest.mark.parametrize("before", [State.PENDING, State.DEFERRED, State.IN_DOUBT])
async def test_release_takes_a_mark_back(book: Book, before: State) -> None:
    await book.enrol("ann")
    if before is not State.PENDING:
        await book.end(
            "ann", before, due_at=book.clock.now, is_doubt=before is State.IN_DOUBT, reason=""
        )
    delivery = await book.claim("ann")
    assert await book.run().mark(delivery, book.clock.now)

    await book.run().release([delivery])

    assert await book.states() == {"ann": before.value}
    assert (await book.claim("ann")).first_attempt_at == delivery.first_attempt_at


async def test_release_of_a_lost_claim_changes_nothing(book: Book) -> None:
    await book.enrol("ann")
    old = await book.claim("ann")
    book.clock.now += 61
    await book.run("other").claim(1)

    await book.run().release([old])

    assert await book.run("third").claim(1) == []


async def test_sending_row_is_claimed_by_nobody(book: Book) -> None:
    await book.enrol("ann")
    delivery = await book.claim("ann")
    await book.run().mark(delivery, 0.0)
    book.clock.now += 1000

    assert await book.run("other").claim(1) == []


async def test_a_try_at_which_nobody_was_named_is_not_the_first_attempt(book: Book) -> None:
    await book.enrol("ann")
    began = book.clock.now
    await book.end("ann", State.DEFERRED, is_counted=False, stage="mail")
    for _ in range(2):
        book.clock.now += 100
        await book.end("ann", State.DEFERRED)

    delivery = await book.claim("ann")
    assert (delivery.first_attempt_at, delivery.attempts) == (began + 100, 2)


async def test_first_attempt_is_the_instant_of_the_first_try(book: Book) -> None:
    await book.enrol("ann")
    began = book.clock.now
    await book.end("ann", State.DEFERRED)
    book.clock.now += 100
    await book.end("ann", State.DEFERRED)

    delivery = await book.claim("ann")
    assert (delivery.first_attempt_at, delivery.attempts) == (began, 2)


async def test_doubt_is_resent_at_its_time_and_held_without_one(book: Book) -> None:
    await book.enrol("ann")
    await book.end("ann", State.IN_DOUBT, is_doubt=True, due_at=book.clock.now + 60)
    assert await book.run().claim(1) == []

    book.clock.now += 60
    delivery = await book.claim("ann")
    assert delivery.doubts == 1

    await book.run().record(book.attempt(delivery, State.IN_DOUBT, is_doubt=True))
    book.clock.now += 1_000_000
    assert await book.run().claim(1) == []
    assert await book.run().next_due_at() is None


async def test_cut_off_run_leaves_marked_rows_in_doubt_and_claims_free(book: Book) -> None:
    await book.enrol("ann", "bob")
    began = book.clock.now
    ann, _ = await book.run("dead").claim(2)
    await book.run("dead").mark(ann, began - 1)
    book.clock.now += 5

    due_at = book.clock.now + 60
    assert await book.ledger.recover(book.id, resend=True, due_at=due_at) == 1

    assert await book.states() == {
        "ann": "in_doubt: the run was cut off after the end of data may have been sent",
        "bob": "pending",
    }
    assert names(await book.run().claim(10)) == ["bob"]
    assert not await book.run("dead").record(book.attempt(ann, State.SENT))
    book.clock.now = due_at
    (resent,) = await book.run().claim(10)
    assert (resent.doubts, resent.attempts) == (1, 1)
    assert resent.first_attempt_at == began - 1
    assert resent.message_id == ann.message_id


async def test_who_was_cut_off_is_not_reported_with_the_answer_to_an_earlier_try(
    book: Book,
) -> None:
    await book.enrol("ann")
    (ann,) = await book.run("dead").claim(1)
    await book.run("dead").record(
        book.attempt(
            ann,
            State.DEFERRED,
            due_at=book.clock.now,
            server="one",
            stage="rcpt",
            code=450,
            enhanced_code="4.2.1",
            reply="4.2.1 busy",
        )
    )
    (ann,) = await book.run("dead").claim(1)
    await book.run("dead").mark(ann, book.clock.now)

    await book.ledger.recover(book.id, resend=False, due_at=book.clock.now)

    (row,) = await book.report()
    assert (row.state, row.stage, row.attempts) == (State.IN_DOUBT, "end of data", 2)
    assert (row.server, row.code, row.enhanced_code, row.reply) == (None, None, None, None)


async def test_who_waits_by_a_clock_that_was_ahead_waits_no_longer_than_he_had_to(
    book: Book,
) -> None:
    """A machine that believed in another year: nobody is to wait until then."""
    await book.enrol("ann", "bob")
    now, year = book.clock.now, 365 * 86400.0
    book.clock.now += year
    await book.end("ann", State.DEFERRED, due_at=book.clock.now + 60)
    book.clock.now = now
    await book.end("bob", State.DEFERRED, due_at=now + 3600)

    await book.ledger.recover(book.id, resend=True, due_at=now)

    assert await book.run().next_due_at() == now + 60
    book.clock.now = now + 60
    (ann,) = await book.run().claim(10)
    assert (names([ann]), ann.first_attempt_at) == (["ann"], now)


async def test_recovery_twice_is_as_good_as_once(book: Book) -> None:
    await book.enrol("ann")
    (ann,) = await book.run("dead").claim(1)
    await book.run("dead").mark(ann, 0.0)
    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert await book.ledger.recover(book.id, resend=True, due_at=book.clock.now + 999) == 0
    (again,) = await book.run().claim(1)
    assert again.doubts == 1


async def test_second_doubt_is_held_by_recovery(book: Book) -> None:
    await book.enrol("ann")
    for _ in range(2):
        (ann,) = await book.run("dead").claim(1)
        await book.run("dead").mark(ann, 0.0)
        await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)

    assert await book.run().claim(1) == []
    assert (await book.ledger.counts(book.id)).in_doubt == 1


async def test_doubts_follow_on_doubt_as_it_is_now(book: Book) -> None:
    await book.enrol("ann")
    (ann,) = await book.run("dead").claim(1)
    await book.run("dead").mark(ann, 0.0)

    await book.ledger.recover(book.id, resend=False, due_at=0.0)
    assert await book.run().claim(1) == []

    await book.ledger.recover(book.id, resend=True, due_at=book.clock.now)
    assert names(await book.run().claim(1)) == ["ann"]


async def test_recovery_of_one_owner_leaves_the_others_alone(book: Book) -> None:
    await book.enrol("ann", "bob")
    (ann,) = await book.run("dead").claim(1)
    (bob,) = await book.run("alive").claim(1)

    await book.ledger.recover(book.id, resend=True, due_at=0.0, owner="dead")

    assert not await book.run("dead").mark(ann, 0.0)
    assert await book.run("alive").mark(bob, 0.0)


async def test_cancelled_claim_leaves_no_row_leased(book: Book) -> None:
    await book.enrol("ann")
    claiming = asyncio.create_task(book.run().claim(1))
    await asyncio.sleep(0)
    claiming.cancel()
    results = await asyncio.gather(claiming, return_exceptions=True)
    if isinstance(results[0], list):
        await book.run().release(results[0])
    await book.ledger.counts(book.id)
    await asyncio.sleep(0)
    await book.run().renew()

    assert names(await book.run("other").claim(1)) == ["ann"]


async def test_a_cancelled_claim_is_given_back_though_the_ledger_is_closed_behind_it(
    tmp_path: Path, clock: StoppedClock
) -> None:
    book = Book(await Ledger.open(tmp_path / "ledger.db", clock=clock), clock)
    await book.enrol("ann")
    claiming = asyncio.create_task(book.run().claim(1))
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait([claiming])

    await book.ledger.close()

    book.ledger = await Ledger.open(tmp_path / "ledger.db", clock=clock)
    assert names(await book.run("other").claim(1)) == ["ann"]
    await book.ledger.close()


async def test_permits_come_through_the_run(book: Book) -> None:
    await book.enrol("ann")
    run = book.run()
    rates = [Rate(1000, 3600.0)]

    permit = await run.take("primary", rates, 5)
    assert len(permit.slots) == 2

    await run.give_back("primary", rates, permit.slots)
    assert (await run.take("primary", [], 3)).slots == (book.clock.now,) * 3


async def test_campaigns_do_not_see_one_anothers_rows(book: Book) -> None:
    await book.enrol("ann", campaign="one")
    one = book.id
    await book.enrol(new_row(1, "ann"), "bob", campaign="two")

    assert (await book.ledger.counts(one)).total == 1
    assert names(await book.ledger.run(one, owner="me").claim(10)) == ["ann"]
    assert names(await book.run().claim(10)) == ["ann", "bob"]
