from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.export import KEYS, CsvWriter, json_line

ROW: dict[str, Any] = {
    "row": 17,
    "email": "chen.jie@example.com",
    "key": "E-1043",
    "state": "failed",
    "reason": "no such user",
    "attempts": 2,
    "server": "primary",
    "stage": "rcpt",
    "code": 550,
    "enhanced_code": "5.1.1",
    "reply": 'no "such"\nuser, 陈杰',
    "refused_recipients": {"cc@example.com": "550 no"},
    "message_id": "<a@example.com>",
    "updated_at": "2026-12-02T01:02:44Z",
}


def read(*rows: dict[str, Any]) -> list[dict[str, str]]:
    writer = CsvWriter()
    text = "\n".join([writer.header(rows[0]), *(writer.line(row) for row in rows)])
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_columns_are_the_contracts_and_then_what_else_there_is() -> None:
    assert CsvWriter().header().split(",") == list(KEYS)
    assert CsvWriter().header({"further": "1", **ROW}).split(",") == [*KEYS, "further"]


def test_a_row_is_read_as_it_was_written() -> None:
    (row,) = read(ROW)

    assert row["reply"] == ROW["reply"]
    assert row["row"] == "17"
    assert json.loads(row["refused_recipients"]) == ROW["refused_recipients"]


def test_what_is_not_known_is_empty() -> None:
    (row,) = read({**ROW, "code": None, "refused_recipients": {}})

    assert row["code"] == ""
    assert row["refused_recipients"] == ""


@pytest.mark.parametrize(
    ("reply", "cell"),
    [
        ('=HYPERLINK("http://x.example","y")', '\'=HYPERLINK("http://x.example","y")'),
        ("@SUM(1)", "'@SUM(1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+tag@example.com", "'+tag@example.com"),
        ("\t=1", "'\t=1"),
        ("+8613800138000", "+8613800138000"),
        ("-5", "-5"),
        ("550 no", "550 no"),
    ],
)
def test_no_cell_is_a_formula(reply: str, cell: str) -> None:
    (row,) = read({**ROW, "reply": reply})

    assert row["reply"] == cell


def test_json_is_exact_and_has_every_key() -> None:
    told = json.loads(json_line({"reply": "=1+1", "row": 1}))

    assert list(told) == list(KEYS)
    assert told["reply"] == "=1+1"
    assert told["state"] is None


@given(st.dictionaries(st.sampled_from(KEYS), st.none() | st.integers() | st.text()))
def test_json_lines_are_read_as_they_were_written(row: dict[str, Any]) -> None:
    line = json_line(row)

    assert "\n" not in line
    assert json.loads(line) == {**dict.fromkeys(KEYS), **row}
