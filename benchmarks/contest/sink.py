"""The sink in C that everybody sends to: built once, started for each run, asked what it got."""

from __future__ import annotations

import email
import email.policy
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_SOURCE = Path(__file__).with_name("sink.c")
#: Messages of a run that are kept and parsed.
_KEPT = 20


class Untrue(AssertionError):
    """A run that did not do what it was measured for."""


@dataclass
class Sink:
    """A running sink on 127.0.0.1; what it got is known once it was stopped."""

    port: int
    #: Its JSON line; empty while it runs.
    counters: dict[str, float] = field(default_factory=dict)
    #: How often each address was accepted.
    recipients: Counter[str] = field(default_factory=Counter)
    #: The first messages, as received.
    kept: list[bytes] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first connection to the last message."""
        return self.counters["span_s"]

    def verify(self, expected: int) -> None:
        """Raise `Untrue` unless so many got one message each, and those that were kept parse."""
        twice = sum(1 for times in self.recipients.values() if times > 1)
        if len(self.recipients) != expected or twice:
            got = f"{len(self.recipients)} of {expected} recipients"
            raise Untrue(f"{got}, {twice} of them more than once")
        for content in self.kept:
            message = email.message_from_bytes(content, policy=email.policy.default)
            if message.defects or message["subject"] is None:
                raise Untrue(f"a kept message does not parse: {message.defects}")


def build(folder: Path, *, tls: bool) -> Path:
    """Compile it into `folder`. Raises CalledProcessError where there is no cc, or no OpenSSL."""
    name = "sink-tls" if tls else "sink"
    program = folder / name
    if not program.exists():
        compiler = shutil.which("cc") or "cc"
        with_tls = ["-DTLS", "-lssl", "-lcrypto"] if tls else []
        subprocess.run(
            [compiler, "-O2", "-Wall", "-o", program, _SOURCE, *with_tls], check=True, text=True
        )
    return program


@contextmanager
def running(program: Path, *options: str, port: int = 0) -> Iterator[Sink]:
    """A sink until the block ends; then its counters are read."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-sink-") as name:
        folder = Path(name)
        command: list[str | Path] = [program, "-p", str(port), "-o", folder, "-k", str(_KEPT)]
        command += ["-r", folder / "recipients", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None:
                raise AssertionError("a pipe was asked for")
            sink = Sink(int(process.stdout.readline().split()[1]))
            try:
                yield sink
            finally:
                process.terminate()
                sink.counters.update(json.loads(process.stdout.readline() or "{}"))
        sink.recipients.update((folder / "recipients").read_text("utf-8").split())
        # With DATA the final dot is kept as well.
        kept = folder.glob("*.eml")
        sink.kept.extend(path.read_bytes().removesuffix(b".\r\n") for path in kept)
