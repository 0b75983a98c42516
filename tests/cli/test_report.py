from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.commandline import Cli, Fake

from bulkmail.fate import State
from bulkmail.report.export import KEYS

ROWS: list[dict[str, Any]] = [
    {**dict.fromkeys(KEYS), "row": 1, "email": "li@example.com", "reply": "=1+1", "state": "sent"},
    {**dict.fromkeys(KEYS), "row": 2, "email": "ada@example.com", "reply": "550 \x1b[2J"},
]


class Rows:
    """An app whose report is these rows, and which notes what it is asked."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[tuple[Any, ...]] = []

    async def __call__(
        self, where: Path, campaign: str, *, state: State | None, ledger: Path | None
    ) -> AsyncIterator[dict[str, Any]]:
        self.asked.append((where, campaign, state, ledger))
        for row in self.rows:
            yield row


@pytest.fixture
def rows(fake: Fake) -> Rows:
    rows = Rows(ROWS)
    fake("records", report=rows)
    return rows


def test_csv_is_the_default(cli: Cli, rows: Rows) -> None:
    result = cli("report", "hello")
    read = list(csv.DictReader(io.StringIO(result.out, newline="")))

    assert result.code == 0
    assert [row["email"] for row in read] == ["li@example.com", "ada@example.com"]
    assert read[0]["reply"] == "'=1+1"
    assert read[1]["reply"] == "550 \x1b[2J"
    assert rows.asked == [(Path.cwd(), "hello", None, None)]


def test_json_is_an_object_a_line_and_exact(cli: Cli, rows: Rows) -> None:
    result = cli("report", "hello", "--format", "json")

    assert [json.loads(line) for line in result.out.splitlines()] == rows.rows


def test_a_state_can_be_chosen(cli: Cli, rows: Rows) -> None:
    cli("report", "hello", "--state", "in_doubt", "--ledger", "l.db")

    assert rows.asked[0][2:] == (State.IN_DOUBT, Path("l.db"))


def test_an_empty_report_has_its_header(cli: Cli, rows: Rows) -> None:
    rows.rows = []

    assert cli("report", "hello").out == ",".join(KEYS) + "\n"
    assert cli("report", "hello", "--format", "json").out == ""


@pytest.mark.usefixtures("rows")
def test_a_terminal_is_not_controlled_by_a_reply(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    result = cli("report", "hello")

    assert r"550 \x1b[2J" in result.out


@pytest.mark.parametrize("option", ["--state=lost", "--format=xml"])
def test_what_is_no_state_or_format_exits_2(cli: Cli, option: str) -> None:
    assert cli("report", "hello", option).code == 2


def test_what_is_read_is_closed_in_turn_when_nobody_reads_on(
    cli: Cli, fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)

    async def report(*_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
        async with opened():
            for row in ROWS:
                yield row

    fake("records", report=report)
    monkeypatch.setattr("bulkmail.cli.report.say", lambda _: False)

    assert cli("report", "hello").code == 0
    assert caplog.messages == []
