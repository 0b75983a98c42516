"""What stands on which stream, for people, for scripts, and for pipes that are closed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import sys
from datetime import datetime
from pathlib import Path

import pytest
from support.mail_project import PEOPLE, STATES, MailProject, last_json
from support.program import bulkmail, environment
from support.scripted_server import greylist, on, scripted

ADA, BOB, EVE = PEOPLE
SUMMARY = {
    *("campaign", "total", "sent", "failed", "deferred", "pending", "suppressed", "in_doubt"),
    *("duplicates", "elapsed_seconds", "messages_per_second"),
}
REPORT = [
    *("row", "email", "key", "state", "reason", "attempts", "server", "stage", "code"),
    *("enhanced_code", "reply", "refused_recipients", "message_id", "gateway_id", "updated_at"),
    *("attachments", "message_sha256"),
]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def refusing() -> list[str]:
    return [ADA, BOB, EVE, ADA]


async def test_a_run_and_all_that_can_be_asked_about_it(
    project: MailProject, refusing: list[str]
) -> None:
    project.people(refusing)
    refusal = on("rcpt", "550 5.1.1 =no such user, \u201cBob\u201d", to=BOB)
    async with scripted(refusal) as server:
        project.servers(server.url())
        project.save()
        sent = await bulkmail(project.root, "send", "letter", "--json")

    summary = json.loads(sent.out)
    assert sent.code == 1
    assert len(sent.out.splitlines()) == 1
    assert summary.keys() >= SUMMARY
    assert (summary["campaign"], summary["total"], summary["duplicates"]) == ("letter", 3, 1)
    assert (summary["sent"], summary["failed"], summary["pending"]) == (2, 1, 0)
    assert isinstance(summary["elapsed_seconds"], float)

    told = await bulkmail(project.root, "report", "letter")
    rows = list(csv.DictReader(io.StringIO(told.out, newline="")))
    assert told.code == 0
    assert list(rows[0])[: len(REPORT)] == REPORT
    assert [row["state"] for row in rows] == ["sent", "failed", "sent"]
    assert all(INSTANT.fullmatch(row["updated_at"]) for row in rows)
    assert rows[1]["code"] == "550"

    as_json = await bulkmail(project.root, "report", "letter", "--format", "json")
    objects = [json.loads(line) for line in as_json.out.splitlines()]
    assert all(found.keys() >= set(REPORT) for found in objects)
    assert [found["row"] for found in objects] == [1, 2, 3]
    assert "\u201cBob\u201d" in objects[1]["reply"]

    failed = await bulkmail(project.root, "report", "letter", "--state", "failed")
    assert [row["email"] for row in csv.DictReader(io.StringIO(failed.out))] == [BOB]

    one = await bulkmail(project.root, "status", "letter", "--json")
    every = await bulkmail(project.root, "status", "--json")
    status = json.loads(one.out)
    assert status.keys() >= STATES | {"campaign"}
    assert json.loads(every.out) == [status]
    assert {state: status[state] for state in ("sent", "failed")} == {"sent": 2, "failed": 1}

    for text in (
        await bulkmail(project.root, "status", "letter"),
        await bulkmail(project.root, "status"),
        await bulkmail(project.root / "campaigns", "status", "letter"),
        await bulkmail(project.root, "status", str(project.path)),
    ):
        assert text.code == 0
        assert "letter" in text.out
        assert "1 failed" in text.out
    assert "550 5.1.1 =no such user" in (await bulkmail(project.root, "status", "letter")).out


async def test_progress_is_on_stderr_and_results_are_on_stdout(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        result = await bulkmail(project.root, "send", "letter")

    assert result.code == 0
    assert "3 sent" in result.out
    assert str(project.ledger) in result.both
    assert "\x1b" not in result.both
    assert "\r" not in result.both


async def test_quiet_says_nothing_and_json_still_speaks(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        quiet = await bulkmail(project.root, "send", "letter", "--quiet", "--limit", "1")
        both = await bulkmail(project.root, "send", "letter", "--quiet", "--json")

    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert last_json(both.out)["sent"] == 3
    assert both.err == ""


async def test_the_json_of_a_dry_run_and_of_a_test_message_are_summaries_too(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        dry = await bulkmail(project.root, "send", "letter", "--dry-run", "--json")
        test = await bulkmail(
            project.root, "send", "letter", "--test-to", "me@example.com", "--json"
        )

    assert last_json(dry.out)["sent"] == 3
    assert last_json(dry.out).keys() >= SUMMARY
    assert last_json(test.out).keys() >= SUMMARY
    assert (dry.code, test.code) == (0, 0)
    assert not project.ledger.exists()


async def test_a_wait_is_told_with_its_reason_and_its_end(project: MailProject) -> None:
    async with scripted(greylist(1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        result = await bulkmail(project.root, "send", "letter", "--no-wait", "--json")

    summary = last_json(result.out)
    assert result.code == 75
    assert summary["deferred"] == 3
    assert INSTANT.fullmatch(summary["waiting_until"])
    datetime.fromisoformat(summary["waiting_until"])


async def cut_short(project: MailProject, command: str) -> None:
    """Run a command into a pipe that is closed behind its first byte."""
    line = f"{sys.executable} -m bulkmail {command} | head -c 1; exit ${{PIPESTATUS[0]}}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line),
        cwd=project.root,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert b"Broken" not in errors


@pytest.mark.parametrize("command", ["schema campaign", "--help", "preview letter"])
async def test_a_pipe_that_is_closed_is_no_error(project: MailProject, command: str) -> None:
    project.write("templates/letter.txt.j2", "Hello {{ name }}\n" * 5_000)
    project.save()

    await cut_short(project, command)


async def test_a_report_that_is_read_in_part_is_no_error(project: MailProject) -> None:
    project.many(2_000)
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

    await cut_short(project, "report letter --format json")


async def test_a_run_goes_on_when_nobody_reads_its_output(project: MailProject) -> None:
    async with scripted() as server:
        project.many(50)
        project.servers(server.url())
        project.save()
        line = f"{sys.executable} -m bulkmail send letter 2>&1 >/dev/null | true"
        line += f"; {sys.executable} -m bulkmail send letter --json >&- 2>&-"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line), cwd=project.root, env=environment()
        )
        code = await process.wait()

    assert code == 0
    assert len(server.accepted) == 50


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
async def test_the_version_is_told_whatever_is_closed(project: MailProject, closed: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{sys.executable} -m bulkmail --version {closed}"),
        cwd=project.root,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert output.startswith(b"bulkmail ") == (closed == "2>&-")


async def test_a_full_disk_behind_stdout_is_exit_3_not_a_traceback(project: MailProject) -> None:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{sys.executable} -m bulkmail schema campaign > /dev/full"),
        cwd=project.root,
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 3
    assert b"Traceback" not in errors


async def test_a_terminal_in_another_encoding_is_no_obstacle(project: MailProject) -> None:
    project.write("campaigns/list.csv", f"email,name\n{ADA},李伟\n")
    async with scripted() as server:
        project.servers(server.url())
        project.save(name="录用通知书")
        environ = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
        sent = await bulkmail(project.root, "send", "letter", environ=environ)
        told = await bulkmail(project.root, "status", "--json", environ=environ)
        shown = await bulkmail(project.root, "preview", "letter", environ=environ)

    assert (sent.code, told.code, shown.code) == (0, 0, 0), sent.both + told.both + shown.both
    assert json.loads(told.out)[0]["campaign"] == "录用通知书"


async def test_a_run_that_has_no_stdin_opens_no_connection_in_its_place(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        line = f"exec {sys.executable} -m bulkmail send letter --json <&- 2>&-"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line), cwd=project.root, env=environment()
        )
        code = await process.wait()

    assert code == 0
    assert len(server.accepted) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others keep names to be text")
async def test_names_that_are_no_text_are_told_or_taken_as_they_are(
    tmp_path: Path,
) -> None:
    folder, file = tmp_path / "let\udcffters", "campaigns/\udcfe.yaml"
    project = MailProject(folder)
    async with scripted() as server:
        project.servers(server.url())
        os.rename(project.save(name="letter"), folder / file)  # noqa: PTH104
        checked = await bulkmail(folder, "check", file)
        sent = await bulkmail(folder, "send", file, "--json")
        again = await bulkmail(folder, "send", file, "--json")
        status = await bulkmail(folder, "status", file)
        preview = await bulkmail(folder, "preview", file, "--email", "\udcfe@example.com")
        unknown = await bulkmail(folder, "report", "\udcfe\udcfe")

    assert (checked.code, sent.code, again.code) == (0, 0, 0), checked.both + sent.both
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert "3 sent" in status.out
    assert (preview.code, unknown.code) == (2, 2), preview.both + unknown.both
    assert "the list holds no \\udcfe@example.com" in preview.err


async def test_replies_cannot_move_the_cursor(project: MailProject) -> None:
    evil = "550 5.1.1 \x1b[2J\x1b]0;title\x07 no"
    async with scripted(on("rcpt", evil)) as server:
        project.servers(server.url())
        project.save()
        for command in (("send",), ("status",), ("report",), ("report", "--state", "failed")):
            result = await bulkmail(project.root, command[0], "letter", *command[1:])
            assert "\x1b" not in result.both, command


async def test_the_commands_of_a_cron_line_find_their_project_from_anywhere(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        path = project.save()
        other = project.root.parent
        sent = await bulkmail(other, "send", str(path), "--quiet")
        told = await bulkmail(other, "status", str(path), "--json")
        report = await bulkmail(other, "report", str(path), "--format", "json")

    assert (sent.code, told.code, report.code) == (0, 0, 0), sent.both + told.both
    assert json.loads(told.out)["sent"] == 3
    assert len(report.out.splitlines()) == 3
    assert project.ledger.exists()


async def test_a_campaign_goes_on_under_its_new_name(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        await bulkmail(project.root, "send", "letter", "--limit", "2")
        project.save(name="renamed")
        refused = await bulkmail(project.root, "send", "letter")
        (command,) = re.findall(r"bulkmail (rename \S+ [^\s,]+)", refused.err)
        renamed = await bulkmail(project.root, *command.split())
        again = await bulkmail(project.root, *command.split())
        sent = await bulkmail(project.root, "send", "letter", "--json")

    assert (refused.code, renamed.code, again.code, sent.code) == (2, 0, 2, 0), again.both
    assert last_json(sent.out)["campaign"] == "renamed"
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_schemas_are_one_object_each(project: MailProject) -> None:
    for name in ("campaign", "project"):
        result = await bulkmail(project.root, "schema", name)
        schema = json.loads(result.out)

        assert result.code == 0
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False


async def test_a_preview_names_who_gets_what(project: MailProject) -> None:
    project.save(bcc=["hidden@example.com"], servers=[{"host": "nowhere.invalid"}])

    by_row = await bulkmail(project.root, "preview", "letter", "--row", "2")
    by_address = await bulkmail(project.root, "preview", "letter", "--email", BOB)

    assert (by_row.code, by_address.code) == (0, 0)
    assert "Hello Bob" in by_row.out
    assert "Hello Bob" in by_address.out
    assert not project.ledger.exists()
