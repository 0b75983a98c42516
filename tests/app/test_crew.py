"""A long list is checked by several processes: what is found is what one would have found."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.mail_project import MailProject

from bulkmail import Campaign
from bulkmail.app import enrolling
from bulkmail.app.check import crew
from bulkmail.app.check import worker as check_worker
from bulkmail.app.check.checking import CheckReport, check

Processes = list[subprocess.Popen[bytes]]
ROWS = 60


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Lists of any length are checked by two processes, three rows at a time; these are they."""
    started: Processes = []
    start = crew._started

    def noted() -> subprocess.Popen[bytes]:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(crew, "_started", noted)
    monkeypatch.setattr(crew, "CHUNK", 3)
    monkeypatch.setattr(enrolling, "FEW", 1)
    monkeypatch.setattr(crew, "cores", lambda: 2)
    return started


def faulty(project: MailProject) -> Path:
    """A list with all that can be wrong with rows, spread over it."""
    lines = ["email,name,file,nick"]
    for n in range(1, ROWS + 1):
        # Every row has its own file but: 20 and 41 have that of 7, 30 has none.
        file = {20: 7, 41: 7, 30: 999}.get(n, n)
        name = {11: "Skip", 12: "Skip"}.get(n, f"N{n}")
        lines.append(f"r{n}@example.com,{name},{file},{'' if n % 17 else 'bad'}")
        project.write(f"campaigns/{n}.pdf", f"of {n}")
    lines.append("no address,X,1,")
    lines.append("r5@example.com,Again,5,")
    project.write("campaigns/list.csv", "\n".join(lines) + "\n")
    project.write("templates/a.html", "<p>{{ name }}{% if nick %}{{ nickname }}{% endif %}</p>")
    return project.save(
        recipients="list.csv",
        html="a.html",
        text=None,
        skip_if="name == 'Skip'",
        attachments=["{{ file }}.pdf"],
        subject="s" * 90 + "{% if name == 'N33' %}{{ '{{' }} x }}{% endif %}",
        servers=None,
    )


async def both(
    path: Path, monkeypatch: pytest.MonkeyPatch, several: Processes
) -> tuple[CheckReport, CheckReport]:
    """What several processes report, and what this one alone does."""
    together = await check(Campaign.load(path))
    assert len(several) == 2
    monkeypatch.setattr(crew, "cores", lambda: 1)
    alone = await check(Campaign.load(path))
    assert len(several) == 2
    return together, alone


async def test_all_faults_are_those_of_one_process_in_the_same_order(
    project: MailProject, several: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, alone = await both(faulty(project), monkeypatch, several)

    assert together == alone
    told = [(fault.row, fault.message) for fault in together.faults]
    assert [row for row, _ in told] == [61, 17, 20, 30, 34, 41, 51]
    assert "row 7, r7@example.com" in dict(told)[20]
    assert together.total == ROWS + 1
    assert any("{{ x }}" in notice for notice in together.notices)


async def test_no_process_is_left(project: MailProject, several: Processes) -> None:
    await check(Campaign.load(faulty(project)))

    assert all(process.returncode is not None for process in several)


@pytest.mark.parametrize("survivors", [0, 1])
async def test_processes_that_are_killed_are_done_without(
    project: MailProject,
    several: Processes,
    monkeypatch: pytest.MonkeyPatch,
    survivors: int,
) -> None:
    path = faulty(project)
    exchange: Callable[..., Any] = crew.Crew._exchange

    def killed(self: crew.Crew, process: subprocess.Popen[bytes], question: Any) -> Any:
        if process in several[survivors:] and question.first > 12:
            process.kill()
            process.wait()
        return exchange(self, process, question)

    monkeypatch.setattr(crew.Crew, "_exchange", killed)
    together, alone = await both(path, monkeypatch, several)

    assert together == alone


async def test_a_check_that_is_cancelled_leaves_no_process(
    project: MailProject, several: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    exchange: Callable[..., Any] = crew.Crew._exchange

    def noticed(self: crew.Crew, process: subprocess.Popen[bytes], question: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        return exchange(self, process, question)

    monkeypatch.setattr(crew.Crew, "_exchange", noticed)
    task = asyncio.create_task(check(Campaign.load(faulty(project))))
    await begun.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert all(process.returncode is not None for process in several)


async def test_a_copy_that_is_suppressed_is_left_out_in_every_process(
    project: MailProject, several: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.many(ROWS)
    project.write("campaigns/gone.txt", "boss@example.com\n")
    path = project.save(cc=["boss@example.com"], suppress=["gone.txt"], text="a.txt", servers=None)
    project.write("templates/a.txt", "hello\n")

    together, alone = await both(path, monkeypatch, several)

    assert together == alone


async def test_a_password_is_not_told_to_the_processes(
    project: MailProject, several: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []

    def noted(value: object) -> bytes:
        told.append(check_worker.packed(value))
        return told[-1]

    monkeypatch.setattr(crew, "packed", noted)
    project.many(ROWS)
    host = {"host": "127.0.0.1", "port": 1, "username": "u", "password": "hunter2-hunter2"}
    project.shared = {"servers": {"shared": host}}
    path = project.save(servers=["shared", host | {"password": "hunter3-hunter3"}])

    await check(Campaign.load(path))

    assert told
    assert not any(b"hunter" in message for message in told)
    assert not any("hunter" in str(process.args) for process in several)


def test_cores_are_counted() -> None:
    assert 1 <= crew.cores() <= (os.cpu_count() or 1)
