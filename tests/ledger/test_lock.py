from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from bulkmail.errors import EXIT_USAGE, CampaignBusy, LedgerError
from bulkmail.ledger import CampaignLock, Ledger


def test_second_taker_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with CampaignLock(path, "offer"):
        with pytest.raises(CampaignBusy, match="another run of 'offer' is under way") as caught:
            CampaignLock(path, "offer").acquire()
        assert caught.value.exit_code == EXIT_USAGE


def test_lock_is_free_after_release_and_other_campaigns_never_taken(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    lock = CampaignLock(path, "offer")
    with lock, CampaignLock(path, "other/name"):
        pass
    with lock:
        pass
    lock.release()


@pytest.mark.skipif(sys.platform != "linux", reason="locks are listed by Linux alone")
def test_whether_it_is_held_is_seen_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    lock, looker = CampaignLock(path, "offer"), CampaignLock(path, "offer")
    seen = [looker.is_held()]

    with lock, CampaignLock(path, "other"):
        seen.append(looker.is_held())
    seen.append(looker.is_held())

    assert seen == [False, True, False]


def test_the_lock_of_a_file_whose_number_begins_alike_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = CampaignLock(tmp_path / "ledger.db", "offer")
    with lock:
        (file,) = (tmp_path / "ledger.db-locks").iterdir()
    number, read = file.stat().st_ino, Path.read_text
    seen = []

    for listed in (f"{number}7", str(number), f"7{number}"):
        text = f"1: FLOCK  ADVISORY  WRITE 1 103:05:{listed} 0 EOF\n"
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, *how, text=text: text if path == Path("/proc/locks") else read(path, *how),
        )
        seen.append(lock.is_held())

    assert seen == [False, True, False]


def test_folder_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    with CampaignLock(tmp_path / "ledger.db", "offer"):
        folder = tmp_path / "ledger.db-locks"
        (file,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    child = os.fork()
    if not child:
        CampaignLock(path, "offer").acquire()
        os._exit(0)
    os.waitpid(child, 0)

    with CampaignLock(path, "offer"):
        pass


def test_folder_that_cannot_be_made_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be opened"):
        CampaignLock(tmp_path / "file" / "ledger.db", "offer").acquire()


async def test_ledgers_lock_excludes_a_second_run(ledger: Ledger) -> None:
    with ledger.lock("offer"):
        second = ledger.lock("offer")
        with pytest.raises(CampaignBusy):
            second.acquire()
        second.release()
        with pytest.raises(CampaignBusy):
            ledger.lock("offer").acquire()
    with ledger.lock("offer"):
        pass
