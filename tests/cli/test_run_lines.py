"""What `bulkmail run` prints, and where it cannot."""

from __future__ import annotations

import io
import sys

import pytest

from bulkmail.cli.run import _Lines
from bulkmail.fate import Counts
from bulkmail.report.summary import Summary


class FullDisk(io.StringIO):
    """What stdout is redirected to."""

    def write(self, text: str) -> int:
        del text
        raise OSError(28, "No space left on device")


def test_a_full_disk_behind_stdout_cuts_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the scheduler, and cut all other campaigns' runs in the middle."""
    full = FullDisk()
    monkeypatch.setattr(sys, "stdout", full)

    _Lines(quiet=False).ended(
        Summary(
            campaign="letter",
            counts=Counts(sent=2),
            elapsed_seconds=1.0,
            sent_in_run=2,
            failed_in_run=0,
            exit_code=0,
        )
    )

    assert sys.stdout is full
