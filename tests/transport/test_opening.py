"""Openings, read as transcripts: greeting, EHLO, STARTTLS."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from support.scripted_stream import GREETING, OpenSession, ScriptedStream

from bulkmail.errors import (
    AuthenticationFailed,
    ConnectionLost,
    PlaintextInjected,
    ProtocolViolation,
    ServerRefused,
    SessionError,
    StageTimeout,
    TlsFailed,
)
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, Security

STARTTLS_OFFERED = """
    S: 220 mx.example ESMTP
    C: EHLO me.example
    S: 250-mx.example
    S: 250-AUTH PLAIN
    S: 250 STARTTLS
"""
PASSWORD = PasswordSource(secret=Secret("correct horse"))


async def test_ehlo_tells_what_is_offered(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(GREETING)

    session = await open_session()

    assert "HELP" in session.extensions
    assert session.is_reusable
    assert session.tls is None


async def test_helo_is_said_where_ehlo_is_not_known(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(
        """
        S: 220 old
        C: EHLO me.example
        S: 502 what?
        C: HELO me.example
        S: 250 old
        """
    )

    session = await open_session(security=Security.OPPORTUNISTIC)

    assert session.is_reusable
    assert not session.extensions.keywords


@pytest.mark.parametrize(
    "changed", [{"security": Security.STARTTLS}, {"username": "li", "password": PASSWORD}]
)
async def test_helo_will_not_do_where_an_extension_is_needed(
    script: ScriptedStream, open_session: OpenSession, changed: dict[str, object]
) -> None:
    script.plays("S: 220 old\nC: EHLO me.example\nS: 502 what?\nC: QUIT\nS: 221 bye")

    with pytest.raises(ServerRefused, match=r"mx\.example:587 refused EHLO: 502 what\?"):
        await open_session(**changed)


@pytest.mark.parametrize(
    ("transcript", "stage", "code"),
    [
        ("S: 554 5.7.1 not you\nC: QUIT\nS: 221 bye", "greeting", 554),
        ("S: 421 too many", "greeting", 421),
        ("S: 220 hi\nC: EHLO me.example\nS: 451 later\nC: QUIT\nS: 221 bye", "ehlo", 451),
        ("S: 220 hi\nC: EHLO me.example\nS: 421 later", "ehlo", 421),
        (
            "S: 220 hi\nC: EHLO me.example\nS: 500 no\nC: HELO me.example\nS: 550 no\nC: QUIT",
            "ehlo",
            550,
        ),
    ],
)
async def test_a_refused_opening_names_its_stage_and_reply(
    script: ScriptedStream, open_session: OpenSession, transcript: str, stage: str, code: int
) -> None:
    script.plays(transcript)

    with pytest.raises(ServerRefused) as caught:
        await open_session()

    assert (caught.value.stage, caught.value.code) == (stage, code)
    assert caught.value.host == "mx.example:587"
    assert script.is_aborted


@pytest.mark.parametrize("trouble", ["(close)", "(reset)", "(silent)", "not SMTP"])
@pytest.mark.parametrize(
    ("before", "stage"), [("", "greeting"), ("S: 220 hi\nC: EHLO me.example\n", "ehlo")]
)
async def test_an_opening_that_is_cut_names_its_stage(
    script: ScriptedStream, open_session: OpenSession, before: str, stage: str, trouble: str
) -> None:
    script.plays(f"{before}S: {trouble}")

    with pytest.raises(SessionError) as caught:
        await open_session()

    assert isinstance(caught.value, ConnectionLost | StageTimeout | ProtocolViolation)
    assert (caught.value.stage, caught.value.host) == (stage, "mx.example:587")
    assert script.is_aborted


@pytest.mark.parametrize(
    "before",
    [
        "",
        "S: 220 hi\nC: EHLO me.example\n",
        STARTTLS_OFFERED + "C: STARTTLS\n",
        STARTTLS_OFFERED + "C: STARTTLS\nS: 220 go\n",
    ],
    ids=["greeting", "ehlo", "starttls", "second ehlo"],
)
async def test_a_cancelled_opening_leaves_nothing_open(
    script: ScriptedStream, open_session: OpenSession, before: str
) -> None:
    script.plays(before)
    if before.endswith("S: 220 go\n"):
        script.plays("C: EHLO me.example")
    script.plays("S: (hang)")
    opening = asyncio.create_task(open_session(security=Security.OPPORTUNISTIC))
    await script.hung(opening)

    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    assert script.is_aborted


async def test_after_starttls_what_was_offered_before_is_forgotten(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(STARTTLS_OFFERED).plays(
        """
        C: STARTTLS
        S: 220 go
        C: EHLO me.example
        S: 250-mx.example
        S: 250 PIPELINING
        """
    )

    session = await open_session(security=Security.STARTTLS)

    assert script.is_tls
    assert set(session.extensions.keywords) == {"PIPELINING"}


async def test_required_starttls_that_is_not_offered_ends_it(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(GREETING).plays("C: QUIT\nS: 221 bye")

    with pytest.raises(TlsFailed, match="does not offer STARTTLS"):
        await open_session(security=Security.STARTTLS)


async def test_required_starttls_that_is_refused_ends_it(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(STARTTLS_OFFERED).plays(
        "C: STARTTLS\nS: 454 4.7.0 TLS not available\nC: QUIT\nS: 221 bye"
    )

    with pytest.raises(ServerRefused, match="refused STARTTLS: 454") as caught:
        await open_session(security=Security.STARTTLS)

    assert caught.value.stage == "starttls"


@pytest.mark.parametrize("offered", [True, False])
async def test_opportunistic_goes_on_without_tls(
    script: ScriptedStream, open_session: OpenSession, *, offered: bool
) -> None:
    script.plays(STARTTLS_OFFERED + "C: STARTTLS\nS: 454 no" if offered else GREETING)

    session = await open_session(security=Security.OPPORTUNISTIC)

    assert session.is_reusable
    assert not script.is_tls


async def test_opportunistic_without_tls_sends_no_credentials(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(
        """
        S: 220 mx.example ESMTP
        C: EHLO me.example
        S: 250-mx.example
        S: 250 AUTH PLAIN
        C: QUIT
        S: 221 bye
        """
    )

    with pytest.raises(AuthenticationFailed, match="security: none"):
        await open_session(
            security=Security.OPPORTUNISTIC, username="li@example.com", password=PASSWORD
        )


INJECTED = "250-evil\r\n250 AUTH PLAIN\r\n"


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.OPPORTUNISTIC])
async def test_plaintext_in_the_buffer_before_the_handshake_ends_the_session(
    script: ScriptedStream, open_session: OpenSession, security: Security
) -> None:
    script.plays(STARTTLS_OFFERED).plays("C: STARTTLS\nS: 220 go")
    script.says_at_once(INJECTED.encode())

    with pytest.raises(PlaintextInjected) as caught:
        await open_session(security=security)

    assert caught.value.host == "mx.example:587"
    assert not script.is_tls
    assert script.is_aborted


@pytest.mark.parametrize(
    "injected", [INJECTED, "250 evil\r\n", "250 ev", "2", "421 bye\r\n", "garbage\r\n"]
)
async def test_plaintext_behind_the_reply_to_starttls_ends_the_session(
    script: ScriptedStream, open_session: OpenSession, injected: str
) -> None:
    script.plays(STARTTLS_OFFERED).plays("C: STARTTLS")
    script.says(f"220 go\r\n{injected}".encode())

    with pytest.raises(PlaintextInjected):
        await open_session(security=Security.STARTTLS)

    assert not script.is_tls
    assert script.is_aborted


async def test_plaintext_before_implicit_tls_ends_the_session(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.says_at_once(b"220 mx.example ESMTP\r\n")

    with pytest.raises(PlaintextInjected, match="spoke before the TLS handshake"):
        await open_session(security=Security.TLS)

    assert not script.is_tls
    assert script.is_aborted


async def test_an_address_literal_stands_in_for_a_host_without_a_name(
    script: ScriptedStream, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.transport.local_hostname._fqdn", cache(lambda: "laptop"))
    script.plays("S: 220 hi\nC: EHLO [192.0.2.7]\nS: 250 hi")

    session = await open_session(local_hostname=None)

    assert session.is_reusable


async def test_an_endless_reply_is_bounded(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    for _ in range(100):
        script.says(b"250-x" * 200 + b"\r\n")
    script.finish = lambda: None  # type: ignore[method-assign]  # it is never played to the end

    with pytest.raises(ProtocolViolation):
        await open_session()

    assert script.is_aborted


async def test_silence_at_a_plain_port_says_what_it_may_be(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays("S: (silent)")

    with pytest.raises(StageTimeout, match="wants `security: tls`"):
        await open_session(security=Security.STARTTLS)


async def test_a_handshake_that_is_not_answered_says_what_it_may_be(
    script: ScriptedStream, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hears_nothing(context: object, deadline: float) -> None:
        del context, deadline
        raise StageTimeout("mx.example:587 gave no answer in time (tls)", stage="tls")

    monkeypatch.setattr(script, "start_tls", hears_nothing)

    with pytest.raises(StageTimeout, match=r"\(tls\); is it a port for `security: starttls`\?"):
        await open_session(security=Security.TLS)


@pytest.mark.parametrize(
    ("port", "is_said"), [(465, True), (587, False)], ids=["tls's port", "another"]
)
async def test_who_hangs_up_on_a_port_of_tls_wants_tls(
    script: ScriptedStream, open_session: OpenSession, port: int, *, is_said: bool
) -> None:
    script.plays("S: (close)")

    with pytest.raises(ConnectionLost, match=f"mx.example:{port}: the server closed") as caught:
        await open_session(security=Security.STARTTLS, port=port)

    assert ("wants `security: tls`" in str(caught.value)) is is_said


async def test_silence_behind_tls_is_not_for_want_of_tls(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays("S: (silent)")

    with pytest.raises(StageTimeout) as caught:
        await open_session(security=Security.TLS)

    assert "security" not in str(caught.value)
