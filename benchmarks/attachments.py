"""Attachments: `python -m benchmarks.attachments [WORD…]`.

    shared    5 MB for all of 1,000 recipients: CPU and peak, against copying the same octets to a
              socket: whole messages ahead, by DATA, and with DKIM (RSA-2048). Each is done by turns
              with copying: the median of the pairs, and their span. Where TCP is paced (BBR) it is
              fair beneath `python -m benchmarks.unpaced` alone
    own       5 MB of each recipient's own: CPU a message, and peak
    memory    20 MB for all of 10,000 recipients: the peak against that for 1,000
    check     rows checked a second of CPU: 5 MB for all, and 20 kB of each one's own

Needs cc, for the sink.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import child, sample
from benchmarks.contest import sink
from benchmarks.unpaced import congestion_control

ATTACHED = 5_000_000
LETTERS = 1_000
#: Single runs lie wide apart.
PAIRS = 5
#: Who gets a large file of their own: they lie on the disk.
OWNERS = 100
#: Rows that are checked, fewer and more: what it takes to start is in both.
CHECKED = 500, 6_000
KEY = "dkim.pem"
_SHARED = "attachments: [large.bin]\n"
_OWN = 'attachments: [{path: "files/{{ number }}.pdf"}]\n'


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bulkmail-attachments-") as name:
        yield Path(name)


def _project(folder: Path, rows: int, said: str, port: int = 1) -> str:
    """A project for so many, whose campaign says this beside; the campaign's name."""
    name = sample.write_project(folder, rows)
    path = folder / "campaigns" / f"{name}.yaml"
    text = path.read_text("utf-8").replace("security", f"port: {port}\n    security")
    path.write_text(text + said, "utf-8")
    return name


def _own_files(folder: Path, rows: int, octets: int) -> None:
    files = folder / "campaigns" / "files"
    files.mkdir()
    for number in range(1, rows + 1):
        (files / f"{number}.pdf").write_bytes(os.urandom(octets))


def shared() -> None:
    copied: list[float] = []
    sent: dict[str, list[_Sent]] = {what: [] for what in _WAYS}
    servers = []
    with _folder() as root:
        program = sink.build(root, tls=False)
        for number in range(PAIRS):
            copied.append(_copying(program))
            for what, (options, keys) in _WAYS.items():
                # One of each is kept, at last: a child's peak is counted from its parent's on.
                kept = str(int(number == PAIRS - 1))
                with sink.running(program, "-k", kept, *options) as server:
                    sent[what].append(_send_attached(root / f"{number} {what}", server, keys))
                servers.append(server)
    print(f"TCP: {congestion_control()}")
    _say("copied to a socket, s CPU", copied)
    for what, costs in sent.items():
        _say(f"{what}, s CPU", [cost.cpu for cost in costs])
        ratios = [cost.cpu / copy for cost, copy in zip(costs, copied, strict=True)]
        _say(f"{what}, x copying (<= 1.2 but with DKIM)", ratios)
        _say(f"{what}, peak MiB (<= 110)", [cost.peak_rss_mib for cost in costs])
    for server in servers:
        server.verify(LETTERS)


