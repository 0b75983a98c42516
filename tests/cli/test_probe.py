from __future__ import annotations

import getpass
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commandline import Cli, Fake

from bulkmail.cli.probe import Protection, parse_host
from bulkmail.errors import ConfigurationError
from bulkmail.settings import Security


class Probe:
    """An app that notes what it is asked and says two lines."""

    def __init__(self, *, usable: bool) -> None:
        self.usable = usable
        self.request = SimpleNamespace()

    async def __call__(self, request: SimpleNamespace, *, say: Callable[[str], None]) -> bool:
        self.request = request
        say("S: 220 ready")
        say("S: 250 \x1b[2J")
        return self.usable


@pytest.fixture
def probe(fake: Fake) -> Probe:
    probe = Probe(usable=True)
    fake("probing", probe=probe, ProbeRequest=SimpleNamespace)
    return probe


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("smtp.example.com", "smtp.example.com", None),
        ("smtp.example.com:465", "smtp.example.com", 465),
        ("127.0.0.1:25", "127.0.0.1", 25),
        ("[::1]:2525", "::1", 2525),
        ("[::1]", "::1", None),
        ("fe80::1", "fe80::1", None),
    ],
)
def test_a_host_may_have_a_port(text: str, host: str, port: int | None) -> None:
    assert parse_host(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":25", "a:", "a:b", "a:0", "a:65536", "a:²", "[::1]25", "a b", "a\n:25"]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_host(text)


def test_an_address_of_the_web_is_told_what_belongs_there() -> None:
    with pytest.raises(ConfigurationError, match=r"where HOST\[:PORT\] belongs"):
        parse_host("https://mx.example")


@given(st.text())
def test_a_host_is_read_or_refused(text: str) -> None:
    try:
        host, port = parse_host(text)
    except ConfigurationError:
        return
    assert host
    assert port is None or 0 < port < 65536


def test_the_ways_to_protect_a_connection_are_the_settings() -> None:
    assert [one.value for one in Protection] == [one.value for one in Security]


@pytest.mark.parametrize(("usable", "code"), [(True, 0), (False, 3)])
def test_the_dialogue_is_shown_and_the_exit_code_says_what_came_of_it(
    cli: Cli, probe: Probe, usable: bool, code: int
) -> None:
    probe.usable = usable

    result = cli("probe", "smtp.example.com:2525", "--security", "starttls")

    assert result.code == code
    assert result.out.splitlines() == ["S: 220 ready", r"S: 250 \x1b[2J"]
    assert (probe.request.host, probe.request.port) == ("smtp.example.com", 2525)
    assert probe.request.security is Security.STARTTLS
    assert probe.request.password is None


def test_a_server_of_the_project_is_known_by_name(cli: Cli, probe: Probe) -> None:
    assert cli("probe", "--server", "primary").code == 0

    assert (probe.request.server, probe.request.host) == ("primary", None)


def test_the_password_comes_from_the_environment(
    cli: Cli, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")

    cli("probe", "h", "--username", "me", "--password-env", "SMTP_PASSWORD")

    assert probe.request.password.reveal() == "hunter2"


def test_the_password_comes_from_a_files_first_line(cli: Cli, probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\nmore\n", "utf-8")

    cli("probe", "h", "--username", "me", "--password-file", str(tmp_path / "secret"))

    assert probe.request.password.reveal() == "hunter2"


def test_the_password_is_asked_for_on_a_terminal(
    cli: Cli, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _prompt, **_: "hunter2")

    result = cli("probe", "h", "--username", "me")

    assert probe.request.password.reveal() == "hunter2"
    assert "hunter2" not in result.out + result.err


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "HOST"),
        (["h", "--server", "primary"], "either"),
        (["--server", "primary", "--username", "me"], "leave them out"),
        (["h:x"], "port"),
        (["h", "--username", "me"], "--password-env"),
        (["h", "--username", "me", "--password-env", "NOT_SET_HERE"], "NOT_SET_HERE"),
        (["h", "--username", "me", "--password-file", "nowhere"], "nowhere"),
        (["h", "--username", "me", "--password-file", "/dev/null"], "empty"),
        (["h", "--username", "me", "--password-env", "A", "--password-file", "B"], "one of"),
        (["h", "--password-env", "A"], "--username"),
        (["h", "--security", "rot13"], "--security"),
        (["h", "--password", "hunter2"], "--password"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_probed_exits_2(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], word: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.delenv("NOT_SET_HERE", raising=False)

    result = cli("probe", *arguments)

    assert result.code == 2
    assert word in result.err
    assert "hunter2" not in result.err
