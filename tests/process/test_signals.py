"""Signals at every step of a run: exit 130, the ledger whole, a re-run goes on."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest
from support.mail_project import PEOPLE, MailProject, last_json
from support.program import PATIENCE, Ended, bulkmail, ended, running
from support.scripted_server import HANG, Turn, greylist, on, scripted

ADA, BOB, EVE = PEOPLE
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
ALL = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["INT", "TERM", "HUP"]
)


async def heard(process: Process, words: str) -> None:
    """Wait until it says that on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line, f"it ended without {words!r}"


@ALL
async def test_a_message_in_flight_is_finished_and_the_rest_stays_pending(
    project: MailProject, number: signal.Signals
) -> None:
    process: Process | None = None

    def strike(turn: Turn) -> None:
        if turn.stage == "dot" and turn.nth == 2:
            assert process is not None
            process.send_signal(number)

    emails = project.many(40)
    async with scripted() as server:
        server.watch = strike
        project.servers(server.url(connections=1))
        project.save()
        async with running(project.root, "send", "letter", "--json") as process:
            result = await ended(process)
        states = await project.states()
        again = await bulkmail(project.root, "send", "letter", "--json")

    summary = last_json(result.out)
    assert result.code == 130, result.err
    assert summary["interrupted"] is True
    assert (summary["in_doubt"], summary["sent"] + summary["pending"]) == (0, 40)
    assert 2 <= summary["sent"] < 40
    assert set(states.values()) == {"sent", "pending"}
    assert again.code == 0, again.err
    assert server.got == dict.fromkeys(emails, 1)


async def test_while_a_deferred_recipient_is_waited_for(project: MailProject) -> None:
    async with scripted(greylist(1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        async with running(project.root, "send", "letter") as process:
            await heard(process, "wait")
            process.send_signal(signal.SIGTERM)
            result = await ended(process)

    assert result.code == 130
    assert set((await project.states()).values()) == {"deferred"}


async def test_while_a_quota_is_waited_for(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url(rate="1/h"))
        project.save()
        async with running(project.root, "send", "letter") as process:
            await heard(process, "1/h")
            process.send_signal(signal.SIGINT)
            result = await ended(process)

    assert result.code == 130
    assert sorted((await project.states()).values()) == ["pending", "pending", "sent"]


async def test_while_the_list_is_checked(project: MailProject) -> None:
    project.write("templates/letter.txt.j2", "{% for n in range(900) %}{{ name }}{% endfor %}")
    project.many(20_000)
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        async with running(project.root, "send", "letter") as process:
            await heard(process, "Ledger")
            process.send_signal(signal.SIGTERM)
            result = await ended(process)
        status = await bulkmail(project.root, "status", "--json")
        project.people(PEOPLE)
        again = await bulkmail(project.root, "send", "letter", "--json")

    assert result.code == 130, result.err
    assert "Nothing was sent" in result.err
    assert "Traceback" not in result.err
    assert status.out.strip() in {"", "[]"}
    assert again.code == 0, again.err
    assert last_json(again.out)["total"] == 3
    assert server.got == dict.fromkeys(PEOPLE, 1)


@BOTH
async def test_a_second_signal_cuts_what_hangs(
    project: MailProject, number: signal.Signals
) -> None:
    stuck = asyncio.Event()

    def watch(turn: Turn) -> None:
        if turn.stage == "dot":
            stuck.set()

    project.people([ADA])
    async with scripted(on("dot", HANG)) as server:
        server.watch = watch
        project.servers(server.url())
        project.save()
        async with running(project.root, "send", "letter", "--json") as process:
            await stuck.wait()
            process.send_signal(number)
            await heard(process, "on their way")
            process.send_signal(number)
            result = await ended(process)
        server.rules.clear()
        row = (await project.report())[ADA]

    assert result.code == 130, result.err
    assert "Traceback" not in result.err
    assert row["state"] == "in_doubt"
    assert last_json(result.out)["in_doubt"] == 1


async def test_before_the_connection_stands(project: MailProject) -> None:
    """A server that takes the connection and says nothing holds nobody up."""
    silent = asyncio.Event()
    async with scripted(on("connect", HANG)) as server:
        server.watch = lambda _: silent.set()
        project.servers(server.url(timeout="5m"))
        project.save()
        async with running(project.root, "send", "letter") as process:
            await silent.wait()
            process.send_signal(signal.SIGINT)
            result = await ended(process)

    assert result.code == 130, result.err
    assert set((await project.states()).values()) == {"pending"}


async def test_a_dry_run_can_be_interrupted_too(project: MailProject) -> None:
    project.write("templates/letter.txt.j2", "{% for n in range(900) %}{{ name }}{% endfor %}")
    project.many(5_000)
    project.save()
    async with running(project.root, "send", "letter", "--dry-run") as process:
        await asyncio.wait_for(_made(project), PATIENCE)
        process.send_signal(signal.SIGINT)
        result: Ended = await ended(process)

    assert result.code == 130, result.err


async def _made(project: MailProject) -> None:
    """Wait for the dry run's folder: the loader has loaded, and the signals are answered."""
    while not (project.root / "outbox").exists():  # noqa: ASYNC110  # another process
        await asyncio.sleep(0.01)


#: Python's own answer would be a traceback of what was being loaded.
INTERRUPTED_AS_IT_LOADS = """
import os, signal, sys
from bulkmail.__main__ import enter

class Struck:
    def find_spec(self, name, *_):
        if name == "bulkmail.cli.main":
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Struck())
sys.argv[1:] = ["--help"]
enter()
"""


@BOTH
async def test_before_it_is_loaded_it_says_nothing_and_is_interrupted_all_the_same(
    number: signal.Signals,
) -> None:
    interrupted = INTERRUPTED_AS_IT_LOADS.format(name=number.name)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", interrupted), stdout=PIPE, stderr=PIPE
    )

    result = await ended(process)

    assert (result.code, result.both) == (130, "")
