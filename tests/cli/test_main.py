from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.errors import (
    AuthenticationFailed,
    BulkmailError,
    ConfigurationError,
    DialogueMisuse,
    Fault,
    LedgerError,
)
from bulkmail.secret import Secret

NO_SUCH_COLUMN = Fault(
    path="templates/hello.txt.j2",
    line=8,
    row=1,
    message="`{{ salery }}` is not a column. Did you mean `salary`?",
)


def bulkmail(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bulkmail", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError(NO_SUCH_COLUMN), 2),
        (LedgerError("the ledger cannot be written: disk full"), 3),
        (AuthenticationFailed("smtp.qq.com:465 refused the login"), 3),
        (DialogueMisuse("MAIL before EHLO"), 70),
        (ZeroDivisionError("division by zero"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_has_its_exit_code_and_a_sentence(
    cli: Cli, fake: Fake, error: BaseException, code: int
) -> None:
    fake("sending", send=Recorder(error=error))

    result = cli("send", "hello")

    assert result.code == code
    assert (str(error) or "Interrupted.").splitlines()[0] in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "arguments", [["--debug", "send", "hello"], ["send", "hello", "--debug"]], ids=" ".join
)
def test_debug_shows_the_traceback_wherever_it_stands(
    cli: Cli, fake: Fake, arguments: list[str]
) -> None:
    fake("sending", send=Recorder(error=BulkmailError("a fault")))

    assert "Traceback" in cli(*arguments).err


@pytest.mark.usefixtures("project")
def test_debug_can_be_asked_for_in_the_environment(
    cli: Cli, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("sending", send=Recorder(error=BulkmailError("a fault")))
    monkeypatch.setenv("BULKMAIL_DEBUG", "1")

    assert "Traceback" in cli("send", "hello").err


@pytest.mark.usefixtures("project")
def test_a_traceback_shows_no_secret(cli: Cli, fake: Fake) -> None:
    async def send(*_: object, **__: object) -> None:
        password = Secret("hunter2")
        raise ValueError(f"with {password}")

    fake("sending", send=send)

    result = cli("--debug", "send", "hello")

    assert "Traceback" in result.err
    assert "hunter2" not in result.err


@pytest.mark.usefixtures("project")
def test_every_fault_has_its_line_and_the_last_line_counts_them(cli: Cli, fake: Fake) -> None:
    faults = [NO_SUCH_COLUMN, Fault(path="hello.csv", line=31, row=30, message="no address")]
    fake("sending", send=Recorder(error=ConfigurationError(*faults)))

    assert cli("send", "hello").err.splitlines() == [
        "templates/hello.txt.j2:8  `{{ salery }}` is not a column. Did you mean `salary`? (row 1)",
        "hello.csv:31  no address (row 30)",
        "2 faults in 2 files and 2 rows. Nothing was sent.",
        "To all others:  bulkmail send hello --skip-invalid",
    ]


@pytest.mark.usefixtures("project")
def test_thousands_of_faults_are_cut_to_what_can_be_read(cli: Cli, fake: Fake) -> None:
    faults = [
        Fault(path="hello.csv", line=row + 1, row=row, message="no address")
        for row in range(1, 2001)
    ]
    fake("sending", send=Recorder(error=ConfigurationError(*faults)))

    lines = cli("send", "hello").err.splitlines()

    assert len(lines) == 53
    assert lines[50].startswith("… and 1,950 more")
    assert lines[51] == "2,000 faults in 1 file and 2,000 rows. Nothing was sent."


@pytest.mark.usefixtures("project")
def test_what_a_provider_wants_as_a_password_is_said(cli: Cli, fake: Fake) -> None:
    error = AuthenticationFailed("refused: 535", hint="QQ wants an authorisation code.")
    fake("sending", send=Recorder(error=error))

    assert cli("send", "hello").err == "refused: 535\n  QQ wants an authorisation code.\n"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "error",
    [
        BulkmailError("550 \x1b[2J"),
        ValueError("550 \x1b[2J"),
        ConfigurationError(Fault(path="list.csv", message="`\x1b[2J` is not an address")),
        AuthenticationFailed("535 \x1b[2J", hint="\x1b[2J"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_cannot_control_the_terminal(cli: Cli, fake: Fake, error: BaseException) -> None:
    fake("sending", send=Recorder(error=error))

    assert "\x1b" not in cli("send", "hello").err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_any_command(cli: Cli, fake: Fake, number: signal.Signals) -> None:
    async def check(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    fake("check.checking", check=check)

    result = cli("check", "hello")

    assert result.code == 130
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["send"], ["send", "a", "b"], ["send", "--nonsense", "a"], ["schema", "x"]],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_2(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)

    assert result.code == 2
    assert "Error: " in result.err
    assert result.out == ""


def test_help_and_version_are_results(cli: Cli) -> None:
    assert cli("--help").out.startswith("Usage: bulkmail ")
    assert cli("--version").out.startswith("bulkmail ")
    assert cli("--version").code == 0


def test_a_process_says_its_version() -> None:
    result = bulkmail("--version")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("bulkmail ")


def test_the_version_is_said_without_loading_the_commands() -> None:
    code = (
        "import sys, bulkmail.__main__ as m; sys.argv = ['bulkmail', '--version']; m.main();"
        "assert 'typer' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from bulkmail.cli.main import main; main(['--help']);"
        "heavy = {'asyncio', 'pydantic', 'jinja2', 'rich', 'yaml', 'aiosmtpd',"
        " 'cryptography', 'sqlite3', 'email_validator'} & set(sys.modules);"
        "assert not heavy, heavy"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "ulimit -n"),
        (MemoryError(), "ulimit -v"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "disk is full"),
    ],
    ids=["files", "memory", "threads", "disk"],
)
def test_what_the_machine_is_short_of_is_no_fault_of_ours(
    cli: Cli, fake: Fake, error: Exception, says: str
) -> None:
    fake("sending", send=Recorder(error=error))

    result = cli("send", "hello")

    assert result.code == 3
    assert says in result.err
    assert "fault of" not in result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is a device of Linux'")
@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_a_full_disk_is_said_so_by_what_typer_prints_too(asked: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = subprocess.run(
            [sys.executable, "-m", "bulkmail", asked],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert process.returncode == 3
    assert "written" in process.stderr
    assert "fault of" not in process.stderr


def test_a_current_folder_that_is_gone_is_said_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    result = cli("status")

    assert result.code == 2
    assert result.err == "The current folder is not there any more: go into another one.\n"


def test_a_reader_who_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)

    process = subprocess.run(
        [sys.executable, "-m", "bulkmail", "schema", "campaign"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)

    assert (process.returncode, process.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("arguments", [["schema", "campaign"], ["init"]], ids=" ".join)
def test_a_result_that_cannot_be_written_is_an_error(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "bulkmail", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert process.returncode == 3
    assert "No space left on device" in process.stderr
    assert "Traceback" not in process.stderr


def test_closed_streams_are_no_error() -> None:
    command = f"{sys.executable} -m bulkmail --help >&- 2>&-"

    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


def test_a_locale_that_lacks_a_character_gets_an_escape(tmp_path: Path) -> None:
    folder = tmp_path / "信"

    result = bulkmail("init", str(folder), PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert result.returncode == 0, result.stderr
    assert "\\u4fe1" in result.stdout


@pytest.mark.parametrize("group", ["suppress", "dkim", "schedule"])
def test_a_group_of_commands_offers_help_and_nothing_of_the_shell(cli: Cli, group: str) -> None:
    result = cli(group, "--help")

    assert result.code == 0
    assert "completion" not in result.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("send", "c", "--limit", "-1"), "'--limit': -1 is too small: 0 is the least"),
        (("send", "c", "--limit", "x"), "'--limit': `x` is not a whole number"),
        (("preview", "c", "--row", "0"), "'--row': 0 is too small: 1 is the least"),
        (("report", "c", "--state", "wird"), "'--state': 'wird' is not one of 'pending',"),
        (("send", "c", "--dry-run", "--out", ""), "'--out': it is empty, where a path belongs"),
        (("sink", "--dir", ""), "'--dir': it is empty, where a path belongs"),
        (("schema", "x"), "'kind': 'x' is not one of 'campaign', 'project'."),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(
    cli: Cli, arguments: tuple[str, ...], sentence: str
) -> None:
    result = cli(*arguments)

    assert result.code == 2
    assert f"Error: Invalid value for {sentence}" in result.err


@pytest.mark.parametrize("command", ["send", "check", "report", "pause"])
def test_without_a_campaign_those_that_there_are_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    none = cli(command)
    folder = tmp_path / "campaigns"
    folder.mkdir()
    for name in ("offer.yaml", "news.yml", "list.csv"):
        (folder / name).touch()

    some = cli(command)

    assert (none.code, some.code) == (2, 2)
    assert "'CAMPAIGN'. There is none in campaigns/ here" in none.err
    assert "Missing argument 'CAMPAIGN'. There are: news, offer\n" in some.err
