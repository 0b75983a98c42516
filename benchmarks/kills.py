"""SIGKILL at random moments of a campaign at full speed: `python -m benchmarks.kills`.

Each process is killed when the server has heard a random number of its commands, before they are
answered; one in ten at a random instant of its start. The next one goes on. After each kill the
ledger is asked who is `sending`: those are in doubt. Printed are how many that were, who was lost,
and who has a second copy without having been in doubt. The exit code is 1 when a bound is missed.

`--window N` sends to a server that offers CHUNKING, so many messages of a connection under way at
once. `--processes N` kills one child and then, a random number of commands later, the process that
was started: two kills, after which everybody has ended. (Linux: children are found in /proc.)

    python -m benchmarks.kills [--kills 200] [--campaigns 4] [--connections 8] [--window 1]
                               [--processes 1] [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.answering import Answering, answering

RECIPIENTS = 2000
#: MAIL, RCPT, DATA and the end of data.
COMMANDS = 4
#: No kill comes later than this share of the list: doubts are sent again last, and a second doubt
#: about one recipient would hold it for a person, as the contract says.
SHARE = 0.8
#: Seconds of its start within which a process in ten is killed, at its first command at the latest.
START = 1.5

CAMPAIGN = """\
from: "People <people@example.com>"
to: "{{{{ name }}}} <{{{{ email }}}}>"
subject: "Number {{{{ number }}}}"
text: letter.txt.j2
recipients: list.csv
servers:
  - host: 127.0.0.1
    port: {port}
    security: none
    connections: {connections}
    messages_per_connection: 0
    window: {window}
retry:
  backoff: 100ms
"""
#: How often each was in doubt, the one that a crash has just left and no run has found included.
_DOUBTS = "SELECT key, doubts + (state = 'sending') FROM delivery"


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is sent, and killed."""

    connections: int
    window: int
    processes: int

    @property
    def most_in_doubt(self) -> int:
        """By one kill: the window of each connection."""
        return self.connections * self.window

    def __str__(self) -> str:
        return (
            f"{self.connections} connections, a window of {self.window}, {self.processes} processes"
        )


@dataclass
class Toll:
    """What kills came to."""

    kills: int = 0
    #: How often a recipient was in doubt, by address.
    doubts: Counter[str] = field(default_factory=Counter)
    most_in_doubt: int = 0
    recipients: int = 0
    lost: int = 0
    second_copies: int = 0
    doubled_without_doubt: int = 0
    other_message_ids: int = 0
    #: `sent` in the ledger, and never taken by the server.
    invented: int = 0
    held: int = 0

    def lines(self, plan: Plan) -> list[str]:
        """For a person."""
        who = f"{self.kills} kills, {self.recipients:,} recipients"
        most = f"at most {self.most_in_doubt} by one kill, {plan.most_in_doubt} allowed"
        without = f"without a doubt: {self.doubled_without_doubt}"
        return [
            f"{who}, {plan}",
            f"lost: {self.lost}; in the ledger as sent, and not taken: {self.invented}",
            f"in doubt: {self.doubts.total()}, {most}; held for a person: {self.held}",
            f"second copies: {self.second_copies}; {without}",
            f"with another Message-ID: {self.other_message_ids}",
        ]

    def is_met(self, plan: Plan) -> bool:
        """Whether the promise was kept."""
        wrong = self.lost + self.doubled_without_doubt + self.other_message_ids + self.invented
        return not wrong and self.most_in_doubt <= plan.most_in_doubt


def _write_project(folder: Path, port: int, plan: Plan) -> Path:
    (folder / "templates").mkdir()
    (folder / "templates" / "letter.txt.j2").write_text("Hello {{ name }}.\n", "utf-8")
    (folder / "campaigns").mkdir()
    rows = (f"{n},reader{n}@example.com,Reader {n}\n" for n in range(RECIPIENTS))
    (folder / "campaigns" / "list.csv").write_text("number,email,name\n" + "".join(rows), "utf-8")
    campaign = folder / "campaigns" / "kill.yaml"
    filled = CAMPAIGN.format(port=port, connections=plan.connections, window=plan.window)
    campaign.write_text(filled, "utf-8")
    return campaign


async def _start(campaign: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkmail", "send", str(campaign), "--quiet", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _kill_one(campaign: Path, server: Answering, dice: random.Random, most: int) -> None:
    process = await _start(campaign)
    if dice.random() < 0.1:
        # On a quick machine all would be sent before the time is over.
        server.after(1, process.kill)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), dice.uniform(0.0, START))
        if process.returncode is None:
            process.kill()
    else:
        server.after(dice.randint(1, most), process.kill)
    _, errors = await process.communicate()
    server.forgive()
    if process.returncode != -signal.SIGKILL:
        message = f"the run ended before its kill: {process.returncode} {errors.decode()}"
        raise AssertionError(message)