def _say(what: str, figures: list[float]) -> None:
    middle = statistics.median(figures)
    span = f"{min(figures):.2f} to {max(figures):.2f}"
    print(f"5 MB x {LETTERS:,}, {what}: {middle:.2f} ({span} of {len(figures)})", flush=True)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What it took to send, without what it takes to start."""

    cpu: float
    peak_rss_mib: float


def _send_attached(project: Path, server: sink.Sink, keys: str) -> _Sent:
    """Send the attachment to all, in a project of its own."""
    name = _project(project, LETTERS, _SHARED + keys, server.port)
    (project / "campaigns" / "large.bin").write_bytes(os.urandom(ATTACHED))
    if keys:
        new_key = ("dkim", "new-key", "example.com", "--selector", "s", "--out", KEY)
        child.bulkmail(*new_key, folder=project)
    return _send(project, name)


def _send(project: Path, name: str) -> _Sent:
    # The whole list is checked before the first: no word on what sending costs.
    child.bulkmail("send", name, "--limit", "1", "--quiet", folder=project)
    cost = child.bulkmail("send", name, "--quiet", folder=project)
    nothing = child.bulkmail("send", name, "--quiet", folder=project)
    return _Sent(cost.cpu - nothing.cpu, cost.peak_rss_mib)


_DKIM = f"dkim: {{domain: example.com, selector: s, key: {{file: ../{KEY}}}}}\n"
#: By the way it is sent: the sink's options, and what the campaign says beside.
_WAYS: dict[str, tuple[tuple[str, ...], str]] = {
    "ahead (BDAT)": ((), ""),
    "by DATA": (("-B",), ""),
    "with DKIM": ((), _DKIM),
}


def _copying(program: Path) -> float:
    """CPU seconds of this process to hand the same octets to the same sink, four at a time."""
    lines = ATTACHED // 57 + 1
    content = (b"x" * 76 + b"\r\n") * lines + b".\r\n"
    with sink.running(program, "-k", "0") as server, contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(4)
        ]
        files = [stack.enter_context(one.makefile("rb")) for one in sockets]
        for one, file in zip(sockets, files, strict=True):
            file.readline()
            one.sendall(b"HELO x\r\n")
            file.readline()
        began = time.process_time()
        for number in range(LETTERS):
            one, file = sockets[number % 4], files[number % 4]
            for command in (b"MAIL FROM:<a@b.c>", b"RCPT TO:<%d@b.c>" % number, b"DATA"):
                one.sendall(command + b"\r\n")
                file.readline()
            one.sendall(content)
            file.readline()
        return time.process_time() - began


def own() -> None:
    with _folder() as root:
        program = sink.build(root, tls=False)
        for what, options in (("ahead (BDAT)", ()), ("by DATA", ("-B",))):
            project = root / what
            with sink.running(program, "-k", "0", *options) as server:
                name = _project(project, OWNERS, _OWN, server.port)
                _own_files(project, OWNERS, ATTACHED)
                cost = _send(project, name)
            server.verify(OWNERS)
            print(
                f"5 MB of each one's own, {what}: {cost.cpu / OWNERS * 1e3:.1f} ms CPU a message, "
                f"peak {cost.peak_rss_mib:.0f} MiB",
                flush=True,
            )


def memory() -> None:
    with _folder() as root:
        program = sink.build(root, tls=False)
        for what, options in (("ahead (BDAT)", ()), ("by DATA", ("-B",))):
            peaks = []
            for rows in (1_000, 10_000):
                project = root / f"{what} {rows}"
                with sink.running(program, "-k", "0", *options) as server:
                    name = _project(project, rows, _SHARED, server.port)
                    (project / "campaigns" / "large.bin").write_bytes(os.urandom(4 * ATTACHED))
                    cost = child.bulkmail("send", name, "--quiet", folder=project)
                server.verify(rows)
                peaks.append(cost.peak_rss_mib)
            print(
                f"20 MB for all, {what}: peak {peaks[0]:.1f} MiB for 1,000 recipients, "
                f"{peaks[1]:.1f} for 10,000",
                flush=True,
            )


def check() -> None:
    for what, said in (("5 MB for all", _SHARED), ("20 kB of each one's own", _OWN)):
        rates = []
        for _ in range(PAIRS):
            fewer, more = (_checking(rows, said) for rows in CHECKED)
            rates.append((CHECKED[1] - CHECKED[0]) / (more - fewer))
        print(
            f"checked with {what}: {statistics.median(rates):,.0f} rows a CPU second "
            f"({min(rates):,.0f} to {max(rates):,.0f} of {PAIRS}; >= 2,000)",
            flush=True,
        )


def _checking(rows: int, said: str) -> float:
    """CPU seconds to check so many, start-up included."""
    with _folder() as root:
        name = _project(root / "p", rows, said)
        if said == _OWN:
            _own_files(root / "p", rows, 20_000)
        else:
            (root / "p" / "campaigns" / "large.bin").write_bytes(os.urandom(ATTACHED))
        return child.bulkmail("check", name, folder=root / "p").cpu


FIGURES: dict[str, Callable[[], None]] = {
    "shared": shared,
    "own": own,
    "memory": memory,
    "check": check,
}


def main() -> None:
    """Measure what is named; all of it, when nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[[], *FIGURES])
    for figure in parser.parse_args().figures or FIGURES:
        FIGURES[figure]()


if __name__ == "__main__":
    main()
