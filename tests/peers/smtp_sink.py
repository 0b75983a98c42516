"""Postfix's smtp-sink: a server that refuses, answers 421 or cuts the line where it is told to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.loopback import is_open, reserved_port
from peers.waiting import until

PROGRAM = "/usr/sbin/smtp-sink"

#: How a transaction dump names a recipient (smtp-sink(1)).
RECIPIENT = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SmtpSink:
    """A running one."""

    port: int
    dumps: Path

    def received(self) -> list[str]:
        """The recipient of each message whose content it took in, whatever it answered then."""
        return [
            found.decode()
            for path in sorted(self.dumps.iterdir())
            for found in RECIPIENT.findall(path.read_bytes())
        ]


#: Starts an smtp-sink with the options given; it is stopped when the test is over.
SinkFactory = Callable[..., SmtpSink]


@contextmanager
def running_smtp_sink(folder: Path, *options: str) -> Iterator[SmtpSink]:
    """Start smtp-sink with `options` in `folder` (traversable by all); stop it at the end."""
    dumps = folder / "dumps"
    dumps.mkdir(parents=True)
    dumps.chmod(0o777)  # as root it becomes `nobody`
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []
    with reserved_port() as port:
        sink = subprocess.Popen(
            [
                PROGRAM,
                *unprivileged,
                "-d",
                f"{dumps}/message.",
                *options,
                f"127.0.0.1:{port}",
                "100",
            ]
        )
        try:
            until(lambda: is_open(port), what="smtp-sink")
            yield SmtpSink(port, dumps)
        finally:
            sink.send_signal(signal.SIGTERM)
            sink.wait(timeout=300)
