"""smtp-sink refuses, answers 421 or cuts the line at each stage: nobody is lost, and it is told.

`-r` is a refusal for now (450), `-f` one for good (500), `-Q` is 421 and the end of the connection,
`-q` the end without a word. Whatever it is, a row is `sent` only where the sink answered 250.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from peers.project import letter_project
from peers.smtp_sink import SinkFactory

pytestmark = pytest.mark.peers

RECIPIENTS = [f"reader{n}@example.org" for n in range(5)]

CODES = {"-r": 450, "-f": 500, "-Q": 421, "-q": None}


@dataclass(frozen=True, slots=True)
class Expected:
    """How a run against a sink that misbehaves at one stage ends."""

    exit_code: int
    #: Of every row.
    state: str
    #: As the report names it; "" where the rows were not touched, or all went well.
    stage: str = ""


UNUSABLE = Expected(3, "pending")
SENT = Expected(0, "sent")

TABLE: dict[tuple[str, str], Expected] = {
    ("-r", "CONNECT"): UNUSABLE,
    ("-f", "CONNECT"): UNUSABLE,
    ("-Q", "CONNECT"): UNUSABLE,
    ("-q", "CONNECT"): UNUSABLE,
    # EHLO refused is a server of the old kind: HELO does.
    ("-f", "EHLO"): SENT,
    ("-Q", "EHLO"): UNUSABLE,
    ("-q", "EHLO"): UNUSABLE,
    ("-f", "EHLO,HELO"): UNUSABLE,
    ("-r", "EHLO,HELO"): UNUSABLE,
    # MAIL is about us, not about the recipient: no row is to blame.
    ("-r", "MAIL"): Expected(75, "deferred", "mail"),
    ("-f", "MAIL"): Expected(3, "pending", "mail"),
    ("-Q", "MAIL"): Expected(3, "pending", "mail"),
    ("-q", "MAIL"): Expected(3, "pending", "mail"),
    ("-r", "RCPT"): Expected(75, "deferred", "rcpt"),
    ("-f", "RCPT"): Expected(1, "failed", "rcpt"),
    ("-Q", "RCPT"): Expected(75, "deferred", "rcpt"),
    ("-q", "RCPT"): Expected(75, "deferred", "rcpt"),
    ("-r", "DATA"): Expected(75, "deferred", "data"),
    ("-f", "DATA"): Expected(1, "failed", "data"),
    ("-Q", "DATA"): Expected(75, "deferred", "data"),
    ("-q", "DATA"): Expected(75, "deferred", "data"),
    ("-r", "."): Expected(75, "deferred", "end of data"),
    ("-f", "."): Expected(1, "failed", "end of data"),
    ("-Q", "."): Expected(75, "deferred", "end of data"),
    ("-q", "."): Expected(75, "in_doubt", "end of data"),
    # Never needed on this road, or after everything is told.
    ("-r", "RSET"): SENT,
    ("-f", "RSET"): SENT,
    ("-Q", "RSET"): SENT,
    ("-q", "RSET"): SENT,
    ("-r", "QUIT"): SENT,
    ("-f", "QUIT"): SENT,
    ("-Q", "QUIT"): SENT,
    ("-q", "QUIT"): SENT,
}


@pytest.mark.parametrize(
    ("option", "command", "expected"),
    [(*key, expected) for key, expected in TABLE.items()],
    ids=[f"{option} {command}" for option, command in TABLE],
)
def test_nobody_is_lost_and_the_report_says_who_why_and_where(
    option: str, command: str, expected: Expected, smtp_sink: SinkFactory, tmp_path: Path
) -> None:
    sink = smtp_sink(option, command)
    server = {"host": "127.0.0.1", "port": sink.port, "security": "none", "connections": 2}
    project = letter_project(tmp_path, server, RECIPIENTS)

    run = project.send("--no-wait")

    rows = project.report()
    assert run.code == expected.exit_code, run.errors
    assert [row["email"] for row in rows] == RECIPIENTS
    assert {row["state"] for row in rows} == {expected.state}
    assert run.summary[expected.state] == run.summary["total"] == len(RECIPIENTS)
    told = [row for row in rows if row["stage"]]
    if expected.stage:
        assert told
        assert {row["stage"] for row in told} == {expected.stage}
        assert {row["code"] for row in told} == {CODES[option]}
        assert all(row["reason"] for row in told)
    if expected.state == "sent":
        assert sorted(sink.received()) == RECIPIENTS
    elif expected.stage != "end of data":
        assert sink.received() == []
    if expected.exit_code == 3:
        assert "peer: " in run.errors or f"127.0.0.1:{sink.port}" in run.errors


def test_a_later_run_goes_on_where_the_line_was_cut(smtp_sink: SinkFactory, tmp_path: Path) -> None:
    broken, whole = smtp_sink("-q", "RCPT"), smtp_sink()
    server: dict[str, object] = {"host": "127.0.0.1", "security": "none"}
    project = letter_project(
        tmp_path, {**server, "port": broken.port}, RECIPIENTS, "retry: {backoff: 100ms}\n"
    )

    first = project.send("--no-wait")
    document = (tmp_path / "bulkmail.yaml").read_text("utf-8")
    (tmp_path / "bulkmail.yaml").write_text(
        document.replace(str(broken.port), str(whole.port)), "utf-8"
    )
    second = project.send()

    assert first.code in (3, 75), first.errors
    assert first.summary["deferred"] + first.summary["pending"] == len(RECIPIENTS)
    assert second.code == 0, second.errors
    assert sorted(whole.received()) == RECIPIENTS
