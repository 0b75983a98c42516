"""A child that does not answer is told of, and replaced in the end; whoever answers is let be."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest
from support.children import children
from support.mail_project import MailProject
from support.program import PATIENCE
from support.scripted_server import Held, Turn, on, scripted
from support.watching import Announcements

from bulkmail.app.processes import vigil
from bulkmail.app.processes.member import Member
from bulkmail.app.processes.vigil import KILLED, TOLD, attended

YES, NO = True, False


class Looks:
    """A clock that stands still when so many looks were taken; at each a child answers, or not."""

    def __init__(self, member: Member, answers: list[bool]) -> None:
        self.are_over = asyncio.Event()
        self._member = member
        self._answers = answers

    def time(self) -> float:
        raise AssertionError("how long it was is not asked")

    monotonic = time

    async def sleep(self, seconds: float) -> None:
        if not self._answers:
            self.are_over.set()
            await asyncio.Event().wait()
        if self._answers.pop(0):
            await self._member.hear()


class Line:
    """Where a child answers."""

    def __init__(self) -> None:
        self.asked = 0

    def say(self, *words: Any) -> None:
        assert words == ("ask",)
        self.asked += 1

    async def hear(self) -> list[Any]:
        return [("here",)]


@pytest.mark.parametrize(
    ("answers", "told", "is_killed"),
    [
        ([YES] * 40, [], False),
        # Or an hour late: who was asked before the machine slept answers when it wakes.
        ([NO, YES] * 20, [], False),
        ([NO] * (TOLD + 1), ["is killed in 50 s"], False),
        ([NO] * (KILLED - 1) + [YES] * 2, ["is killed in 50 s", "answers again"], False),
        ([NO] * KILLED, ["is killed in 50 s", "for 60 s: it is killed"], True),
    ],
    ids=["it answers", "it is late", "it is stopped", "it goes on", "for ever"],
)
async def test_who_is_asked_and_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, answers: list[bool], told: list[str], is_killed: bool
) -> None:
    line, watch = Line(), Announcements()
    member = Member(Mock(pid=4321, returncode=None), cast("Any", line))
    monkeypatch.setattr(Member, "is_at_disk", NO)
    looks = Looks(member, list(answers))
    killed = Mock(side_effect=lambda *_: looks.are_over.set())
    monkeypatch.setattr(os, "kill", killed)

    async with asyncio.timeout(PATIENCE), attended(member, looks, watch.announce):
        await looks.are_over.wait()

    assert len(watch.lines) == len(told)
    assert all(words in line for words, line in zip(told, watch.lines, strict=True))
    assert all("Process 4321 " in line for line in watch.lines)
    assert killed.called == is_killed
    assert line.asked == len(answers) + (not is_killed)


async def test_who_waits_for_a_dead_disk_is_let_be_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Announcements()
    member = Member(Mock(pid=4321, returncode=None), cast("Any", Line()))
    looks = Looks(member, [NO] * KILLED * 3 + [YES] * 2)
    monkeypatch.setattr(Member, "is_at_disk", YES)
    monkeypatch.setattr(os, "kill", Mock(side_effect=AssertionError("it is let be")))

    async with asyncio.timeout(PATIENCE), attended(member, looks, watch.announce):
        await looks.are_over.wait()

    first, second = watch.lines
    assert "it waits for a disk" in first
    assert second == "Process 4321 answers again."


@pytest.mark.parametrize(
    ("stat", "is_at_disk"),
    [(b"7 (python) D 1 7", YES), (b"7 (a) D) S 1 7", NO), (b"7 (a) S (b)) D 1", YES), (b"", NO)],
)
def test_the_system_tells_who_waits_for_a_disk(
    monkeypatch: pytest.MonkeyPatch, stat: bytes, is_at_disk: bool
) -> None:
    file = Mock(return_value=Mock(read_bytes=lambda: stat))
    monkeypatch.setattr("bulkmail.app.processes.member.Path", file)

    assert Member(Mock(pid=7), cast("Any", Line())).is_at_disk is is_at_disk
    assert file.call_args.args == ("/proc/7/stat",)


def test_who_is_gone_waits_for_no_disk() -> None:
    assert not Member(Mock(pid=-1), cast("Any", Line())).is_at_disk


class Bystander(Announcements):
    """Does something when it is told that the stopped one is silent, answers, or is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = 0
        self.deeds: dict[str, Callable[[], object]] = {}

    def announce(self, sentence: str) -> None:
        super().announce(sentence)
        for words, deed in self.deeds.items():
            if sentence.startswith(f"Process {self.stopped} {words}"):
                deed()


