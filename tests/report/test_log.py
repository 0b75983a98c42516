from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import stat
from pathlib import Path

import pytest
from support.watching import attempt, delivery

from bulkmail.fate import Counts, State
from bulkmail.report.log import NAME, LogWatch, opened_log
from bulkmail.report.log_file import SharedRotatingHandler


def logged(folder: Path) -> list[str]:
    return (folder / NAME).read_text("utf-8").splitlines()


def test_an_attempt_is_one_line(tmp_path: Path) -> None:
    with opened_log(tmp_path) as log:
        watch = LogWatch(log)
        watch.begin("offer-letter", Counts(pending=52), 52)
        watch.attempted(delivery(), attempt(State.FAILED, code=550, reason="no such user"))

    begin, failed = logged(tmp_path)
    assert begin.endswith("INFO offer-letter begin to_go=52 total=52")
    assert " INFO offer-letter failed row=17 " in failed
    assert 'address="chen.jie@example.com"' in failed
    assert 'code=550 reply="2.0.0 ok" reason="no such user"' in failed


def test_whoever_listens_beside_the_file_hears_each_line_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bulkmail")
    with opened_log(tmp_path) as log:
        LogWatch(log, "offer-letter").attempted(delivery(), attempt())

    (line,) = logged(tmp_path)
    assert [f"INFO {text}" for text in caplog.messages] == [line[21:]]


