"""The commands of a first day, as processes, against the sink."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

Completed = subprocess.CompletedProcess[str]


def bulkmail(folder: Path, *arguments: str) -> Completed:
    return subprocess.run(
        [sys.executable, "-m", "bulkmail", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert bulkmail(tmp_path, "init").returncode == 0
    return tmp_path


def use_port(project: Path, port: int) -> None:
    """Send by a server on `port`."""
    settings = project / "bulkmail.yaml"
    settings.write_text(settings.read_text("utf-8").replace("2525", str(port)), "utf-8")


@pytest.fixture
def sink(project: Path) -> Iterator[Path]:
    """The folder in which a sink keeps what the project sends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkmail", "sink", "--port", "0"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        listening = re.match(r"Listening on 127\.0\.0\.1:(\d+) ", process.stdout.readline())
        assert listening is not None
        use_port(project, int(listening[1]))
        yield project / "sink"
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=300) == 0


def letters(folder: Path) -> dict[str, str]:
    """Subject by recipient of what was kept."""
    found = {}
    for path in folder.rglob("*.eml"):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        found[str(message["To"])] = str(message["Subject"])
    return found


SENT = {
    "李伟 <li.wei@example.com>": "Hello, 李伟",
    "Ada Lovelace <ada@example.com>": "Hello, Ada Lovelace",
    "José García <jose@example.com>": "Hello, José García",
}


def test_the_sample_is_checked_sent_and_accounted_for(project: Path, sink: Path) -> None:
    assert bulkmail(project, "check", "hello").returncode == 0

    sent = bulkmail(project, "send", "hello", "--json")
    assert sent.returncode == 0, sent.stderr
    summary = json.loads(sent.stdout.splitlines()[-1])
    assert (summary["total"], summary["sent"]) == (3, 3)
    assert str(project / ".bulkmail" / "ledger.db") in sent.stderr
    assert letters(sink) == SENT

    again = bulkmail(project, "send", "hello")
    assert again.returncode == 0, again.stderr
    assert "Nothing was left to send. 3 recipients: 3 sent." in again.stdout
    assert len(letters(sink)) == 3

    status = json.loads(bulkmail(project, "status", "hello", "--json").stdout)
    assert (status["campaign"], status["sent"], status["pending"]) == ("hello", 3, 0)

    report = bulkmail(project, "report", "hello").stdout
    rows = list(csv.DictReader(io.StringIO(report, newline="")))
    assert [row["email"] for row in rows] == [
        "li.wei@example.com",
        *(
            "ada@example.com",
            "jose@example.com",
        ),
    ]
    assert {(row["state"], row["code"], row["server"]) for row in rows} == {
        ("sent", "250", "local")
    }


def test_nothing_is_needed_to_preview_and_to_write_files(project: Path) -> None:
    preview = bulkmail(project, "preview", "hello", "--row", "2")
    assert "Subject: Hello, Ada Lovelace\n" in preview.stdout

    dry = bulkmail(project, "send", "hello", "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert json.loads(dry.stdout)["sent"] == 3
    assert letters(project / "outbox" / "hello") == SENT
    assert not (project / ".bulkmail").exists()


def test_a_test_message_goes_to_oneself(project: Path, sink: Path) -> None:
    sent = bulkmail(project, "send", "hello", "--test-to", "me@example.com", "--row", "3")

    assert sent.returncode == 0, sent.stderr
    assert "A test message was sent to me@example.com" in sent.stdout
    (kept,) = sink.glob("*.eml")
    assert "me@example.com" in kept.name


def test_a_limit_leaves_the_rest_for_another_run(project: Path, sink: Path) -> None:
    first = bulkmail(project, "send", "hello", "--limit", "1")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "Send the rest:  bulkmail send hello"
    assert len(letters(sink)) == 1

    assert bulkmail(project, "send", "hello", "--quiet").stdout == ""
    assert letters(sink) == SENT


def test_a_suppressed_address_gets_nothing(project: Path, sink: Path) -> None:
    assert bulkmail(project, "suppress", "add", "ada@example.com").returncode == 0

    sent = bulkmail(project, "send", "hello", "--json")

    summary = json.loads(sent.stdout)
    assert (sent.returncode, summary["sent"], summary["suppressed"]) == (0, 2, 1)
    assert "Ada Lovelace <ada@example.com>" not in letters(sink)
    listed = bulkmail(project, "suppress", "list", "--json").stdout
    assert [entry["email"] for entry in json.loads(listed)] == ["ada@example.com"]


def test_without_a_server_it_stops_and_everybody_stays_pending(project: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        use_port(project, unused.getsockname()[1])

        sent = bulkmail(project, "send", "hello", "--json")

    assert sent.returncode == 3, sent.stderr
    summary = json.loads(sent.stdout.splitlines()[-1])
    assert (summary["pending"], summary["sent"]) == (3, 0)
    assert summary["stopped"] in sent.stderr
    assert "Traceback" not in sent.stderr


@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_can_go_on(project: Path, number: signal.Signals) -> None:
    settings = project / "bulkmail.yaml"
    slow = settings.read_text("utf-8").replace("security: none", "security: none\n    rate: 1/min")
    settings.write_text(slow, "utf-8")

    with subprocess.Popen(
        [sys.executable, "-m", "bulkmail", "send", "hello", "--json"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "hello: 3 to go" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        output, errors = process.communicate(timeout=300)

    assert process.returncode == 130, errors
    summary = json.loads(output)
    assert summary["interrupted"] is True
    assert summary["pending"] >= 2


def test_every_fault_is_named_and_nothing_is_sent(project: Path) -> None:
    campaign = project / "campaigns" / "hello.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace("subject:", "subjekt:"), "utf-8")

    for command in ("check", "send", "preview"):
        result = bulkmail(project, command, "hello")

        assert result.returncode == 2
        assert "campaigns/hello.yaml:5:1" in result.stderr
        assert "subject" in result.stderr
        assert "Traceback" not in result.stderr


def test_bad_rows_are_listed_by_check_and_refused_by_send(project: Path) -> None:
    with (project / "campaigns" / "hello.csv").open("a", encoding="utf-8") as file:
        file.write("wang fang@example.com,王芳,北京\nnobody,Nobody,Nowhere\n")

    told = json.loads(bulkmail(project, "check", "hello", "--json").stdout)
    sent = bulkmail(project, "send", "hello")

    assert [fault["row"] for fault in told["faults"]] == [4, 5]
    assert sent.returncode == 2
    assert sent.stderr.splitlines()[-2:] == [
        "2 faults in 1 file and 2 rows. Nothing was sent.",
        "To all others:  bulkmail send hello --skip-invalid",
    ]
