from __future__ import annotations

import io
import os
import tempfile

import pytest

from bulkmail.message.files.shared_file import SharedFile

CONTENT = b"0123456789" * 1000


def test_nothing_is_opened_for_what_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)

    assert not SharedFile(CONTENT).opens()


def test_the_file_holds_the_content_and_has_no_name() -> None:
    file = SharedFile(CONTENT)

    assert [file.opens() for _ in range(3)] == [False, True, True]
    assert os.pread(file.descriptor, len(CONTENT) + 1, 0) == CONTENT
    assert os.fstat(file.descriptor).st_nlink == 0


def test_the_file_is_closed_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = io.FileIO(os.memfd_create("test"), "r+")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **more: opened)
    file = SharedFile(CONTENT)
    file.opens()
    file.opens()
    assert not opened.closed

    del file

    assert opened.closed


def test_where_nothing_can_be_written_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def full(*rest: object, **more: object) -> None:
        tries.append(rest)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    file = SharedFile(CONTENT)

    assert [file.opens() for _ in range(4)] == [False] * 4
    assert len(tries) == 1
    with pytest.raises(ValueError, match="not opened"):
        assert file.descriptor
