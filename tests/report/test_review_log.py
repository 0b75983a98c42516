"""A log that cannot be had."""

from __future__ import annotations

from pathlib import Path

from bulkmail.report.log import NAME, LogWatch, opened_log


def test_a_log_that_cannot_be_opened_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()

    with opened_log(tmp_path) as log:
        LogWatch(log).announce("a letter goes out all the same")

    assert [entry.name for entry in (tmp_path / NAME).iterdir()] == []


def test_a_log_on_a_full_disk_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/dev/full")

    with opened_log(tmp_path) as log:
        LogWatch(log).announce("a letter goes out all the same")
