"""Real servers from Debian's packages, started by the tests on loopback ports.

Where a package is missing the tests are skipped with a sentence, and fail where CI=true or
BULKMAIL_PEERS=required says that they have to run (`make test-peers` does).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from peers.dovecot import Dovecot, running_dovecot
from peers.postfix import Postfix, running_postfix
from peers.smtp_sink import SinkFactory, SmtpSink, running_smtp_sink

INSTALL = "apt-get install postfix dovecot-core dovecot-imapd dovecot-lmtpd opendkim"

PROGRAMS = {
    "postfix": "/usr/sbin/postfix",
    "smtp-sink": "/usr/sbin/smtp-sink",
    "dovecot": "/usr/sbin/dovecot",
    "dovecot's IMAP": "/usr/lib/dovecot/imap",
    "dovecot's LMTP": "/usr/lib/dovecot/lmtp",
    "OpenDKIM": "/usr/sbin/opendkim",
}


def is_required() -> bool:
    """Whether a missing peer is a failure."""
    return os.environ.get("CI") == "true" or os.environ.get("BULKMAIL_PEERS") == "required"


def go_without(sentence: str) -> None:
    """Fail or skip the test that asked."""
    if is_required():
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def look_for_programs() -> None:
    """Fail or skip where one of the packages is not installed."""
    missing = [name for name, path in PROGRAMS.items() if not Path(path).exists()]
    if missing:
        go_without(f"{', '.join(missing)} not installed: as root, {INSTALL}")


@pytest.fixture(scope="session")
def peers_folder() -> Iterator[Path]:
    """A folder that Postfix's and Dovecot's users can traverse (pytest's own are 0700).

    Its path is short: a Unix socket's name holds 107 bytes.
    """
    look_for_programs()
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def dovecot(peers_folder: Path) -> Iterator[Dovecot]:
    folder = peers_folder / "dovecot"
    folder.mkdir()
    with running_dovecot(folder) as running:
        yield running


@pytest.fixture(scope="session")
def postfix(peers_folder: Path, dovecot: Dovecot) -> Iterator[Postfix]:
    if os.geteuid() != 0:
        go_without("Postfix's master process needs root")
    folder = peers_folder / "postfix"
    folder.mkdir()
    with running_postfix(folder, dovecot) as running:
        yield running


@pytest.fixture
def smtp_sink(peers_folder: Path) -> Iterator[SinkFactory]:
    with ExitStack() as running:

        def start(*options: str) -> SmtpSink:
            folder = Path(tempfile.mkdtemp(prefix="sink-", dir=peers_folder))
            folder.chmod(0o755)
            return running.enter_context(running_smtp_sink(folder, *options))

        yield start


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped peer test is red where peers are required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if is_required() and any(report.nodeid.startswith("tests/peers/") for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
