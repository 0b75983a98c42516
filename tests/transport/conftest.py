"""Sessions over a scripted stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from support.bdat_scripts import CONTENT, CONTENT_ONE
from support.scripted_stream import (
    CHUNKING_GREETING,
    GREETING,
    HOST,
    PIPELINING_GREETING,
    Marks,
    OpenSession,
    ScriptedStream,
)

from bulkmail.clock import SystemClock
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.envelope import Envelope
from bulkmail.transport.session import Session
from bulkmail.transport.transcript import Transcript
from bulkmail.transport.trust import Level, Trust


@pytest.fixture
def script() -> Iterator[ScriptedStream]:
    stream = ScriptedStream()
    yield stream
    stream.finish()


@pytest.fixture
def settings() -> ServerSettings:
    return ServerSettings(
        name="mx", host=HOST, port=587, security=Security.NONE, local_hostname="me.example"
    )


@pytest.fixture
def lines() -> list[str]:
    """The transcript of what `open_session` opened."""
    return []


@pytest.fixture
def open_session(script: ScriptedStream, settings: ServerSettings, lines: list[str]) -> OpenSession:
    async def connect(host: str, port: int, deadline: float) -> ScriptedStream:
        assert (host, port in {465, 587}) == (HOST, True)
        return script

    async def open_one(**changed: object) -> Session:
        trust = changed.pop("trust", None)
        assert trust is None or isinstance(trust, Trust)
        return await Session.open(
            replace(settings, **changed),  # type: ignore[arg-type]  # the test's own keywords
            clock=SystemClock(),
            transcript=Transcript(lines.append),
            trust=trust,
            connect=connect,
        )

    return open_one


@pytest.fixture
def mark(script: ScriptedStream) -> Marks:
    return Marks(script)


@pytest.fixture
def mail_object() -> Callable[..., MailObject]:
    def make(
        *to: str,
        content: bytes = b"Subject: hi\r\n\r\nhello\r\n",
        reverse_path: str = "a@x.example",
    ) -> MailObject:
        envelope = Envelope(reverse_path, to or ("b@y.example",))
        return MailObject(envelope, (content,), message_id="<1@x.example>")

    return make


@pytest.fixture
def pipelined(
    script: ScriptedStream, open_session: OpenSession
) -> Callable[[], Awaitable[Session]]:
    """Opens a session with a server that offers PIPELINING."""

    async def open_one() -> Session:
        script.plays(PIPELINING_GREETING)
        return await open_session()

    return open_one


@pytest.fixture
def lockstep(script: ScriptedStream, open_session: OpenSession) -> Callable[[], Awaitable[Session]]:
    """Opens a session with a server that offers nothing."""

    async def open_one() -> Session:
        script.plays(GREETING)
        return await open_session()

    return open_one


@pytest.fixture
def trust() -> Trust:
    """Of a server that has taken messages ahead of their replies."""
    known = Trust()
    known.kept(Level.WINDOW)
    return known


@pytest.fixture
def windowed(
    script: ScriptedStream, open_session: OpenSession, trust: Trust
) -> Callable[[], Awaitable[Session]]:
    """Opens a session with a server that offers CHUNKING and is known to do it well."""

    async def open_one() -> Session:
        script.plays(CHUNKING_GREETING)
        return await open_session(trust=trust)

    return open_one


@pytest.fixture
def mails(mail_object: Callable[..., MailObject]) -> tuple[MailObject, MailObject, MailObject]:
    """Those of `bdat_scripts`."""
    return (
        mail_object("b@y.example", content=CONTENT_ONE),
        mail_object("c@y.example", content=CONTENT),
        mail_object("d@y.example", content=CONTENT),
    )
