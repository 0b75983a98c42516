"""Children that are forked ahead. A test's own process has threads: each is tried in a new one."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere nothing is forked"
)

PREFACE = """
import asyncio, os, signal, threading, time
from unittest import mock
from bulkmail.app.processes.nursery import Nursery

def read(born):
    return os.read(born.heard, 100)

def echo():
    # As `child.main` does: by stdin and stdout alone, until nobody is there.
    while got := os.read(0, 100):
        os.write(1, got.upper())
    return 7

async def end_of(born):
    born.attach()
    return await born.wait()
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    """What a new interpreter makes of it."""
    code = PREFACE + body
    return subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=300
    )


def outcome(body: str) -> str:
    result = run(body)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip()


def test_a_child_hears_and_answers_and_ends_when_nobody_is_there() -> None:
    assert (
        outcome("""
nursery = Nursery(1, echo)
with nursery:
    born = nursery.take()
    os.write(born.said, b"hello")
    print(read(born).decode())
    os.close(born.said)
    print(asyncio.run(end_of(born)), born.returncode, nursery.take())
""")
        == "HELLO\n7 7 None"
    )


def test_none_holds_a_pipe_of_another_one() -> None:
    """Else it would not notice the end of its parent while the other lives."""
    assert (
        outcome("""
nursery = Nursery(3, echo)
with nursery:
    first, second, third = nursery.take(), nursery.take(), nursery.take()
    for born in (first, second, third):
        os.close(born.said)
        print(asyncio.run(end_of(born)))
""")
        == "7\n7\n7"
    )


def test_how_a_child_was_killed_is_known() -> None:
    assert (
        outcome("""
nursery = Nursery(1, echo)
with nursery:
    born = nursery.take()
    os.kill(born.pid, signal.SIGKILL)
    print(asyncio.run(end_of(born)))
""")
        == "-9"
    )


def test_a_signal_to_all_is_its_parent_s_to_answer() -> None:
    assert (
        outcome("""
nursery = Nursery(1, echo)
with nursery:
    born = nursery.take()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(born.pid, number)
    os.write(born.said, b"still")
    print(read(born).decode(), os.getsid(born.pid) == born.pid)
""")
        == "STILL True"
    )


def test_what_waits_to_be_written_is_written_once() -> None:
    assert (
        outcome("""
print("once", end=" ")
nursery = Nursery(2, echo)
with nursery:
    print("more")
""")
        == "once more"
    )


def test_who_is_not_needed_is_ended_and_waited_for() -> None:
    assert (
        outcome("""
nursery = Nursery(2, echo)
with nursery:
    pids = [born.pid for born in nursery._born]
for pid in pids:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        print("gone")
""")
        == "gone\ngone"
    )


def test_a_fault_of_a_child_is_its_own() -> None:
    result = run("""
def broken():
    raise RuntimeError("in a child")
nursery = Nursery(1, broken)
with nursery:
    print(asyncio.run(end_of(nursery.take())))
print("and on")
""")

    assert (result.returncode, result.stdout) == (0, "1\nand on\n")
    assert "RuntimeError: in a child" in result.stderr


def test_a_child_holds_no_file_above_what_may_be_opened_by_now() -> None:
    """Nor are all numbers below tried: a container's limit may be a thousand million."""
    assert (
        outcome("""
import fcntl, resource
heard, said = os.pipe()
high = fcntl.fcntl(said, fcntl.F_DUPFD, 900)
os.close(said)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
nursery = Nursery(1, echo)
with nursery, mock.patch.object(os, "closerange", side_effect=AssertionError):
    os.close(high)
    print(os.read(heard, 1), len(nursery._born))
""")
        == "b'' 1"
    )


def test_what_stands_for_a_stream_that_came_closed_stays() -> None:
    """Else a child that warns would write into whatever has its number by then."""
    assert (
        outcome("""
import sys
def told():
    os.pipe()
    print("lost", file=sys.stderr, flush=True)
    return 5
sys.stderr = open(os.devnull, "w")
nursery = Nursery(1, told)
with nursery:
    print(asyncio.run(end_of(nursery.take())))
""")
        == "5"
    )


def test_children_leave_the_run_most_of_the_files_that_it_may_open() -> None:
    """Without any left uvloop aborts the process; how many children are of use shows later."""
    assert (
        outcome("""
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
nursery = Nursery(16, echo)
with nursery:
    print(len(nursery._born))
""")
        == "2"
    )


@pytest.mark.parametrize(
    "running",
    [
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "import _thread; _thread.start_new_thread(time.sleep, (600,)); time.sleep(0)",
        "import sys; sys.platform = 'darwin'",
        "del os.pidfd_open",
    ],
    ids=["a thread", "one that Python does not list", "another system", "old headers"],
)
def test_nothing_is_forked_where_that_is_not_safe(running: str) -> None:
    assert (
        outcome(f"""
{running}
nursery = Nursery(2, echo)
with nursery:
    print(nursery.take())
""")
        == "None"
    )


def test_no_more_are_forked_than_are_of_use_ahead() -> None:
    assert (
        outcome("""
nursery = Nursery(1000, echo)
with nursery:
    print(len(nursery._born))
""")
        == "16"
    )
