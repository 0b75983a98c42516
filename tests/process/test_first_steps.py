"""`init`, `check`, `probe` and `sink` from outside, by their exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from pathlib import Path

import pytest
from support.mail_project import PEOPLE, MailProject
from support.program import bulkmail, ended, running
from support.scripted_server import CUT, on, scripted

ADA, BOB, EVE = PEOPLE


async def test_the_sample_goes_to_the_sink_at_once(tmp_path: Path) -> None:
    made = await bulkmail(tmp_path, "init", "letters")
    project = tmp_path / "letters"
    settings = project / "bulkmail.yaml"
    async with running(project, "sink", "--port", "0") as sink:
        assert sink.stdout is not None
        listening = re.match(rb"Listening on 127\.0\.0\.1:(\d+) ", await sink.stdout.readline())
        assert listening is not None
        settings.write_text(settings.read_text().replace("2525", listening[1].decode()))
        sent = await bulkmail(project, "send", "hello")
        sink.send_signal(signal.SIGTERM)
        stopped = await ended(sink)

    assert made.code == 0
    assert sent.code == 0, sent.err
    assert stopped.code == 0, stopped.err
    assert len(list((project / "sink").glob("*.eml"))) == 3
    ignored = (project / ".gitignore").read_text()
    assert ".bulkmail" in ignored


async def test_init_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").write_text("servers: {}\n")

    result = await bulkmail(tmp_path, "init")

    assert result.code == 2
    assert (tmp_path / "bulkmail.yaml").read_text() == "servers: {}\n"


@pytest.mark.parametrize(
    ("rule", "code"), [(None, 0), (on("auth", "535 5.7.8 no"), 2), (on("connect", CUT), 2)]
)
async def test_check_online_tries_the_servers(
    project: MailProject, rule: object, code: int
) -> None:
    rules = [rule] if callable(rule) else []
    async with scripted(*rules, logins={"me": "pw"}) as server:
        project.servers(server.url(username="me", password="${PW}"))
        project.save()
        offline = await bulkmail(project.root, "check", "letter")
        online = await bulkmail(project.root, "check", "letter", "--online", environ={"PW": "pw"})

    assert (offline.code, online.code) == (0, code), online.both
    assert server.count("MAIL") == 0
    assert json.loads((await bulkmail(project.root, "status", "--json")).out) == []


async def test_check_lists_all_in_json(project: MailProject) -> None:
    project.people([ADA, "nobody", "no body@example.com", ADA])
    project.servers({"host": "127.0.0.1"})
    project.save()

    result = await bulkmail(project.root, "check", "letter", "--json")

    told = json.loads(result.out)
    assert result.code == 2
    assert [(fault["row"], fault["line"]) for fault in told["faults"]] == [(2, 3), (3, 4)]
    assert told["duplicates"] == 1


@pytest.mark.parametrize("stage", ["connect", "ehlo"])
async def test_a_probe_of_an_unwilling_server_is_exit_3(tmp_path: Path, stage: str) -> None:
    async with scripted(on(stage, "554 5.3.2 go away")) as server:
        result = await bulkmail(tmp_path, "probe", f"127.0.0.1:{server.port}", "--security", "none")

    assert result.code == 3
    assert "554 5.3.2 go away" in result.both


async def test_a_probe_prints_the_dialogue_up_to_mail(tmp_path: Path) -> None:
    async with scripted(extensions=["PIPELINING", "SIZE 1000000"]) as server:
        result = await bulkmail(tmp_path, "probe", f"127.0.0.1:{server.port}", "--security", "none")

    assert result.code == 0, result.both
    assert "S: 220 scripted.example ESMTP" in result.out
    assert re.search(r"C: EHLO \S+", result.out)
    assert "S: 250-PIPELINING" in result.out
    assert server.count("MAIL") == 0
    assert server.count("QUIT") == 1


async def test_a_probe_of_nobody_is_exit_3(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = await bulkmail(tmp_path, "probe", f"127.0.0.1:{port}", "--security", "none")

    assert result.code == 3
    assert "Traceback" not in result.both


async def test_a_campaign_is_found_by_name_from_a_folder_below(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        below = project.root / "campaigns" / "deep"
        below.mkdir()
        sent = await bulkmail(below, "send", "letter")

    assert sent.code == 0, sent.err
    assert project.ledger.exists()


async def test_many_runs_after_one_another_send_everybody_one(project: MailProject) -> None:
    """As cron would call it, with a server that has its moods."""
    rules = [
        on("rcpt", "450 4.2.0 later", to=ADA, times=2),
        on("data", "451 4.3.0 busy", times=1),
        on("connect", "421 4.3.2 not now", times=1),
    ]
    async with scripted(*rules) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1ms"})
        codes: list[int] = []
        while not codes or (codes[-1] == 75 and len(codes) < 10):
            result = await bulkmail(project.root, "send", "letter", "--no-wait", "--quiet")
            codes.append(result.code)
            await asyncio.sleep(0)

    assert codes[-1] == 0, codes
    assert set(codes[:-1]) <= {75}
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_wrong_run_leaves_nothing_that_disturbs_the_next(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people([ADA, "nobody"])
        project.save()
        wrong = await bulkmail(project.root, "send", "letter")
        status = await bulkmail(project.root, "status", "letter")
        project.people(PEOPLE)
        project.save(recipients={"path": "list.csv", "key": "name"}, name="another")
        right = await bulkmail(project.root, "send", "letter")

    assert wrong.code == 2
    assert status.code == 2, "nothing is known of it"
    assert right.code == 0, right.err
    assert server.got == dict.fromkeys(PEOPLE, 1)
