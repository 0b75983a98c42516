from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.app.options import SendOptions
from bulkmail.errors import CampaignBusy, Fault, Interrupted, LedgerError
from bulkmail.fate import Counts
from bulkmail.report.summary import Summary

pytestmark = pytest.mark.usefixtures("project")


def summary(**facts: Any) -> Summary:
    usual: dict[str, Any] = {
        "campaign": "hello",
        "counts": Counts(sent=3),
        "elapsed_seconds": 0.4,
        "sent_in_run": 3,
        "failed_in_run": 0,
        "exit_code": 0,
        "ledger": Path(".bulkmail/ledger.db"),
    }
    return Summary(**usual | facts)


def options(recorder: Recorder) -> SendOptions:
    ((_, given), _) = recorder.calls[-1]
    assert isinstance(given, SendOptions)
    return given


@pytest.fixture
def send(fake: Fake) -> Recorder:
    recorder = Recorder(summary())
    fake("sending", send=recorder)
    return recorder


def test_a_bare_send_has_the_defaults(cli: Cli, send: Recorder) -> None:
    assert cli("send", "hello").code == 0

    assert options(send) == SendOptions(handle_signals=True)
    assert send.calls[0][0][0].name == "hello"


def test_every_option_reaches_the_run(cli: Cli, send: Recorder) -> None:
    cli("send", "hello", "--limit", "10", "--no-wait", "--ignore-window", "--skip-invalid")
    assert options(send) == SendOptions(
        limit=10, no_wait=True, ignore_window=True, skip_invalid=True, handle_signals=True
    )

    cli("send", "hello", "--as-new", "--transcript", "t.txt", "--ledger", "l.db")
    assert options(send) == SendOptions(
        as_new=True, transcript=Path("t.txt"), ledger=Path("l.db"), handle_signals=True
    )

    cli("send", "hello", "--test-to", "me@example.com", "--row", "3")
    assert options(send) == SendOptions(test_to="me@example.com", row=3, handle_signals=True)

    cli("send", "hello", "--test-to", "me@example.com", "--email", "ada@example.com")
    assert options(send).email == "ada@example.com"

    cli("send", "hello", "--dry-run", "--out", "o", "--date", "2026-12-01T09:00:00Z")
    assert options(send) == SendOptions(
        dry_run=True,
        out=Path("o"),
        date=datetime(2026, 12, 1, 9, tzinfo=UTC),
        handle_signals=True,
    )


