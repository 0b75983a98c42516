"""What was checked, and what went out, in the ledger."""

from __future__ import annotations

from support.ledger_book import Book, new_row

from bulkmail.fate import Digests, FileNote, State

PDF = FileNote(entry="attachments[0]", path=b"letters/ann.pdf", sha256="ab" * 32)
NEWER = FileNote(entry="attachments[0]", path=b"letters/ann.pdf", sha256="cd" * 32)
ANN = "ann@x.example"


async def test_a_claim_has_the_files_that_were_checked(book: Book) -> None:
    await book.enrol("ann", "bob")
    await book.ledger.checks("offer").note_files([(ANN, PDF)])

    claimed = {row.key: row.files for row in await book.run().claim(10)}

    assert claimed == {ANN: (PDF,), "bob@x.example": None}


async def test_the_last_check_of_a_file_counts(book: Book) -> None:
    checks = book.ledger.checks("offer")
    await checks.note_files([(ANN, PDF)])
    await checks.note_files([(ANN, NEWER)])

    assert await checks.files([ANN]) == {ANN: (NEWER,)}


async def test_what_a_person_checked_is_theirs_until_it_changes(book: Book) -> None:
    checks = book.ledger.checks("offer")
    await checks.note_files([(ANN, PDF)], by_person=True)
    await checks.note_files([(ANN, PDF)])
    assert await checks.files([ANN], by_person=True) == {ANN: (PDF,)}

    await checks.note_files([(ANN, NEWER)])

    assert await checks.files([ANN], by_person=True) == {}
    assert await checks.files([ANN]) == {ANN: (NEWER,)}


async def test_files_follow_a_new_name_and_another_campaign_has_its_own(book: Book) -> None:
    await book.enrol("ann")
    await book.ledger.checks("offer").note_files([(ANN, PDF)])
    await book.ledger.checks("other").note_files([(ANN, NEWER)])

    await book.ledger.rename("offer", "offer-2026")

    assert await book.ledger.checks("offer-2026").files([ANN]) == {ANN: (PDF,)}
    assert await book.ledger.checks("offer").files([ANN]) == {}
    assert (await book.claim("ann")).files == (PDF,)


async def test_whoever_may_have_a_file_is_its_owner(book: Book) -> None:
    await book.enrol("ann", new_row(2, "bob"), "eve")
    checks = book.ledger.checks("offer")
    await checks.note_files([(f"{name}@x.example", PDF) for name in ("ann", "bob", "eve")])
    await book.end("ann", State.SENT)
    await book.end("eve", State.IN_DOUBT)

    owned = [(file.key, file.row, file.path) async for file in checks.owned()]

    assert owned == [(ANN, 1, PDF.path), ("eve@x.example", 3, PDF.path)]


async def test_a_check_by_a_person_stands_until_the_next_one_begins(book: Book) -> None:
    checks = book.ledger.checks("offer")
    assert await checks.by_person() is None
    await checks.passed({"list": "ab"})
    found = await checks.by_person()
    assert found is not None
    assert (found.at, found.facts) == (book.clock.now, {"list": "ab"})

    await checks.begin()

    assert await checks.by_person() is None


async def test_what_is_forgotten_is_gone(book: Book) -> None:
    checks = book.ledger.checks("offer")
    await checks.note_files([(ANN, PDF)], by_person=True)
    await checks.passed({})

    await checks.forget()

    assert await checks.files([ANN]) == {}
    assert await checks.by_person() is None


async def test_what_went_out_is_kept_with_the_mark(book: Book) -> None:
    await book.enrol("ann", "bob", "eve")
    digests = Digests(
        message_sha256="0f" * 32, attachments=[{"name": "王.pdf", "size": 3, "sha256": "ab" * 32}]
    )
    for name, state in (("ann", State.SENT), ("bob", State.FAILED)):
        delivery = await book.claim(name)
        assert await book.run().mark(delivery, 0.0, digests)
        assert await book.run().record(book.attempt(delivery, state))

    ann, bob, eve = await book.report()

    assert (ann.message_sha256, ann.attachments) == ("0f" * 32, digests.attachments)
    assert (bob.message_sha256, bob.attachments) == (None, None)
    assert (eve.message_sha256, eve.attachments) == (None, None)


async def test_a_crash_behind_the_mark_keeps_what_may_have_gone_out(book: Book) -> None:
    await book.enrol("ann")
    await book.run("dead").mark(
        (await book.run("dead").claim(1))[0], 0.0, Digests(message_sha256="0f" * 32)
    )

    await book.ledger.recover(book.id, resend=True, due_at=0.0)

    (ann,) = await book.report()
    assert (ann.state, ann.message_sha256, ann.attachments) == ("in_doubt", "0f" * 32, [])


async def test_purged_rows_keep_the_digest_and_no_file_name(book: Book) -> None:
    await book.enrol("ann")
    digests = Digests(
        message_sha256="0f" * 32, attachments=[{"name": "王.pdf", "size": 3, "sha256": "ab" * 32}]
    )
    delivery = await book.claim("ann")
    await book.run().mark(delivery, 0.0, digests)
    await book.run().record(book.attempt(delivery, State.SENT))

    await book.ledger.orders(book.id).purge()

    (ann,) = await book.report()
    assert (ann.message_sha256, ann.attachments) == ("0f" * 32, [])
