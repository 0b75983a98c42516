"""What several processes of one run divide, say to one another, and come to."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from support.mail_project import MailProject
from support.scripted_server import scripted
from support.watching import Announcements, attempt, delivery

from bulkmail.app.loop import loop_factory, loop_name
from bulkmail.app.processes.channel import Channel
from bulkmail.app.processes.door import Door, Porter
from bulkmail.app.processes.endings import combined
from bulkmail.app.processes.member import Member
from bulkmail.app.processes.sharing import (
    PAYS_FROM,
    divided_limits,
    divided_servers,
    how_many,
    share,
)
from bulkmail.app.watch import Chorus
from bulkmail.campaign.units import Rate
from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.errors import EXIT_STOPPED, AuthenticationFailed, ConnectFailed, ShortOfResources
from bulkmail.fate import Attempt, Delivery, FileNote, State
from bulkmail.report.silence import Silence
from bulkmail.secret import Secret
from bulkmail.settings import DomainLimit, Security, ServerSettings


def server(connections: int, **more: Any) -> ServerSettings:
    facts: dict[str, Any] = {"name": f"s{connections}", "host": "127.0.0.1", "port": 25} | more
    return ServerSettings(security=Security.NONE, connections=connections, **facts)


def limit(connections: int | None) -> DomainLimit:
    return DomainLimit(name="big", domains=frozenset({"big.example"}), connections=connections)


class Sums(Announcements):
    """A watch that counts tries, and is told of none by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = Counter[tuple[State, State]]()

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        raise AssertionError("it asks not whose they are")

    def counted(self, before: State, after: State, times: int) -> None:
        self.moved[before, after] += times


