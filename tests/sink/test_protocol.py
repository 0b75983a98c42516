"""The sink on the wire: what it offers, whom it lets in, and what it does with the unexpected."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.sink_wire import Wire

from bulkmail.secret import Secret
from bulkmail.sink import Sink, SinkSettings, SinkTls
from bulkmail.smtp.sasl import begin

PASSWORD = "s3cret"


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """STARTTLS, and a login."""
    async with Sink(with_login(tmp_path)) as sink:
        yield sink


@pytest.fixture
async def open_sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """STARTTLS offered, no login."""
    async with Sink(SinkSettings(directory=tmp_path)) as sink:
        yield sink


def with_login(
    directory: Path, password: str = PASSWORD, tls: SinkTls = "starttls"
) -> SinkSettings:
    return SinkSettings(
        directory=directory, username="demo", password=Secret(password), tls=tls, max_size=1000
    )


def letters(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.eml"))


async def offers(wire: Wire) -> list[str]:
    return [line[4:] for line in (await wire.ask("EHLO client.example")).splitlines()[1:]]


async def test_greeting_and_extensions(sink: Sink) -> None:
    common = ["PIPELINING", "ENHANCEDSTATUSCODES", "HELP"]
    async with Wire(sink) as wire:
        assert await offers(wire) == ["SIZE 1000", "8BITMIME", "SMTPUTF8", "STARTTLS", *common]

        await wire.starttls()

        auth = "AUTH LOGIN PLAIN SCRAM-SHA-256"
        assert await offers(wire) == ["SIZE 1000", "8BITMIME", "SMTPUTF8", auth, *common]


async def test_no_login_is_offered_where_none_is_wanted(open_sink: Sink) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        await wire.starttls()

        assert not any(line.startswith("AUTH") for line in await offers(wire))
        assert await wire.ask("AUTH PLAIN AGEAYg==") == "502 5.5.1 No login is needed here"


@pytest.mark.parametrize("tls", ["tls", "none"])
async def test_login_is_offered_at_once_without_starttls(tmp_path: Path, tls: SinkTls) -> None:
    async with Sink(with_login(tmp_path, tls=tls)) as sink, Wire(sink) as wire:
        extensions = await offers(wire)

        assert "AUTH LOGIN PLAIN SCRAM-SHA-256" in extensions
        assert "STARTTLS" not in extensions
        assert await wire.ask("MAIL FROM:<a@b>") == "530 5.7.0 Authentication required"
        assert (await wire.log_in("SCRAM-SHA-256", "demo", "s3cret")).startswith("235 ")
        assert (await wire.ask("MAIL FROM:<a@b>")).startswith("250 ")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "scram-sha-256"])
async def test_every_mechanism_lets_the_user_in_and_nobody_else(sink: Sink, mechanism: str) -> None:
    async def reply(username: str, password: str) -> str:
        async with Wire(sink) as wire:
            await wire.ask("EHLO x")
            await wire.starttls()
            await wire.ask("EHLO x")
            if mechanism.islower():
                # Any case will do (RFC 4954, 4).
                return await wire.ask(f"AUTH {mechanism}")
            return await wire.log_in(mechanism, username, password)

    if mechanism.islower():
        assert await reply("demo", "s3cret") == "334 "
        return
    assert await reply("demo", "s3cret") == "235 2.7.0 welcome"
    assert await reply("demo", "s3cre") == "535 5.7.8 wrong user name or password"
    assert await reply("dem", "s3cret") == "535 5.7.8 wrong user name or password"


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (["AUTH SCRAM-SHA-256 ***"], "501 5.5.2 "),
        (["AUTH SCRAM-SHA-256", "*"], "501 5.7.0 "),
        (["AUTH SCRAM-SHA-256", "bm8="], "535 5.7.8 "),
        (["AUTH SCRAM-SHA-256 bixhPXgsbj11LHI9YQ=="], "535 5.7.8 "),
        (["AUTH SCRAM-SHA-256 biwsbj1kZW1vLHI9YQ==", "bm8="], "535 5.7.8 "),
        (["AUTH SCRAM-SHA-256 biwsbj1kZW1vLHI9YQ==", "*"], "501 5.7.0 "),
        (["AUTH GSSAPI"], "504 5.5.4 "),
        (["AUTH"], "501 5.5.4 "),
    ],
)
async def test_a_login_that_goes_wrong_leaves_the_dialogue_whole(
    sink: Sink, lines: list[str], reply: str
) -> None:
    async with Wire(sink) as wire:
        await wire.ask("EHLO x")
        await wire.starttls()
        await wire.ask("EHLO x")
        answers = [await wire.ask(line) for line in lines]

        assert answers[-1].startswith(reply)
        assert await wire.log_in("SCRAM-SHA-256", "demo", "s3cret") == "235 2.7.0 welcome"


async def test_a_signature_that_is_not_accepted_ends_the_login(sink: Sink) -> None:
    async with Wire(sink) as wire:
        await wire.ask("EHLO x")
        await wire.starttls()
        await wire.ask("EHLO x")
        client = begin("SCRAM-SHA-256", "demo", Secret(PASSWORD), nonce="abc")
        first = b64encode(next(client) or b"").decode()
        challenge = await wire.ask(f"AUTH SCRAM-SHA-256 {first}")
        final = b64encode(client.send(b64decode(challenge[4:])) or b"").decode()

        assert (await wire.ask(final)).startswith("334 ")
        assert (await wire.ask("bm8=")).startswith("535 5.7.8 ")


async def test_a_password_scram_cannot_carry_leaves_the_other_mechanisms(tmp_path: Path) -> None:
    async with Sink(with_login(tmp_path, "a\x07b", tls="none")) as sink, Wire(sink) as wire:
        assert "AUTH LOGIN PLAIN" in await offers(wire)
        assert await wire.log_in("PLAIN", "demo", "a\x07b") == "235 2.7.0 welcome"


async def test_credentials_in_plaintext_are_not_even_looked_at(sink: Sink) -> None:
    async with Wire(sink) as wire:
        await wire.ask("EHLO x")

        assert await wire.ask("MAIL FROM:<a@b>") == "530 5.7.0 Must issue a STARTTLS command first"
        assert (await wire.ask("AUTH PLAIN AGRlbW8AczNjcmV0")).startswith("538 5.7.11 ")


async def test_plaintext_behind_starttls_is_dropped(open_sink: Sink) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")

        reply = await wire.ask("STARTTLS", "EHLO evil", "MAIL FROM:<evil@x>", "RCPT TO:<evil@x>")
        assert reply.startswith("220 ")
        await wire.handshake()

        # Neither answered nor remembered: the next reply is to the next command.
        assert await wire.ask("RCPT TO:<li@x.example>") == "503 5.5.1 send HELO first"
        assert "PIPELINING" in await offers(wire)
        assert await wire.ask("RCPT TO:<li@x.example>") == "503 5.5.1 need MAIL command"


async def test_what_was_said_before_tls_is_forgotten(open_sink: Sink) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        assert await wire.ask("MAIL FROM:<a@b>") == "250 2.1.0 ok"
        await wire.starttls()

        assert await wire.ask("RCPT TO:<li@x.example>") == "503 5.5.1 send HELO first"


async def test_tls_is_begun_once(open_sink: Sink) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        await wire.starttls()
        await wire.ask("EHLO x")

        assert await wire.ask("STARTTLS") == "503 5.5.1 TLS is on already"
        assert await wire.ask("NOOP") == "250 2.0.0 ok"


async def test_a_whole_envelope_in_one_write_is_answered_in_order(
    open_sink: Sink, tmp_path: Path
) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        people = [f"p{n}@x.example" for n in range(100)]

        commands = ["MAIL FROM:<a@b>", *(f"RCPT TO:<{p}>" for p in people), "RCPT TO:<>", "DATA"]
        replies = [await wire.ask(*commands)]
        replies += [await wire.reply() for _ in commands[1:]]
        assert replies[:-2] == ["250 2.1.0 ok", *["250 2.1.5 ok"] * 100]
        assert replies[-2].startswith("553 5.1.3 ")
        assert replies[-1].startswith("354 ")

        # The next message's envelope behind this one's final dot.
        kept = await wire.ask("hi", ".", "MAIL FROM:<>", "RCPT TO:<c@d>", "QUIT")
        assert kept.startswith("250 2.0.0 kept as ")
        assert [await wire.reply() for _ in range(3)] == [
            "250 2.1.0 ok",
            "250 2.1.5 ok",
            "221 2.0.0 bye",
        ]
        assert await wire.reply() == ""

    assert (tmp_path / "000001-p0@x.example.eml").read_bytes() == b"hi\r\n"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("NOOP", "250 2.0.0 ok"),
        ("RSET", "250 2.0.0 ok"),
        ("VRFY li@x.example", "252 2.5.0 everybody is taken here"),
        ("FOO", '500 5.5.2 command "FOO" not recognized'),
        ("DATA", "503 5.5.1 need RCPT command"),
        ("EXPN x", "502 5.5.1 EXPN not implemented"),
        (
            "MAIL FROM:<a@b> SIZE=99999999",
            "552 5.3.4 message size exceeds fixed maximum message size",
        ),
        ("MAIL FROM:<a@b> FOO=1", "555 5.5.4 MAIL FROM parameters not recognized"),
        ("MAIL FROM:<a@b> SIZE=x", "501 5.5.4 Syntax"),
        ("X" * 600, "500 5.5.2 Command line too long"),
        ("X" * 3000, "500 5.5.2 Command line too long"),
    ],
)
async def test_every_reply_has_its_enhanced_code(open_sink: Sink, command: str, reply: str) -> None:
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")

        assert (await wire.ask(command)).startswith(reply)
        assert await wire.ask("NOOP") == "250 2.0.0 ok"


async def test_a_full_disk_is_a_refusal_for_now(
    open_sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        await wire.ask("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
        await wire.reply()
        await wire.reply()

        assert await wire.ask("hi", ".") == "452 4.3.1 cannot be kept: No space left on device"

    assert open_sink.received == 0
    assert letters(tmp_path) == []


@pytest.mark.parametrize(
    "cut_after", [[], ["EHLO x"], ["EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "half"]]
)
async def test_a_client_that_is_gone_leaves_no_trace(
    open_sink: Sink, tmp_path: Path, cut_after: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with Wire(open_sink) as wire:
        for command in cut_after:
            wire.writer.write(command.encode() + b"\r\n")

    async with Wire(open_sink) as wire:
        await wire.ask("EHLO x")
        assert await wire.ask("NOOP") == "250 2.0.0 ok"
    assert letters(tmp_path) == []
    assert [record for record in caplog.records if record.levelname not in ("INFO", "DEBUG")] == []


@pytest.mark.parametrize(
    ("error", "is_said"), [(ConnectionResetError(), False), (ValueError("a bug"), True)]
)
async def test_only_what_is_no_lost_connection_is_logged(
    open_sink: Sink, error: Exception, *, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def dialogue() -> None:
        raise error

    async with Wire(open_sink) as wire:
        await wire.ask("NOOP")
        [connection] = open_sink._connections
        task = asyncio.create_task(dialogue())
        await asyncio.wait([task])

        # How the dialogue's task ended is nothing a client can bring about at will.
        connection._dialogue_ended(task)

    said = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said == (["a fault in the sink"] if is_said else [])


async def test_leaving_cuts_the_connections_that_are_left(tmp_path: Path) -> None:
    async with Sink(SinkSettings(directory=tmp_path)) as sink:
        plain, secure, silent = Wire(sink), Wire(sink), Wire(sink)
        await plain.__aenter__()
        await secure.__aenter__()
        await silent.__aenter__()
        await plain.ask("EHLO x")
        await plain.ask("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
        await secure.ask("EHLO x")
        await secure.starttls()
        # In the middle of the handshake.
        await silent.ask("STARTTLS")

    assert asyncio.all_tasks() == {asyncio.current_task()}
    for wire in (plain, secure, silent):
        wire.writer.transport.abort()
    assert letters(tmp_path) == []
