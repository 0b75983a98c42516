from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commandline import Cli, Fake

from bulkmail.sink import Sink, SinkSettings


class Sinking:
    """An app whose sink is there at once and ends."""

    settings: Any = None

    async def __call__(self, settings: SinkSettings, *, ready: Callable[[Sink], None]) -> None:
        self.settings = settings
        ready(Sink(settings))


@pytest.fixture
def sinking(fake: Fake) -> Sinking:
    sinking = Sinking()
    fake("sinking", sink=sinking)
    return sinking


def test_a_bare_sink_is_what_the_sample_sends_to(cli: Cli, sinking: Sinking) -> None:
    result = cli("sink")

    assert result.out.splitlines() == [
        "Listening on 127.0.0.1:2525 (no TLS).",
        "Messages are kept in sink/; none leaves this machine.",
        "Ctrl-C ends it.",
    ]
    assert sinking.settings == SinkSettings(directory=Path("sink"), port=2525, tls="none")


def test_every_option_reaches_the_sink(
    cli: Cli, sinking: Sinking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK_PASSWORD", "hunter2")

    result = cli(
        *("sink", "--host", "::1", "--port", "0", "--dir", "kept", "--max-size", "1000"),
        *("--tls", "starttls", "--ca", "ca.pem"),
        *("--username", "demo", "--password-env", "SINK_PASSWORD"),
    )

    assert "Listening on [::1]:0 (STARTTLS, login demo)." in result.out
    assert "Certificate to trust (ca_file): ca.pem" in result.out
    assert "hunter2" not in result.out
    assert sinking.settings.password.reveal() == "hunter2"
    assert (sinking.settings.port, sinking.settings.max_size) == (0, 1000)
    assert (sinking.settings.directory, sinking.settings.tls) == (Path("kept"), "starttls")


@pytest.mark.usefixtures("sinking")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--username", "demo"],
        ["--password-env", "HOME"],
        ["--username", "demo", "--password-env", "NOT_SET_HERE"],
        ["--ca", "ca.pem"],
        ["--port", "65536"],
        ["--max-size", "0"],
        ["--tls", "yes"],
    ],
    ids=" ".join,
)
def test_half_a_setting_exits_2(
    cli: Cli, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET_HERE", raising=False)

    assert cli("sink", *arguments).code == 2
