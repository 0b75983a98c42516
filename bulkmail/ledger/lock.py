"""The campaign's lock: one run at a time on one ledger (design decision 10).

It is the operating system's: `flock` on a file in ``<ledger>-locks/``. It ends with the process
that holds it, however that ends, so a crashed run blocks nobody; and as each lock opens its file
anew, two runs in one process exclude one another as well. A child made by `fork` shares the lock
until it ends; a program that is started by `exec` does not.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkmail.errors import CampaignBusy, Fault
from bulkmail.ledger.connection import lock_folder
from bulkmail.ledger.lost import folder_beside
from bulkmail.ledger.trouble import ledger_error


class CampaignLock:
    """A run's lock on one campaign, as a context manager or by `acquire` and `release`.

    With `path` None (a ledger in memory) names are held in `held`, which its ledger keeps.
    """

    def __init__(self, path: Path | None, campaign: str, held: set[str] | None = None) -> None:
        self._path = path
        self._campaign = campaign
        self._held = set[str]() if held is None else held
        self._is_mine = False
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `CampaignBusy` when another run has it, `LedgerError`."""
        if self._path is None:
            self._hold()
            return
        try:
            self._file = self._lock(lock_folder(self._path) / self._file_name())
        except OSError as error:
            raise ledger_error(error, self._path) from error

    def release(self) -> None:
        """Give it up; at once free for others. Nothing happens when it is not held."""
        if self._is_mine:
            self._held.discard(self._campaign)
            self._is_mine = False
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_held(self) -> bool:
        """Whether a run has it, as far as that is to be seen: Linux lists its locks.

        Who took it to find out would turn away a run that begins at that instant.
        """
        if self._path is None:
            return self._campaign in self._held
        try:
            number = (folder_beside(self._path) / self._file_name()).stat().st_ino
            locks = Path("/proc/locks").read_text("ascii")
        except OSError:
            return False
        # 1: FLOCK  ADVISORY  WRITE 23245 fe:00:2147214 0 EOF. Not every file system calls its
        # device here as `stat` does.
        words = [line.split() for line in locks.splitlines()]
        return any("FLOCK" in line and line[5].endswith(f":{number}") for line in words)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _hold(self) -> None:
        if self._campaign in self._held:
            raise self._busy()
        self._held.add(self._campaign)
        self._is_mine = True

    def _lock(self, file: Path) -> int:
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise self._busy() from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _file_name(self) -> str:
        # A campaign's name may hold any character; a file's may not.
        return hashlib.sha256(self._campaign.encode()).hexdigest()[:32]

    def _busy(self) -> CampaignBusy:
        where = self._path or "the ledger in memory"
        return CampaignBusy(
            Fault(
                message=f"another run of {self._campaign!r} is under way on {where}: "
                "wait for its end, or stop it, and run again"
            )
        )