def _children(process: asyncio.subprocess.Process) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
        return [int(pid) for pid in listed.split()]
    return []


def _is_there(pid: int) -> bool:
    try:
        # The state comes after the name, which is in brackets.
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def _kill_family(
    campaign: Path, server: Answering, dice: random.Random, most: int, plan: Plan
) -> int:
    """Kill one child, and later its parent; come back when all have ended. Returns the kills."""
    process = await _start(campaign, "--processes", str(plan.processes))
    orphans: list[int] = []
    kills = 0

    def kill_child() -> None:
        nonlocal kills
        if alive := _children(process):
            kills += 1
            os.kill(dice.choice(alive), signal.SIGKILL)
        server.after(dice.randint(1, most), kill_parent)

    def kill_parent() -> None:
        nonlocal kills
        kills += 1
        orphans.extend(_children(process))
        process.kill()

    server.after(dice.randint(1, most), kill_child)
    # Its children hold its standard error: this is the end of all of them.
    _, errors = await process.communicate()
    server.forgive()
    if process.returncode != -signal.SIGKILL:
        message = f"the run ended before its kill: {process.returncode} {errors.decode()}"
        raise AssertionError(message)
    while any(map(_is_there, orphans)):  # noqa: ASYNC110  # not our children
        await asyncio.sleep(0.01)
    return kills


def _doubts(campaign: Path) -> Counter[str]:
    """How often each was in doubt so far, in the ledger of a run that was killed."""
    ledger = campaign.parents[1] / ".bulkmail" / "ledger.db"
    if not ledger.exists():
        return Counter()
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        try:
            return Counter(dict(connection.execute(_DOUBTS)))
        except sqlite3.OperationalError:
            # Killed before the schema was there.
            return Counter()


async def _finish(campaign: Path, plan: Plan) -> dict[str, Any]:
    process = await _start(campaign, "--json", "--processes", str(plan.processes))
    output, errors = await process.communicate()
    if not output.strip():
        raise AssertionError(errors.decode())
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    return summary


def _sent(campaign: Path) -> list[str]:
    ledger = campaign.parents[1] / ".bulkmail" / "ledger.db"
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("SELECT key FROM delivery WHERE state = 'sent'")
        return [key for (key,) in rows]


async def _campaign(toll: Toll, kills: int, plan: Plan, dice: random.Random) -> None:
    """One campaign from its first process to its last, which nobody kills."""
    most = max(1, int(RECIPIENTS * SHARE / kills) * COMMANDS)
    doubts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="bulkmail-kills-") as folder:
        async with answering(is_chunking=plan.window > 1) as server:
            campaign = _write_project(Path(folder), server.port, plan)
            killed = 0
            while killed < kills:
                if plan.processes > 1:
                    times = await _kill_family(campaign, server, dice, most, plan)
                else:
                    await _kill_one(campaign, server, dice, most)
                    times = 1
                killed += times
                before, doubts = doubts.total(), _doubts(campaign)
                found = math.ceil((doubts.total() - before) / times)
                toll.most_in_doubt = max(toll.most_in_doubt, found)
            toll.kills += killed
            summary = await _finish(campaign, plan)
        copies = Counter(taken.recipient for taken in server.taken)
        toll.invented += sum(key not in copies for key in _sent(campaign))
    letters = {(taken.recipient, taken.message_id) for taken in server.taken}
    toll.doubts += doubts
    toll.recipients += RECIPIENTS
    toll.held += summary["in_doubt"]
    toll.lost += RECIPIENTS - summary["sent"] - summary["in_doubt"]
    toll.second_copies += sum(count - 1 for count in copies.values())
    toll.doubled_without_doubt += sum(
        max(0, count - 1 - doubts[recipient]) for recipient, count in copies.items()
    )
    toll.other_message_ids += len(letters) - len(copies)


async def _measure(options: argparse.Namespace) -> int:
    dice, toll = random.Random(options.seed), Toll()
    plan = Plan(options.connections, options.window, options.processes)
    began = perf_counter()
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    for number in range(options.campaigns):
        kills = options.kills // options.campaigns + (number < options.kills % options.campaigns)
        await _campaign(toll, kills, plan, dice)
        print(f"{toll.kills} kills: {toll.lost} lost", file=sys.stderr, flush=True)
    for line in toll.lines(plan):
        print(line)
    is_met = toll.is_met(plan)
    print(f"seed {options.seed}, {perf_counter() - began:.0f} s")
    print("The promise was kept." if is_met else "THE PROMISE WAS BROKEN.")
    return 0 if is_met else 1


def main() -> int:
    """Kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--campaigns", type=int, default=4, help="over so many campaigns")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--window", type=int, default=1, help="messages under way a connection")
    parser.add_argument("--processes", type=int, default=1, help="of one run")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    return asyncio.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
