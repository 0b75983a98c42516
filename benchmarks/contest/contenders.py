"""Who takes part, and how each is started; what a run of one of them came to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import child, sample
from benchmarks.contest import sink

_RIVALS = Path(__file__).with_name("rivals")
_PYTHON = sys.executable
#: Of nodemailer and its templates, as npm has them.
_NPM_PACKAGES = ("nodemailer", "nunjucks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be sent, and to what kind of sink."""

    rows: int = 5_000
    connections: int = 10
    #: Options of the sink: delays, extensions it does not offer.
    sink: tuple[str, ...] = ()
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run, verified: each recipient has one message."""

    messages: int
    #: From the first connection to the last message, by the sink.
    seconds: float
    #: CPU seconds of the whole process, start-up included, for 1,000 messages.
    cpu: float
    peak_rss_mib: float
    #: Groups of replies that the sink sent, for one message.
    batches: float

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds


class Missing(Exception):
    """A contender that is not on this machine; its message says what to install."""


#: Prepares a folder for a load and a port, and gives the command to be measured in it.
Prepare = Callable[["Ground", Path, Load], list[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who sends."""

    name: str
    prepare: Prepare


class Ground:
    """What all runs share: the sinks, one port, and what rivals need."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @contextmanager
    def sink(self, load: Load) -> Iterator[sink.Sink]:
        """A sink of the load's kind, until the block ends."""
        options = ("-t", str(certificate(self.folder))) if load.tls else ()
        program = sink.build(self.folder, tls=load.tls)
        with sink.running(program, *load.sink, *options, port=self.port) as running:
            yield running

    def node_modules(self) -> Path:
        """The folder that nodemailer is installed in; npm is asked once."""
        if shutil.which("npm") is None:
            raise Missing("nodemailer needs node and npm")
        if not (self.folder / "node_modules").exists():
            command = ["npm", "install", "--silent", "--prefix", str(self.folder), *_NPM_PACKAGES]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return self.folder


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key; whoever signed it is beside it, ca.pem."""
    import trustme  # noqa: PLC0415  # only where TLS is measured

    path = folder / "server.pem"
    if not path.exists():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def run(contender: Contender, ground: Ground, load: Load) -> Run:
    """Let one send once. Raises `Missing`, `sink.Untrue`, or CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-contest-") as name:
        folder = Path(name)
        command = contender.prepare(ground, folder, load)
        environ = os.environ | {"NODE_MODULES_FROM": str(ground.folder)}
        with ground.sink(load) as receiving:
            cost = child.run(command, folder=folder, environ=environ)
        if contender.name != SMTP_SOURCE.name:
            receiving.verify(load.rows)
    counters = receiving.counters
    return Run(
        int(counters["messages"]),
        receiving.seconds,
        cost.cpu / load.rows * 1000,
        cost.peak_rss_mib,
        counters["reply_batches"] / counters["messages"],
    )


def campaign(
    name: str,
    *options: str,
    settings: str = "",
    durability: str = "power",
    is_signed: bool = False,
) -> Contender:
    """Bulkmail itself: the list is checked and enrolled before, as on every resume.

    `is_signed`: with DKIM, by a new key of RSA-2048.
    """

    def prepare(ground: Ground, folder: Path, load: Load) -> list[str]:
        sample.write_project(folder, load.rows + 1)
        (folder / "bulkmail.yaml").write_text(f"ledger: {{durability: {durability}}}\n", "utf-8")
        path = folder / "campaigns" / "sample.yaml"
        server = f"    port: {ground.port}\n    connections: {load.connections}\n"
        text = path.read_text("utf-8")
        if load.tls:
            server += f"    ca_file: {ground.folder}/ca.pem\n"
            text = text.replace("security: none", "security: tls")
            text += f"allow_paths: [{ground.folder}]\n"
            certificate(ground.folder)
        text = text.replace("  - host: 127.0.0.1\n", "  - host: 127.0.0.1\n" + server)
        if is_signed:
            new_key = ("dkim", "new-key", "example.com", "--selector", "s", "--out", "dkim.pem")
            child.bulkmail(*new_key, folder=folder)
            text += "dkim: {domain: example.com, selector: s, key: {file: dkim.pem}}\n"
        path.write_text(text + settings, "utf-8")
        # The first row goes to a sink of its own: what it takes to enrol is not measured.
        with ground.sink(load):
            child.bulkmail("send", "sample", "--limit", "1", "--quiet", folder=folder)
        return [_PYTHON, "-m", "bulkmail", "send", "sample", "--quiet", *options]

    return Contender(name, prepare)


def _rival(name: str, *command: str) -> Contender:
    """One that gets the port, the folder of list and templates, and the number of connections."""

    def prepare(ground: Ground, folder: Path, load: Load) -> list[str]:
        if command[0] == "node":
            ground.node_modules()
        sample.write_rival(folder, load.rows)
        return [*command, str(ground.port), str(folder), str(load.connections)]

    return Contender(name, prepare)


def _prepare_mailmerge(ground: Ground, folder: Path, load: Load) -> list[str]:
    program = Path(_PYTHON).with_name("mailmerge")
    if not program.exists():
        raise Missing("mailmerge: pip install '.[bench]'")
    sample.write_mailmerge(folder, load.rows, ground.port)
    return [str(program), "--no-dry-run", "--no-limit"]


def _prepare_smtp_source(ground: Ground, _folder: Path, load: Load) -> list[str]:
    program = shutil.which("smtp-source", path=f"{os.environ['PATH']}:/usr/sbin:/usr/libexec")
    if program is None:
        raise Missing("smtp-source comes with Postfix (Debian: apt-get install postfix)")
    command = [program, "-s", str(load.connections), "-m", str(load.rows), "-l", "2048"]
    return [*command, "-N", f"inet:127.0.0.1:{ground.port}"]


def prerendered(name: str, *options: str) -> Contender:
    """`SMTPClient` with messages of 2 kB that are made before."""

    def prepare(ground: Ground, _folder: Path, load: Load) -> list[str]:
        script = str(_RIVALS.parent / "prerendered.py")
        return [_PYTHON, script, str(ground.port), str(load.rows), str(load.connections), *options]

    return Contender(name, prepare)


NAIVE = _rival("aiosmtplib, naive", _PYTHON, str(_RIVALS / "aiosmtplib_naive.py"))
THREADS = _rival("smtplib in threads", _PYTHON, str(_RIVALS / "smtplib_threads.py"))
NODEMAILER = _rival("nodemailer's pool", "node", str(_RIVALS / "nodemailer_pool.mjs"))
MAILMERGE = Contender("mailmerge", _prepare_mailmerge)
SMTP_SOURCE = Contender("smtp-source", _prepare_smtp_source)
