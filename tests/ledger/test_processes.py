"""What holds over processes: claims, limits, and a death in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.ledger_book import Book, StoppedClock, names

from bulkmail.fate import State
from bulkmail.ledger import Ledger

#: Claims one by one until nothing is left, and prints the ids; starts when stdin closes.
CLAIM = """
import asyncio, sys
from pathlib import Path
from bulkmail.clock import SystemClock
from bulkmail.ledger import Ledger

async def main():
    ledger = await Ledger.open(Path(sys.argv[1]), clock=SystemClock(), durability="process")
    run = ledger.run(1, owner=sys.argv[2])
    sys.stdin.read()
    while claimed := await run.claim(3):
        print(*(delivery.id for delivery in claimed))
    await ledger.close()

asyncio.run(main())
"""

#: Marks one row, says so, and waits to be killed.
MARK = """
import asyncio, sys
from pathlib import Path
from bulkmail.clock import SystemClock
from bulkmail.ledger import Ledger

async def main():
    ledger = await Ledger.open(Path(sys.argv[1]), clock=SystemClock(), durability="process")
    ledger.lock("offer").acquire()
    run = ledger.run(1, owner="dead")
    first, second = await run.claim(2)
    assert await run.mark(first, 5.0)
    print("marked", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""

#: Opens a ledger that is not there yet; starts when stdin closes.
OPEN = """
import asyncio, sys
from pathlib import Path
from bulkmail.clock import SystemClock
from bulkmail.ledger import Ledger

async def main():
    sys.stdin.read()
    ledger = await Ledger.open(Path(sys.argv[1]), clock=SystemClock())
    await ledger.suppression().add([sys.argv[2]], "here")
    await ledger.close()

asyncio.run(main())
"""


#: Prints who is suppressed.
LIST = """
import asyncio, sys
from pathlib import Path
from bulkmail.clock import SystemClock
from bulkmail.ledger import Ledger

async def main():
    ledger = await Ledger.open(Path(sys.argv[1]), clock=SystemClock())
    print(*(entry.address for entry in await ledger.suppression().all()))
    await ledger.close()

asyncio.run(main())
"""


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_two_processes_claim_disjoint_rows(tmp_path: Path, clock: StoppedClock) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock, durability="process")
    await Book(ledger, clock).enrol(*(f"n{number}" for number in range(300)))
    await ledger.close()

    runs = [started(CLAIM, str(path), owner) for owner in ("one", "two")]
    for run in runs:
        assert run.stdin is not None
        run.stdin.close()
        run.stdin = None
    claimed = [run.communicate()[0].split() for run in runs]

    assert sorted(claimed[0] + claimed[1], key=int) == [str(number) for number in range(1, 301)]


async def test_kill_between_mark_and_result_leaves_one_row_in_doubt(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock, durability="process")
    book = Book(ledger, clock)
    await book.enrol("ann", "bob", "cat")

    with started(MARK, str(path)) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "marked\n"
        os.kill(run.pid, signal.SIGKILL)

    with ledger.lock("offer"):
        assert await ledger.recover(book.id, resend=False, due_at=0.0) == 1
        counts = await ledger.counts(book.id)
        assert (counts.in_doubt, counts.pending) == (1, 2)
        assert names(await book.run().claim(10)) == ["bob", "cat"]
        assert [row.email for row in await book.report(State.IN_DOUBT)] == ["ann@x.example"]
    await ledger.close()


async def test_processes_that_make_a_ledger_at_once_make_one(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "home" / "ledger.db"
    openers = [started(OPEN, str(path), f"n{number}@x.example") for number in range(4)]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.close()
        opener.stdin = None
    assert [opener.wait() for opener in openers] == [0, 0, 0, 0]
    for opener in openers:
        opener.communicate()

    ledger = await Ledger.open(path, clock=clock, read_only=True)
    assert len(await ledger.suppression().all()) == 4
    await ledger.close()


async def test_a_ledger_opened_twice_in_one_process_is_no_less_held(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    first = await Ledger.open(path, clock=clock)
    second = await Ledger.open(path, clock=clock)
    await second.close()

    # Another process that comes and goes must not take itself for the last one out: it would
    # delete the log that the first connection goes on writing to.
    other = started(OPEN, str(path), "ann@x.example")
    other.communicate("")
    assert other.returncode == 0
    await first.suppression().add(["bob@x.example"], "here")

    asked = started(LIST, str(path))
    told, _ = asked.communicate("")
    await first.close()
    assert told.split() == ["ann@x.example", "bob@x.example"]
