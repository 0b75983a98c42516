"""How exactly limits are kept, and how much of them is used: `python -m benchmarks.limits`.

Senders are processes of their own. Each writes down, by its own clock, the instant at which it
hands MAIL to a connection; a server in this process says yes to everything. Printed are the most
messages in any window of the stated length, both ends included, and the share of the rate that was
used. The exit code is 1 when a bound is missed.

    python -m benchmarks.limits [--seconds 20] [--kills 20]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bulkmail import Campaign, SendOptions, send
from bulkmail.smtp.commands import Mail
from bulkmail.transport.conversation import Conversation

RATE = 50
QUOTA = 400
USED = 0.97
#: What a sender of a killed run may have taken and not used: one chunk of the quota.
CHUNK = max(1, QUOTA // 400)
LETTER = {"from": "people@example.com", "subject": "s", "text": "t"}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say yes to everything."""
    writer.write(b"220 yes\r\n")
    in_content = False
    try:
        while line := await reader.readline():
            if in_content and line != b".\r\n":
                continue
            verb = line[:4].upper()
            in_content = not in_content and verb == b"DATA"
            replies = {b"EHLO": b"250-yes\r\n250 PIPELINING\r\n", b"DATA": b"354 go on\r\n"}
            writer.write(replies.get(verb, b"250 yes\r\n"))
            await writer.drain()
            if verb == b"QUIT":
                break
    except ConnectionError:
        return
    finally:
        writer.close()


def _project(root: Path, name: str, rows: int, server: dict[str, object]) -> Path:
    (root / "templates").mkdir(parents=True, exist_ok=True)
    (root / "templates/t").write_text("hello\n")
    (root / "bulkmail.yaml").write_text(yaml.safe_dump({"servers": {"primary": server}}))
    recipients = [{"email": f"{name}{n}@example.com"} for n in range(rows)]
    path = root / "campaigns" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(LETTER | {"recipients": recipients}))
    return path


def _start(campaign: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.limits", "--sender", str(campaign), str(log)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _be_sender(campaign: Path, log: Path) -> None:
    """Send, and write each instant down before MAIL goes out: a kill loses none."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    say = Conversation.say

    def timed(self: Conversation, *commands: Any) -> None:
        for command in commands:
            if isinstance(command, Mail):
                os.write(file, struct.pack("d", time.time()))
        say(self, *commands)

    Conversation.say = timed  # type: ignore[method-assign]  # the instrument
    options = SendOptions(no_wait=True, as_new=True)
    asyncio.run(send(Campaign.load(campaign), options, environ={}))


def _instants(log: Path) -> list[float]:
    return sorted(instant for (instant,) in struct.iter_unpack("d", log.read_bytes()))


def most_within(instants: Sequence[float], window: float) -> int:
    """The most in any window of that length, both ends included."""
    most = last = 0
    for first, instant in enumerate(instants):
        while last < len(instants) and instants[last] <= instant + window:
            last += 1
        most = max(most, last - first)
    return most


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bulkmail-limits-") as name:
        yield Path(name)


async def _pace(port: int, *, connections: int, processes: int, seconds: int) -> bool:
    """One line of the table; whether it was kept and used."""
    with _folder() as root:
        log = root / "instants"
        server = {"host": "127.0.0.1", "port": port, "security": "none", "rate": f"{RATE}/s"}
        rows = RATE * seconds // processes
        senders = []
        for number in range(processes):
            campaign = _project(root, f"c{number}", rows, server | {"connections": connections})
            senders.append(await asyncio.to_thread(_start, campaign, log))
        for sender in senders:
            await asyncio.to_thread(sender.wait)
        instants = _instants(log)
    most, used = most_within(instants, 1.0), _used(instants, processes)
    print(
        f"rate {RATE}/s  {processes} process(es) x {connections:2} connections: "
        f"{len(instants)} messages, at most {most} in a second, {used:.1%} used"
    )
    return len(instants) == rows * processes and most <= RATE and used >= USED


def _used(instants: Sequence[float], processes: int) -> float:
    """The share of the rate that was used while all were sending."""
    # Processes neither begin nor end at the same instant.
    edge = len(instants) // 8 if processes > 1 else 0
    steady = instants[edge : len(instants) - edge]
    return (len(steady) - 1) / (steady[-1] - steady[0]) / RATE


def _wait_for_more(sender: subprocess.Popen[bytes], log: Path, before: int) -> None:
    """Until a sender begins, or is over."""
    while sender.poll() is None and (not log.exists() or log.stat().st_size == before):
        time.sleep(0.005)


async def _quota(port: int, kills: int) -> bool:
    """A sender that is killed again and again, until its quota is spent."""
    dice = random.Random(7)
    with _folder() as root:
        log = root / "instants"
        server = {"host": "127.0.0.1", "port": port, "security": "none"}
        server |= {"rate": [f"{QUOTA}/h", "100/s"], "connections": 8}
        campaign = _project(root, "c", 3 * QUOTA, server)
        killed = 0
        while killed < kills:
            sender = await asyncio.to_thread(_start, campaign, log)
            before = log.stat().st_size if log.exists() else 0
            await asyncio.to_thread(_wait_for_more, sender, log, before)
            await asyncio.sleep(dice.uniform(0, 0.25))
            if sender.poll() is None:
                sender.send_signal(signal.SIGKILL)
                killed += 1
            await asyncio.to_thread(sender.wait)
            if log.stat().st_size == before:
                break
        last = await asyncio.to_thread(_start, campaign, log)
        await asyncio.to_thread(last.wait)
        instants = _instants(log)
    most = most_within(instants, 3600.0)
    print(
        f"rate {QUOTA}/h, {killed} kills: {most} messages in an hour, "
        f"{QUOTA - most} wasted, {killed * CHUNK} allowed"
    )
    return most <= QUOTA and QUOTA - most <= killed * CHUNK


async def _main(seconds: int, kills: int) -> int:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    results = [
        await _pace(port, connections=connections, processes=processes, seconds=seconds)
        for connections, processes in [(1, 1), (8, 1), (50, 1), (8, 2)]
    ]
    results.append(await _quota(port, kills))
    server.close()
    print("All bounds are met." if all(results) else "A bound is missed.")
    return 0 if all(results) else 1


def main() -> int:
    """Measure, or be one of the senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--sender", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sender:
        _be_sender(*options.sender)
        return 0
    return asyncio.run(_main(options.seconds, options.kills))


if __name__ == "__main__":
    sys.exit(main())