def test_each_of_two_runs_at_once_is_told_of_in_its_own_folder(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with opened_log(folders[0]) as one, opened_log(folders[1]) as two:
        LogWatch(one).announce("one's")
        LogWatch(two, "two").attempted(delivery(), attempt())

    (of_one,), (of_two,) = map(logged, folders)
    assert of_one.endswith(" INFO one's")
    assert " INFO two sent row=17 " in of_two


def test_a_run_that_ends_leaves_another_of_its_project_its_log(tmp_path: Path) -> None:
    with contextlib.ExitStack() as first:
        ended = first.enter_context(opened_log(tmp_path))
        with opened_log(tmp_path) as log:
            LogWatch(ended).announce("one")
            first.close()
            LogWatch(log).announce("two")

    assert [line[21:] for line in logged(tmp_path)] == ["INFO one", "INFO two"]


def test_what_was_written_to_somebody_is_not_logged(tmp_path: Path) -> None:
    with opened_log(tmp_path) as log:
        LogWatch(log).attempted(delivery(), attempt())

    assert "31000" not in (tmp_path / NAME).read_text("utf-8")


def test_a_reply_cannot_forge_a_line(tmp_path: Path) -> None:
    forged = 'no"\n2026-12-01T01:00:00Z INFO c sent row=1'
    with opened_log(tmp_path) as log:
        LogWatch(log).attempted(delivery(), attempt(State.FAILED, reply=forged))
        LogWatch(log).announce(forged)

    first, second = logged(tmp_path)
    assert f"reply={json.dumps(forged)}" in first
    assert "\\n2026" in second


def test_the_rest_of_a_run_is_logged_too(tmp_path: Path) -> None:
    with opened_log(tmp_path) as log:
        watch = LogWatch(log)
        watch.announce("offer-letter → 52 recipients")
        watch.checking(1, 2)
        watch.begin("offer-letter", Counts(), 0)
        watch.waiting("greylisted", 1_796_000_000.0)
        watch.waiting("", None)
        watch.server_changed("primary", "unreachable")
        watch.server_changed("primary", "")

    assert [line[21:] for line in logged(tmp_path)] == [
        "INFO offer-letter → 52 recipients",
        "INFO offer-letter begin ",
        'INFO offer-letter waiting reason="greylisted" until="2026-11-30T00:53:20Z"',
        'WARNING offer-letter server server="primary" reason="unreachable"',
        'WARNING offer-letter server server="primary" reason="usable again"',
    ]


def test_only_the_owner_can_read_the_log(tmp_path: Path) -> None:
    with opened_log(tmp_path) as log:
        LogWatch(log).announce("x")

    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_log_is_let_go_of(tmp_path: Path) -> None:
    logger = logging.getLogger("bulkmail")
    handlers, level = list(logger.handlers), logger.level

    with opened_log(tmp_path) as log:
        assert logger.handlers == handlers
        assert logger.level == level

    assert log is not None
    assert log.stream is None


def handler(path: Path) -> SharedRotatingHandler:
    made = SharedRotatingHandler(path, max_bytes=1000, files=3)
    made.setFormatter(logging.Formatter("%(message)s"))
    return made


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("bulkmail", logging.INFO, __file__, 1, text, None, None)


def test_two_processes_share_a_log_and_lose_no_line(tmp_path: Path) -> None:
    # Two handlers on one file stand for two processes: they share nothing but the files.
    path = tmp_path / NAME
    one, two = handler(path), handler(path)
    lines = [f"line {number:03} {'.' * 41}" for number in range(40)]  # 50 bytes: two files full

    for number, line in enumerate(lines):
        (one if number % 2 else two).emit(record(line))
    one.close()
    two.close()

    kept = sorted(
        line
        for file in tmp_path.iterdir()
        if not file.name.endswith(".lock")
        for line in file.read_text("utf-8").splitlines()
    )
    assert kept == lines


def test_a_line_after_the_other_process_rotated_goes_to_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    one, two = handler(path), handler(path)
    two.emit(record("before"))

    for _ in range(25):
        one.emit(record("." * 49))
    two.emit(record("after"))
    one.close()
    two.close()

    assert path.read_text("utf-8").endswith("\nafter\n")


def test_old_files_go_and_the_newest_stay(tmp_path: Path) -> None:
    path = tmp_path / NAME
    log = handler(path)

    for number in range(400):
        log.emit(record(f"line {number:03} {'.' * 41}"))
    log.close()

    names = sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock"))
    assert names == [NAME, f"{NAME}.1", f"{NAME}.2"]
    assert "line 399" in path.read_text("utf-8")


def test_a_log_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = handler(tmp_path / NAME)
    monkeypatch.setattr(log, "_lock_path", tmp_path / "gone" / "lock")

    log.emit(record("lost"))
    log.close()

    assert capsys.readouterr().err == ""


def test_a_delivery_in_a_sample_has_what_the_log_leaves_out() -> None:
    assert "31000" in str(dataclasses.asdict(delivery()))  # or the test above proves nothing


def test_json_lines_have_what_a_program_asks_for(tmp_path: Path) -> None:
    tried = dataclasses.replace(
        attempt(State.DEFERRED, code=450, reply='4.2.0 "later"\n', reason="greylisted"),
        enhanced_code="4.2.0",
        due_at=1_796_000_060.5,
        is_counted=True,
        tls="TLSv1.3",
    )
    with opened_log(tmp_path, "json") as log:
        watch = LogWatch(log)
        watch.begin("offer-letter", Counts(pending=52), 52)
        watch.attempted(delivery(), tried)
        watch.server_changed("primary", "")
        watch.announce("two\nlines")

    begin, record, server, said = map(json.loads, logged(tmp_path))
    assert (begin["event"], begin["to_go"]) == ("begin", 52)
    assert record.pop("at").endswith("Z")
    assert record == {
        "level": "info",
        "event": "attempt",
        "campaign": "offer-letter",
        "row": 17,
        "key": "chen.jie@example.com",
        "state": "deferred",
        "attempt": 1,
        "server": "primary",
        "stage": "end of data",
        "code": 450,
        "enhanced_code": "4.2.0",
        "reply": '4.2.0 "later"\n',
        "reason": "greylisted",
        "tls": "TLSv1.3",
        "started_at": "2026-11-30T00:53:20.000Z",
        "ended_at": "2026-11-30T00:53:20.000Z",
        "due_at": "2026-11-30T00:54:20.500Z",
    }
    assert (server["event"], server["level"]) == ("server", "warning")
    assert (said["event"], said["message"]) == ("said", "two\nlines")


async def test_what_is_logged_in_one_turn_of_the_loop_is_written_behind_it(tmp_path: Path) -> None:
    with opened_log(tmp_path) as log:
        for sentence in ("one", "two"):
            LogWatch(log).announce(sentence)
        assert logged(tmp_path) == []
        await asyncio.sleep(0)
        assert [line[-3:] for line in logged(tmp_path)] == ["one", "two"]
        LogWatch(log).announce("six")

    assert [line[-3:] for line in logged(tmp_path)] == ["one", "two", "six"]


def test_a_loop_that_ends_early_takes_no_line_with_it(tmp_path: Path) -> None:
    async def log_and_leave() -> None:
        LogWatch(log).announce("one")

    with opened_log(tmp_path) as log:
        asyncio.run(log_and_leave())
        LogWatch(log).announce("two")
        assert [line[-3:] for line in logged(tmp_path)] == ["one", "two"]