@pytest.fixture
def bystander(monkeypatch: pytest.MonkeyPatch) -> Bystander:
    """Looks are quick, and nobody is told of yet: who starts is as silent as who hangs."""
    monkeypatch.setattr(vigil, "LOOK", 0.02)
    monkeypatch.setattr(vigil, "TOLD", sys.maxsize)
    monkeypatch.setattr(vigil, "KILLED", sys.maxsize)
    return Bystander()


def stopped_at_dot(nth: int, bystander: Bystander) -> Callable[[Turn], None]:
    """Stop one of the children that this process gets from here on, at an end of data."""
    before = set(children(os.getpid()))

    def watch(turn: Turn) -> None:
        if turn.stage == "dot" and turn.nth == nth:
            bystander.stopped = min(set(children(os.getpid())) - before)
            os.kill(bystander.stopped, signal.SIGSTOP)
            vigil.TOLD = 2  # which the fixture puts back

    return watch


on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a process's children are found in /proc"
)


@on_linux
async def test_a_stopped_child_is_killed_and_replaced_and_nobody_is_lost(
    project: MailProject, bystander: Bystander, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = project.many(60)
    kill = Member.kill

    def kill_the_stopped(member: Member) -> None:
        # The other one may be as silent for a second, where the machine has others to run.
        if member.pid == bystander.stopped:
            kill(member)

    monkeypatch.setattr(Member, "kill", kill_the_stopped)
    bystander.deeds = {
        "of this run has not answered": lambda: monkeypatch.setattr(vigil, "KILLED", 50),
        "has not answered": lambda: monkeypatch.setattr(vigil, "KILLED", sys.maxsize),
    }
    async with scripted() as server:
        server.watch = stopped_at_dot(10, bystander)
        project.servers(server.url(connections=2))
        project.keys["retry"] = {"backoff": "100ms"}
        async with asyncio.timeout(PATIENCE):
            summary = await project.send(processes=2, watch=bystander)

    pid = bystander.stopped
    assert any(f"`kill -CONT {pid}`" in line for line in bystander.lines)
    assert any("was killed (signal 9)" in line for line in bystander.lines)
    assert summary.exit_code == 0
    assert set(server.got) == set(emails)
    assert sum(server.got.values()) <= 60 + 1
    assert set((await project.states()).values()) == {"sent"}


@on_linux
async def test_a_stopped_child_that_goes_on_in_time_is_let_be(
    project: MailProject, bystander: Bystander
) -> None:
    emails = project.many(60)
    answers_again = asyncio.Event()
    bystander.deeds = {
        "of this run has not answered": lambda: os.kill(bystander.stopped, signal.SIGCONT),
        "answers again": answers_again.set,
    }
    # Or the run could be over before anybody looks.
    held = on("dot", Held(answers_again, "250 2.0.0 taken"), after=10)
    async with scripted(held) as server:
        server.watch = stopped_at_dot(10, bystander)
        project.servers(server.url(connections=2))
        async with asyncio.timeout(PATIENCE):
            summary = await project.send(processes=2, watch=bystander)

    pid = bystander.stopped
    assert f"Process {pid} answers again." in bystander.lines
    assert not any("was killed" in line for line in bystander.lines)
    assert summary.exit_code == 0
    assert server.got == Counter(emails)
