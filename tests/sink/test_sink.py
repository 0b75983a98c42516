"""The sink as others see it: the standard library's smtplib, in a thread."""

import asyncio
import json
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.sink_wire import PATIENCE, Wire

from bulkmail.errors import ConfigurationError
from bulkmail.secret import Secret
from bulkmail.sink import Kept, Sink, SinkSettings, SinkTls

LETTER = (
    b"From: people@example.com\r\nSubject: =?utf-8?b?5b2V55So?=\r\n\r\n"
    b".one dot\r\n..two\r\n.\tand\r\n\r\n bare \x00 octets \xe7\x8e\x8b\r\n\r\n"
)


def settings(
    directory: Path,
    *,
    tls: SinkTls = "starttls",
    login: str | None = "demo",
    host: str = "127.0.0.1",
    port: int = 0,
    max_size: int = 1_000_000,
    ca_path: Path | None = None,
) -> SinkSettings:
    return SinkSettings(
        directory=directory,
        host=host,
        port=port,
        tls=tls,
        username=login,
        password=None if login is None else Secret("s3cret"),
        max_size=max_size,
        ca_path=ca_path,
    )


@contextmanager
def connected(sink: Sink, *, host: str = "127.0.0.1") -> Iterator[smtplib.SMTP]:
    """A client that verifies the sink's certificate by its authority, and is not logged in."""
    context = ssl.create_default_context(cafile=sink.ca_path) if sink.ca_path else None
    if context is not None and sink.settings.tls == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            host, sink.port, context=context, timeout=PATIENCE, local_hostname="client"
        )
    else:
        client = smtplib.SMTP(host, sink.port, timeout=PATIENCE, local_hostname="client")
    with client:
        if context is not None and sink.settings.tls == "starttls":
            client.starttls(context=context)
        client.ehlo()
        yield client


def send(sink: Sink, *to: str, content: bytes = LETTER, host: str = "127.0.0.1") -> None:
    with connected(sink, host=host) as client:
        if sink.settings.username is not None:
            client.login("demo", "s3cret")
        client.sendmail("people@example.com", to or ("li@x.example",), content)


def letters(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.eml"))


@pytest.mark.parametrize("tls", ["starttls", "tls", "none"])
@pytest.mark.parametrize("login", ["demo", None])
async def test_a_letter_is_kept_byte_for_byte(
    tmp_path: Path, tls: SinkTls, login: str | None
) -> None:
    async with Sink(settings(tmp_path, tls=tls, login=login)) as sink:
        await asyncio.to_thread(send, sink)

        assert sink.received == 1
        assert repr(sink) == f"<Sink 127.0.0.1:{sink.port} {tls} | 1 received>"

    assert sink.received == 1
    [letter] = letters(tmp_path)
    assert letter.name == "000001-li@x.example.eml"
    assert letter.read_bytes() == LETTER


async def test_the_reply_says_where_and_the_observer_hears_first(tmp_path: Path) -> None:
    heard: list[Kept] = []
    async with Sink(settings(tmp_path, login=None), on_kept=heard.append) as sink, Wire(sink) as w:
        await w.ask("EHLO x")
        await w.ask("MAIL FROM:<>")
        await w.ask("RCPT TO:<王芳@x.example>")
        await w.ask("DATA")
        reply = await w.ask(b"hi\r\n.")

    assert reply == f"250 2.0.0 kept as {tmp_path}/000001-__@x.example.eml"
    assert heard[0].path == tmp_path / "000001-__@x.example.eml"
    assert (heard[0].reverse_path, heard[0].forward_paths) == ("", ("王芳@x.example",))
    assert (heard[0].number, heard[0].size) == (1, 4)


async def test_one_letter_to_several_is_one_file_and_one_envelope(tmp_path: Path) -> None:
    async with Sink(settings(tmp_path)) as sink:
        await asyncio.to_thread(send, sink, "li@x.example", "wang@y.example", "bcc@z.example")

    [letter] = letters(tmp_path)
    [line] = (tmp_path / "envelopes.jsonl").read_text().splitlines()
    envelope = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", envelope.pop("at"))
    assert envelope == {
        "file": letter.name,
        "mail_from": "people@example.com",
        "rcpt_tos": ["li@x.example", "wang@y.example", "bcc@z.example"],
        "size": len(LETTER),
    }


async def test_twenty_at_once_lose_nothing(tmp_path: Path) -> None:
    def many(sink: Sink, worker: int) -> None:
        with connected(sink) as client:
            client.login("demo", "s3cret")
            for turn in range(5):
                content = f"Subject: {worker}-{turn}\r\n\r\n".encode() + LETTER
                client.sendmail("a@b.example", [f"w{worker}@x.example"], content)

    async with Sink(settings(tmp_path)) as sink:
        await asyncio.gather(*(asyncio.to_thread(many, sink, worker) for worker in range(20)))

        assert sink.received == 100

    kept = letters(tmp_path)
    assert [int(path.name[:6]) for path in kept] == list(range(1, 101))
    subjects = {path.read_bytes().split(b"\r\n")[0] for path in kept}
    assert subjects == {f"Subject: {w}-{t}".encode() for w in range(20) for t in range(5)}
    envelopes = (tmp_path / "envelopes.jsonl").read_text().splitlines()
    assert {json.loads(line)["file"] for line in envelopes} == {path.name for path in kept}


@pytest.mark.parametrize(
    ("username", "password"), [("demo", "wrong"), ("nobody", "s3cret"), ("demo", "")]
)
async def test_a_wrong_login_is_refused(tmp_path: Path, username: str, password: str) -> None:
    def log_in(sink: Sink) -> None:
        with connected(sink) as client:
            client.login(username, password)

    async with Sink(settings(tmp_path)) as sink:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            await asyncio.to_thread(log_in, sink)

    assert caught.value.args == (535, b"5.7.8 wrong user name or password")


async def test_without_a_login_nothing_is_taken(tmp_path: Path) -> None:
    def sneak(sink: Sink) -> None:
        with connected(sink) as client:
            client.sendmail("a@b.example", ["li@x.example"], LETTER)

    async with Sink(settings(tmp_path)) as sink:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            await asyncio.to_thread(sneak, sink)

    assert caught.value.smtp_code == 530
    assert letters(tmp_path) == []


async def test_a_client_without_the_authority_does_not_trust_it_and_the_sink_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def distrust(sink: Sink) -> None:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=PATIENCE) as client:
            client.starttls(context=ssl.create_default_context())

    async with Sink(settings(tmp_path)) as sink:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(distrust, sink)
        await asyncio.to_thread(send, sink)

        assert sink.received == 1
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