@pytest.mark.parametrize("whole", [0, 1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("of", [1, 2, 3, 8])
def test_shares_are_as_equal_as_can_be_and_no_more_than_the_whole(whole: int, of: int) -> None:
    shares = [share(whole, number, of) for number in range(of)]

    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_a_server_without_a_connection_for_a_process_is_not_its() -> None:
    servers = (server(3), server(1))

    first, second = (divided_servers(servers, number, 2) for number in range(2))

    assert [(s.name, s.connections) for s in first] == [("s3", 2), ("s1", 1)]
    assert [(s.name, s.connections) for s in second] == [("s3", 1)]


def test_connections_to_a_group_of_domains_are_divided_and_its_rates_are_not() -> None:
    whole = DomainLimit(
        name="big",
        domains=frozenset({"big.example"}),
        rates=(Rate(10, 1.0),),
        connections=3,
    )

    shares = [divided_limits([whole, limit(None)], number, 2) for number in range(2)]

    assert [[part.connections for part in own] for own in shares] == [[2, None], [1, None]]
    assert all(own[0].rates == whole.rates for own in shares)


@pytest.mark.parametrize(
    ("servers", "limits", "processes"),
    [
        ([server(8)], [], 4),
        ([server(3)], [], 3),
        ([server(1)], [], 1),
        ([server(8), server(1)], [], 4),
        ([server(1), server(8)], [], 1),
        ([server(8, weight=1), server(2, weight=3)], [], 2),
        ([server(8)], [limit(2)], 2),
        ([server(8)], [limit(None)], 4),
    ],
    ids=[
        "enough for all",
        "fewer connections",
        "one connection",
        "a later server need not be everybody's",
        "the first server has to be",
        "with weights all have to be",
        "a domain's connections",
        "a domain without such a limit",
    ],
)
def test_no_more_processes_than_can_share(
    servers: list[ServerSettings], limits: list[DomainLimit], processes: int
) -> None:
    assert how_many(4, servers, limits) == processes


@pytest.mark.parametrize(
    ("to_go", "rates", "expected"),
    [
        (None, (), 1),
        (PAYS_FROM, (), 1),
        (100 * PAYS_FROM, (), 2),
        (100 * PAYS_FROM, (Rate(300, 60.0),), 1),
    ],
    ids=["not known yet", "a short list", "a long list", "a slow server"],
)
def test_auto_is_as_many_as_pay(
    monkeypatch: pytest.MonkeyPatch, to_go: int | None, rates: tuple[Rate, ...], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)

    assert how_many("auto", [server(8, rates=rates)], [], to_go) == expected


def result(ending: Ending, sentence: str = "", until: float | None = None) -> RunResult:
    return RunResult(ending=ending, sentence=sentence, until=until)


DONE, LIMIT = result(Ending.DONE), result(Ending.LIMIT)
WITHOUT = result(Ending.NO_SERVER, "one: refused")
LATER, SOONER = result(Ending.WAITING, "b", 2.0), result(Ending.WAITING, "a", 1.0)


@pytest.mark.parametrize(
    ("results", "is_anybody_left", "expected"),
    [
        ([DONE, DONE], False, DONE),
        ([DONE, LIMIT], True, LIMIT),
        ([WITHOUT, DONE], False, DONE),
        ([WITHOUT, DONE], True, WITHOUT),
        ([WITHOUT, WITHOUT], True, WITHOUT),
        ([WITHOUT, SOONER], True, SOONER),
        ([LATER, SOONER, DONE], True, SOONER),
        ([result(Ending.INTERRUPTED), LATER], True, result(Ending.INTERRUPTED)),
        ([result(Ending.CANCELLED), WITHOUT], True, result(Ending.CANCELLED)),
    ],
)
def test_how_a_run_ended_from_how_its_processes_did(
    results: list[RunResult], is_anybody_left: bool, expected: RunResult
) -> None:
    assert combined(results, is_anybody_left=is_anybody_left) == expected


class Hall:
    """Two doors and their porter, without the pipes between."""

    def __init__(self) -> None:
        self.porter = Porter(self._tell)
        self.doors = [Door(lambda *words, n=n: self.porter.answer(n, words)) for n in range(2)]

    def _tell(self, number: int, word: str, server: str, error: Any = None) -> None:
        loop = asyncio.get_running_loop()
        if word == "enter":
            loop.call_soon(self.doors[number].admit, server)
        else:
            loop.call_soon(self.doors[number].refuse, server, error)


async def test_a_refused_login_is_tried_by_one_process_alone() -> None:
    hall, tries = Hall(), 0

    async def open_session() -> str:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise AuthenticationFailed("535 no", hint="a code")

    entering = [door.enter("one", open_session) for door in hall.doors]
    failures = await asyncio.gather(*entering, return_exceptions=True)

    assert tries == 1
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 2
    assert [failure.hint for failure in failures] == ["a code"] * 2  # type: ignore[union-attr]


async def test_the_next_process_tries_where_the_first_one_could_not_connect() -> None:
    hall, tries = Hall(), 0

    async def open_session() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectFailed("refused")
        return tries

    entering = [door.enter("one", open_session) for door in hall.doors]
    first, second = await asyncio.gather(*entering, return_exceptions=True)

    assert isinstance(first, ConnectFailed)
    assert second == 2
    assert await hall.doors[0].enter("one", open_session) == 3


async def test_who_dies_while_it_tries_keeps_nobody_waiting() -> None:
    hall = Hall()
    never = asyncio.Event()

    async def hang() -> str:
        await never.wait()
        return "never"

    async def open_session() -> str:
        return "open"

    dying = asyncio.create_task(hall.doors[0].enter("one", hang))
    waiting = asyncio.create_task(hall.doors[1].enter("one", open_session))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    hall.porter.forget(0)

    assert await waiting == "open"
    dying.cancel()


class Listener(Silence):
    """What a watch is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def waiting(self, sentence: str, until: float | None) -> None:
        self.told.append((sentence, until))

    def server_changed(self, server: str, sentence: str) -> None:
        self.told.append((server, sentence))


def test_a_run_waits_while_all_of_its_processes_do() -> None:
    watch = Listener()
    chorus = Chorus(watch)
    chorus.join(0)
    chorus.join(1)

    chorus.waiting(0, "a quota", 9.0)
    assert watch.told == []
    chorus.waiting(1, "a window", 5.0)
    chorus.waiting(1, "", None)
    chorus.leave(1)

    assert watch.told == [("a window", 5.0), ("", None), ("a quota", 9.0)]


def test_a_server_is_usable_again_when_it_is_for_all() -> None:
    watch = Listener()
    chorus = Chorus(watch)

    chorus.server_changed(0, "one", "cut")
    chorus.server_changed(1, "one", "cut")
    chorus.server_changed(0, "one", "")
    chorus.server_changed(1, "one", "")

    assert watch.told == [("one", "cut"), ("one", "")]


async def test_words_arrive_in_their_order_and_a_secret_only_here() -> None:
    heard = asyncio.Queue[Any]()
    note = FileNote(entry="attachments[0]", path=b"a.pdf", sha256="00")
    second = (
        replace(delivery(), files=(note,), greylisted_by="primary"),
        replace(attempt(State.DEFERRED), refused_recipients={"a@x.example": "550 no"}, due_at=5.0),
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = Channel(reader, writer)
        while (words := await channel.hear()) is not None:
            for word in words:
                heard.put_nowait(word)
        heard.put_nowait(None)
        await channel.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        channel = Channel(reader, writer)
        channel.mention("first", 1)
        channel.mention("second", *second)
        channel.count("taken", "primary")
        channel.count("tried", State.PENDING, State.SENT)
        channel.count("taken", "primary")
        channel.say("third", Secret("hunter2"))
        await channel.close()
        words = [await heard.get() for _ in range(5)]

    taken, tried = ("taken", "primary"), ("tried", State.PENDING, State.SENT)
    assert words[0] == ("counted", [(taken, 2), (tried, 1)])
    assert words[1:3] == [("first", 1), ("second", *second)]
    assert (words[3][0], words[3][1].reveal(), words[4]) == ("third", "hunter2", None)


async def test_who_only_counts_is_told_sums(project: MailProject) -> None:
    display = Sums()
    project.many(30)
    async with scripted() as there:
        project.servers(there.url(connections=2))
        await project.send(watch=display, processes=2)

    assert display.moved == {(State.PENDING, State.SENT): 30}


async def test_a_caller_of_the_library_has_processes_too(project: MailProject) -> None:
    emails = project.many(30)
    async with scripted() as there:
        project.servers(there.url(connections=2))
        summary = await project.send(processes=2)

    assert summary.exit_code == 0
    assert sorted(there.got.elements()) == sorted(emails)


def test_without_uvloop_the_loop_is_asyncios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)

    assert loop_factory() is None


async def test_the_loop_has_a_name() -> None:
    assert loop_name() == "asyncio"


async def test_who_has_just_died_is_waited_for_and_not_killed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(600)", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    member = Member(process, Channel(process.stdout, process.stdin))
    again: list[int] = []
    monkeypatch.setattr(subprocess.Popen, "send_signal", lambda _, number: again.append(number))

    os.kill(process.pid, signal.SIGKILL)
    words = await member.hear()
    await member.dismiss()

    assert words is None
    assert await member.ended() == -signal.SIGKILL
    assert again == []


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN])
async def test_a_process_that_cannot_be_started_is_the_machines_fault(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refused = OSError(number, os.strerror(number))
    monkeypatch.setattr(asyncio, "create_subprocess_exec", AsyncMock(side_effect=refused))

    with pytest.raises(ShortOfResources, match="ulimit") as told:
        await Member.start(Mock())

    assert told.value.exit_code == EXIT_STOPPED