def test_a_date_without_offset_is_in_the_campaigns_zone(
    cli: Cli, send: Recorder, project: Path
) -> None:
    with (project / "campaigns/hello.yaml").open("a", encoding="utf-8") as file:
        file.write("schedule: {timezone: Asia/Shanghai}\n")

    cli("send", "hello", "--dry-run", "--date", "2026-12-01T09:00")

    assert options(send).date == datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_a_date_without_offset_or_zone_is_in_the_machines(cli: Cli, send: Recorder) -> None:
    cli("send", "hello", "--dry-run", "--date", "2026-12-01T09:00")

    assert options(send).date == datetime(2026, 12, 1, 9).astimezone()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "o"], "--dry-run"),
        (["--date", "2026-12-01"], "--dry-run"),
        (["--dry-run", "--date", "soon"], "not a moment"),
        (["--dry-run", "--date", "0001-01-01"], "not a moment"),
        (["--dry-run", "--date", "9999-12-31T23:59:59-12:00"], "not a moment"),
        (["--row", "1"], "--test-to"),
        (["--email", "a@example.com"], "--test-to"),
        (["--test-to", "a@example.com", "--row", "1", "--email", "b@example.com"], "--row"),
        (["--dry-run", "--test-to", "a@example.com"], "--test-to"),
        (["--limit", "-1"], "--limit"),
        (["--limit", "many"], "--limit"),
        (["--test-to", "a@example.com", "--row", "0"], "--row"),
        (["--ledger", "postgresql://x/y"], "later version"),
        (["--ledger", ""], "--ledger"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_contradict_one_another_exit_2(
    cli: Cli, send: Recorder, arguments: list[str], word: str
) -> None:
    result = cli("send", "hello", *arguments)

    assert result.code == 2
    assert word in result.err
    assert send.calls == []


def test_the_url_of_a_ledger_is_not_shown_with_its_password(cli: Cli) -> None:
    assert "hunter2" not in cli("send", "hello", "--ledger", "postgresql://me:hunter2@x/y").err


def test_the_json_is_the_last_line_and_alone_on_stdout(cli: Cli, send: Recorder) -> None:
    result = cli("send", "hello", "--json")

    assert json.loads(result.out) == summary().to_json() | {"faults": []}
    assert result.out.count("\n") == 1
    del send


def test_without_a_terminal_the_end_is_one_dated_line(cli: Cli, send: Recorder) -> None:
    first, ledger, command = cli("send", "hello").out.splitlines()

    assert datetime.fromisoformat(first[:19]).year > 2000
    assert first[20:] == "hello: Done in 0.4 s. 3 recipients: 3 sent."
    assert ledger == "Ledger: .bulkmail/ledger.db"
    assert command == "See how it stands:  bulkmail status hello"
    del send


def test_quiet_says_nothing(cli: Cli, send: Recorder) -> None:
    result = cli("send", "hello", "--quiet")

    assert (result.code, result.out, result.err) == (0, "", "")
    del send


@pytest.mark.parametrize("code", [0, 1, 3, 75, 130])
def test_the_exit_code_is_the_summarys(cli: Cli, send: Recorder, code: int) -> None:
    send.result = summary(exit_code=code)

    assert cli("send", "hello", "--quiet").code == code


@pytest.mark.parametrize("way", ["--quiet", "--json", "--limit=5"])
def test_why_it_stopped_is_always_said(cli: Cli, send: Recorder, way: str) -> None:
    send.result = summary(
        exit_code=3, stopped="primary refused the login: 535", stopped_detail="See docs."
    )

    assert cli("send", "hello", way).err == "primary refused the login: 535\n  See docs.\n"


def test_a_reason_that_progress_has_given_is_not_given_again(cli: Cli, fake: Fake) -> None:
    async def send(*_: object, watch: Any) -> Summary:
        watch.server_changed("primary", "refused the login: 535")
        watch.server_changed("backup", "is full")
        stopped = "primary: refused the login: 535\nbackup: is full"
        return summary(exit_code=3, stopped=stopped, stopped_detail="See docs.\nSee more.")

    fake("sending", send=send)

    told = cli("send", "hello").err
    assert told.count("refused the login") == 1
    assert told.endswith("backup: is full\n  See docs.\n  See more.\n")
    assert cli("send", "hello", "--quiet").err == (
        "primary: refused the login: 535\nbackup: is full\n  See docs.\n  See more.\n"
    )


def test_the_ledger_is_said_once_where_both_streams_are_read_together(
    cli: Cli, send: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.cli.send.is_one_stream", lambda: True)

    assert "Ledger:" not in cli("send", "hello").out
    del send


def test_the_next_command_finds_the_same_ledger(cli: Cli, send: Recorder) -> None:
    send.result = summary(counts=Counts(sent=1, failed=1), exit_code=1)

    result = cli("send", "campaigns/hello.yaml", "--ledger", "my ledger.db")

    assert result.out.splitlines()[-1] == (
        "Who failed, and why:  bulkmail report campaigns/hello.yaml --ledger 'my ledger.db'"
        " --state failed"
    )


def test_progress_is_told_on_stderr(cli: Cli, fake: Fake) -> None:
    async def send(*_: object, watch: Any) -> Summary:
        watch.announce("hello → 3 recipients")
        return summary()

    fake("sending", send=send)

    result = cli("send", "hello", "--json")

    assert result.err.endswith("hello → 3 recipients\n")
    assert json.loads(result.out)


def test_a_campaign_that_is_not_there_exits_2(cli: Cli, send: Recorder) -> None:
    result = cli("send", "helo")

    assert result.code == 2
    assert send.calls == []
    assert "helo" in result.err
    assert "hello" in result.err


def test_a_refusal_is_the_same_json_object_with_its_faults(
    cli: Cli, project: Path, send: Recorder
) -> None:
    ended = json.loads(cli("send", "hello", "--json").out)
    with (project / "campaigns/hello.yaml").open("a", encoding="utf-8") as file:
        file.write("securty: tls\n")

    result = cli("send", "hello", "--json")

    told = json.loads(result.out)
    assert result.code == 2
    assert told.keys() == ended.keys()
    assert told["campaign"] == "hello"
    assert (told["exit_code"], told["total"], told["sent"]) == (2, 0, 0)
    assert [fault["key"] for fault in told["faults"]] == ["securty"]
    assert told["stopped"] == told["faults"][0]["text"]
    assert "securty" in result.err
    assert len(send.calls) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LedgerError("the disk is full"), 3),
        (Interrupted("Interrupted. Nothing was sent."), 130),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division by zero"), 70),
        (MemoryError(), 3),
    ],
    ids=["stopped", "interrupted", "interrupted at start", "fault of ours", "no memory"],
)
def test_whatever_ends_a_run_early_is_told_as_json(
    cli: Cli, fake: Fake, error: BaseException, code: int
) -> None:
    async def send(*_: object, **__: object) -> Summary:
        raise error

    fake("sending", send=send)

    result = cli("send", "hello", "--json")

    told = json.loads(result.out)
    assert result.code == told["exit_code"] == code
    assert told["interrupted"] is (code == 130)
    assert told["stopped"]
    assert told["faults"] == []


