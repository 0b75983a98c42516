from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commandline import Cli, Result
from support.mail_project import MailProject

from bulkmail.cli.main import main
from bulkmail.delivery import health


@pytest.fixture
def project(tmp_path: Path) -> MailProject:
    """An empty project with the campaign `letter` for three people."""
    return MailProject(tmp_path)


@pytest.fixture(autouse=True)
def _servers_rest_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second, then two, are the wait that tests of failing servers would be made of."""
    monkeypatch.setattr(health, "FIRST_REST", 0.01)


@pytest.fixture
def cli(
    project: MailProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    """The command line in the project's folder, in this process."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("BULKMAIL_DEBUG", raising=False)
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def unasked() -> Iterator[int]:
    """The port of a server that nobody may have connected to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server.getsockname()[1]
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]