async def test_too_large_is_refused_before_and_after_data(tmp_path: Path) -> None:
    def declared(sink: Sink) -> None:
        send(sink, content=b"x" * 70 + b"\r\n" + LETTER)

    async with Sink(settings(tmp_path, login=None, max_size=100)) as sink, Wire(sink) as wire:
        with pytest.raises(smtplib.SMTPSenderRefused, match=r"5\.3\.4"):
            await asyncio.to_thread(declared, sink)

        await wire.ask("EHLO x")
        await wire.ask("MAIL FROM:<a@b.example>")
        await wire.ask("RCPT TO:<c@d.example>")
        await wire.ask("DATA")
        assert (await wire.ask(b"x" * 101 + b"\r\n.")).startswith("552 5.3.4 ")

    assert letters(tmp_path) == []


async def test_a_restart_goes_on_with_the_numbers_and_a_new_authority(tmp_path: Path) -> None:
    authorities = set()
    for _ in range(2):
        async with Sink(settings(tmp_path)) as sink:
            await asyncio.to_thread(send, sink)
            assert sink.ca_path == tmp_path / "ca.pem"
            authorities.add(sink.ca_path.read_bytes())

    assert [path.name[:6] for path in letters(tmp_path)] == ["000001", "000002"]
    assert len(authorities) == 2


async def test_the_authority_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    ca_path = tmp_path / "deep" / "authority.pem"

    async with Sink(settings(tmp_path / "out", ca_path=ca_path)) as sink:
        assert sink.ca_path == ca_path
        await asyncio.to_thread(send, sink)

    assert [path.name for path in ca_path.parent.iterdir()] == ["authority.pem"]


async def test_clients_may_call_it_localhost(tmp_path: Path) -> None:
    async with Sink(settings(tmp_path, host="localhost")) as sink:
        await asyncio.to_thread(send, sink, host="localhost")

        assert sink.received == 1


async def test_a_port_in_use_is_a_fault_of_the_option(tmp_path: Path) -> None:
    async with Sink(settings(tmp_path / "one")) as sink:
        other = Sink(settings(tmp_path / "two", port=sink.port))

        with pytest.raises(
            ConfigurationError,
            match=f"127.0.0.1:{sink.port}: Address already in use; --port 0 takes",
        ):
            await other.__aenter__()

    # The folder was let go.
    async with Sink(settings(tmp_path / "two")):
        pass


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: {"directory": path / "file"}, "file  --dir: cannot be written: "),
        (lambda path: {"directory": path, "ca_path": path / "file" / "ca.pem"}, "--ca: "),
        (lambda path: {"directory": path, "host": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        (lambda path: {"directory": path, "port": 70_000}, "cannot listen on 127.0.0.1:70000"),
        (
            lambda path: {"directory": path, "host": "no such host.invalid"},
            r"cannot listen on no such host.invalid:\d+: [A-Z]",
        ),
    ],
    ids=["directory", "ca", "host", "port", "name"],
)
async def test_what_cannot_be_is_said_in_a_sentence(
    tmp_path: Path, change: Callable[[Path], dict[str, object]], sentence: str
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=sentence):
        await Sink(settings(**change(tmp_path))).__aenter__()  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("half", [{"username": "demo"}, {"password": Secret("x")}])
def test_half_a_login_is_a_fault(tmp_path: Path, half: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="one is missing"):
        SinkSettings(directory=tmp_path, **half)  # type: ignore[arg-type]  # by name


async def test_no_secret_in_logs_or_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="mail.log")
    async with Sink(settings(tmp_path)) as sink:
        await asyncio.to_thread(send, sink)
        async with Wire(sink) as wire:
            await wire.ask("EHLO x")
            await wire.starttls()
            await wire.ask("EHLO x")
            for mechanism in ("SCRAM-SHA-256", "LOGIN", "PLAIN"):
                await wire.log_in(mechanism, "demo", "s3cret!")

    shown = "\n".join([caplog.text, repr(sink), repr(sink.settings)])
    assert caplog.text
    assert "s3cret" not in shown
    assert "czNjcmV0" not in shown