def test_an_interruption_is_one_though_its_counts_cannot_be_looked_up(cli: Cli, fake: Fake) -> None:
    """A signal in the middle of an import leaves a module that is no use to anybody."""

    async def send(*_: object, **__: object) -> Summary:
        raise KeyboardInterrupt

    async def status(*_: object) -> list[Any]:
        raise AttributeError("partially initialized module 'yaml' has no attribute 'error'")

    fake("sending", send=send)
    fake("records", status=status)

    result = cli("send", "hello", "--json")

    told = json.loads(result.out)
    assert result.code == told["exit_code"] == 130
    assert (told["campaign"], told["total"]) == ("hello", 0)


def test_what_another_run_has_on_its_way_is_not_in_doubt(cli: Cli, fake: Fake) -> None:
    async def send(*_: object, **__: object) -> Summary:
        raise CampaignBusy(Fault(message="another run of `hello` is under way"))

    async def status(*_: object) -> list[Any]:
        return [SimpleNamespace(name="hello", counts=Counts(sent=3, sending=2, pending=4))]

    fake("sending", send=send)
    fake("records", status=status)

    told = json.loads(cli("send", "hello", "--json").out)

    assert (told["total"], told["sent"], told["pending"], told["in_doubt"]) == (9, 3, 6, 0)


def test_a_refused_dry_run_is_told_as_one(cli: Cli, project: Path) -> None:
    (project / "campaigns/hello.yaml").write_text("from: none\n", encoding="utf-8")

    told = json.loads(cli("send", "hello", "--dry-run", "--json").out)

    assert (told["dry_run"], told["sent"], told["exit_code"]) == (True, 0, 2)


def test_options_that_contradict_are_told_as_json_too(cli: Cli, send: Recorder) -> None:
    told = json.loads(cli("send", "hello", "--json", "--out", "o").out)

    assert "--dry-run" in told["faults"][0]["message"]
    assert send.calls == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--limit x hello --json", "`x` is not a whole number"),
        ("hello --json --frobnicate", "--frobnicate"),
        ("--json hello again", "again"),
        ("hello --json --out", "--out"),
    ],
    ids=["value", "option", "argument", "missing value"],
)
def test_a_command_line_that_is_none_is_told_as_json_too(
    cli: Cli, send: Recorder, line: str, said: str
) -> None:
    result = cli("send", *line.split())

    told = json.loads(result.out)
    assert (result.code, told["exit_code"], told["campaign"]) == (2, 2, "hello")
    assert said in told["faults"][0]["message"]
    assert said in result.err
    assert send.calls == []


def test_without_a_campaign_the_json_has_none(cli: Cli, send: Recorder) -> None:
    told = json.loads(cli("send", "--json").out)

    assert (told["campaign"], told["total"], told["exit_code"]) == ("", 0, 2)
    assert send.calls == []


def test_an_interruption_while_the_command_is_loaded_is_told_as_json(
    cli: Cli, send: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bulkmail.cli.program.Commands.__getitem__", interrupted)

    result = cli("send", "hello", "--json")

    told = json.loads(result.out)
    assert (result.code, told["exit_code"], told["interrupted"]) == (130, 130, True)
    assert told["campaign"] == "hello"
    assert result.err == "Interrupted.\n"
    assert send.calls == []
