"""Logins, read as transcripts; and what two big Chinese providers say."""

from __future__ import annotations

import asyncio
import base64
import hmac
from pathlib import Path

import pytest
from support.scripted_stream import HOST, OpenSession, ScriptedStream

from bulkmail.clock import SystemClock
from bulkmail.errors import AuthenticationFailed, ConnectionLost, ProtocolViolation
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, Security, ServerSettings
from bulkmail.transport.password import Password
from bulkmail.transport.session import Session
from bulkmail.transport.transcript import Transcript

USER = "hr@example.com"
SECRET = "correct horse"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PLAIN = b64(f"\0{USER}\0{SECRET}")
LOGIN = {"username": USER, "password": PasswordSource(secret=Secret(SECRET))}


def offers(*mechanisms: str) -> str:
    return f"S: 220 hi\nC: EHLO me.example\nS: 250-hi\nS: 250 AUTH {' '.join(mechanisms)}\n"


async def test_a_qq_like_server(
    script: ScriptedStream, open_session: OpenSession, lines: list[str]
) -> None:
    ehlo = """
        C: EHLO me.example
        S: 250-newxmesmtplogicsvrszc13-0.qq.com
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        {starttls}
        S: 250-AUTH LOGIN PLAIN XOAUTH XOAUTH2
        S: 250-AUTH=LOGIN
        S: 250-MAILCOMPRESS
        S: 250-SMTPUTF8
        S: 250 8BITMIME
    """
    script.plays("S: 220 newxmesmtplogicsvrszc13-0.qq.com XMail Esmtp QQ Mail Server.")
    script.plays(ehlo.format(starttls="S: 250-STARTTLS"))
    script.plays("C: STARTTLS\nS: 220 Ready to start TLS from 203.0.113.9 to newxmesmtp.")
    script.plays(ehlo.format(starttls=""))
    script.plays(f"C: AUTH PLAIN {PLAIN}\nS: 235 Authentication successful")

    session = await open_session(security=Security.STARTTLS, **LOGIN)

    assert session.mechanism == "PLAIN"
    assert session.extensions.pipelining
    assert session.extensions.size == 52428800
    assert session.extensions.auth == ("LOGIN", "PLAIN", "XOAUTH", "XOAUTH2")
    assert "C: AUTH PLAIN ********" in lines


async def test_a_qq_like_server_refuses_the_account_s_password(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("LOGIN")).plays(
        f"""
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: {b64(USER)}
        S: 334 UGFzc3dvcmQ6
        C: {b64(SECRET)}
        S: 535 Login fail. Authorization code is expired
        C: QUIT
        S: 221 Bye.
        """
    )

    with pytest.raises(AuthenticationFailed) as caught:
        await open_session(password_hint="QQ wants an authorisation code (授权码)", **LOGIN)

    assert str(caught.value) == (
        "mx.example:587 refused the login of hr@example.com: "
        "535 Login fail. Authorization code is expired (AUTH LOGIN)"
    )
    assert caught.value.hint == "QQ wants an authorisation code (授权码)"
    assert (caught.value.stage, caught.value.code) == ("auth", 535)
    assert not caught.value.is_transient


async def test_a_163_like_server(script: ScriptedStream, open_session: OpenSession) -> None:
    script.plays(
        f"""
        S: 220 163.com Anti-spam GT for Coremail System (163com[20141201])
        C: EHLO me.example
        S: 250-mail
        S: 250-PIPELINING
        S: 250-AUTH LOGIN PLAIN XOAUTH2
        S: 250-AUTH=LOGIN PLAIN XOAUTH2
        S: 250-coremail 1Uxr2xKj7kG0xkI17xGrU7I0s8FY2U3Uj8Cz28x1UUUUU7Ic2I0Y2UFRpsXuUCa0xDrUUUUj
        S: 250-STARTTLS
        S: 250-ID
        S: 250 8BITMIME
        C: AUTH LOGIN
        S: 334 dXNlcm5hbWU6
        C: {b64(USER)}
        S: 334 UGFzc3dvcmQ6
        C: {b64(SECRET)}
        S: 235 Authentication successful
        """
    )

    session = await open_session(auth="login", **LOGIN)

    assert session.mechanism == "LOGIN"
    assert session.extensions.auth == ("LOGIN", "PLAIN", "XOAUTH2")
    assert session.extensions.size is None


async def test_login_gives_the_user_name_at_once_where_a_server_wants_that(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("LOGIN")).plays(
        f"""
        C: AUTH LOGIN
        S: 501 Syntax error, user name missing
        C: AUTH LOGIN {b64(USER)}
        S: 334 UGFzc3dvcmQ6
        C: {b64(SECRET)}
        S: 235 welcome
        """
    )

    session = await open_session(**LOGIN)

    assert session.mechanism == "LOGIN"


@pytest.mark.parametrize("code", [504, 534])
async def test_the_next_mechanism_is_tried_where_one_is_not_taken(
    script: ScriptedStream, open_session: OpenSession, code: int
) -> None:
    script.plays(offers("PLAIN", "CRAM-MD5")).plays(
        f"""
        C: AUTH CRAM-MD5
        S: {code} not that one
        C: AUTH PLAIN {PLAIN}
        S: 235 welcome
        """
    )

    session = await open_session(**LOGIN)

    assert session.mechanism == "PLAIN"


async def test_a_535_is_final_and_no_other_mechanism_is_tried(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("PLAIN", "LOGIN")).plays(
        f"C: AUTH PLAIN {PLAIN}\nS: 535 5.7.8 bad credentials\nC: QUIT\nS: 221 bye"
    )

    with pytest.raises(AuthenticationFailed) as caught:
        await open_session(**LOGIN)

    assert caught.value.enhanced_code == "5.7.8"


async def test_the_last_mechanism_s_504_is_a_refusal(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("PLAIN")).plays(f"C: AUTH PLAIN {PLAIN}\nS: 504 no\nC: QUIT\nS: 221 bye")

    with pytest.raises(AuthenticationFailed, match="504 no"):
        await open_session(**LOGIN)


@pytest.mark.parametrize("reply", ["454 4.7.0 try later", "421 4.7.0 too many"])
async def test_a_transient_refusal_is_worth_another_try(
    script: ScriptedStream, open_session: OpenSession, reply: str
) -> None:
    script.plays(offers("PLAIN")).plays(f"C: AUTH PLAIN {PLAIN}\nS: {reply}")
    if reply.startswith("454"):
        script.plays("C: QUIT\nS: 221 bye")

    with pytest.raises(AuthenticationFailed) as caught:
        await open_session(**LOGIN)

    assert caught.value.is_transient


@pytest.mark.parametrize(
    ("ehlo", "sentence"),
    [
        ("S: 220 hi\nC: EHLO me.example\nS: 250 hi", "AUTH is not offered"),
        (offers("NTLM"), "offers AUTH NTLM"),
    ],
)
async def test_a_login_that_cannot_be_tried_says_why(
    script: ScriptedStream, open_session: OpenSession, ehlo: str, sentence: str
) -> None:
    script.plays(ehlo).plays("C: QUIT\nS: 221 bye")

    with pytest.raises(AuthenticationFailed, match=sentence) as caught:
        await open_session(**LOGIN)

    assert caught.value.code is None


@pytest.mark.parametrize("challenge", ["%%%", "VXNl cm5", "用户", "A"])
async def test_a_challenge_that_is_not_base64_is_a_violation(
    script: ScriptedStream, open_session: OpenSession, challenge: str
) -> None:
    script.plays(offers("CRAM-MD5")).plays(f"C: AUTH CRAM-MD5\nS: 334 {challenge}")

    with pytest.raises(ProtocolViolation, match="not base64") as caught:
        await open_session(**LOGIN)

    assert caught.value.stage == "auth"
    assert script.is_aborted


async def test_prompts_in_plain_words_are_answered(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("LOGIN")).plays(
        f"""
        C: AUTH LOGIN
        S: 334 Username:
        C: {b64(USER)}
        S: 334 密码:
        C: {b64(SECRET)}
        S: 235 welcome
        """
    )

    assert (await open_session(**LOGIN)).mechanism == "LOGIN"


async def test_a_challenge_without_its_padding_is_answered(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    challenge = b64("<1.2@here>")
    digest = hmac.new(SECRET.encode(), b"<1.2@here>", "md5").hexdigest()
    assert challenge.endswith("=")
    script.plays(offers("CRAM-MD5")).plays(
        f"""
        C: AUTH CRAM-MD5
        S: 334 {challenge.rstrip("=")}
        C: {b64(f"{USER} {digest}")}
        S: 235 welcome
        """
    )

    assert (await open_session(**LOGIN)).mechanism == "CRAM-MD5"


async def test_a_challenge_too_many_is_cancelled(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("PLAIN")).plays(
        f"C: AUTH PLAIN {PLAIN}\nS: 334 bW9yZQ==\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye"
    )

    with pytest.raises(AuthenticationFailed, match="asked for more than AUTH PLAIN has to say"):
        await open_session(**LOGIN)


async def test_a_server_that_does_not_prove_itself_is_not_believed(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    script.plays(offers("SCRAM-SHA-256"))
    script.plays("C: AUTH SCRAM-SHA-256 …\nS: 235 of course\nC: QUIT\nS: 221 bye")

    with pytest.raises(AuthenticationFailed) as caught:
        await open_session(**LOGIN)

    assert caught.value.host == "mx.example:587"


async def test_a_password_that_the_server_repeats_is_shown_nowhere(
    script: ScriptedStream, open_session: OpenSession, lines: list[str]
) -> None:
    script.plays(offers("PLAIN")).plays(
        f"""
        C: AUTH PLAIN {PLAIN}
        S: 535-5.7.8 {SECRET} is wrong
        S: 535 5.7.8 so is {PLAIN}, {b64(SECRET)}
        C: QUIT
        S: 221 bye
        """
    )

    with pytest.raises(AuthenticationFailed) as caught:
        await open_session(**LOGIN)

    shown = "\n".join([*lines, repr(caught.value), str(caught.value), caught.value.reply])
    for secret in (SECRET, b64(SECRET), PLAIN):
        assert secret not in shown
    assert "******** is wrong" in shown


@pytest.mark.parametrize(
    "broken", [f"S: 250 nobody asked for {SECRET}", f"S: I am no reply, {PLAIN}, {SECRET}"]
)
async def test_a_password_in_what_breaks_the_rules_is_shown_nowhere(
    broken: str, script: ScriptedStream, open_session: OpenSession, lines: list[str]
) -> None:
    script.plays(offers("PLAIN")).plays(f"C: AUTH PLAIN {PLAIN}\nS: 235 ok\n{broken}")

    session = await open_session(**LOGIN)
    with pytest.raises(ProtocolViolation) as caught:
        await session.noop()

    told = repr((caught.value, caught.value.reply, lines))
    assert "********" in str(caught.value)
    assert SECRET not in told
    assert PLAIN not in told


@pytest.mark.parametrize("step", ["first", "second"])
async def test_a_cancelled_login_leaves_nothing_open(
    script: ScriptedStream, open_session: OpenSession, step: str
) -> None:
    script.plays(offers("LOGIN")).plays("C: AUTH LOGIN")
    if step == "second":
        script.plays(f"S: 334 VXNlcm5hbWU6\nC: {b64(USER)}")
    script.plays("S: (hang)")
    opening = asyncio.create_task(open_session(**LOGIN))
    await script.hung(opening)

    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    assert script.is_aborted


class Connections:
    """Gives out scripted streams, one a connection."""

    def __init__(self, *streams: ScriptedStream) -> None:
        self.left = list(streams)

    async def __call__(self, host: str, port: int, deadline: float) -> ScriptedStream:
        return self.left.pop(0)


def login_script(password: str, reply: str) -> ScriptedStream:
    token = b64(f"user={USER}\x01auth=Bearer {password}\x01\x01")
    return ScriptedStream().plays(offers("XOAUTH2") + f"C: AUTH XOAUTH2 {token}\nS: {reply}\n")


def with_command(*command: str) -> ServerSettings:
    return ServerSettings(
        name="mx",
        host=HOST,
        port=587,
        security=Security.NONE,
        local_hostname="me.example",
        username=USER,
        password=PasswordSource(command=command),
        auth="xoauth2",
    )


def counting(folder: Path) -> tuple[str, ...]:
    """A command that gives another token each time: token1, token2."""
    count = folder / "count"
    return ("sh", "-c", f"echo x >> {count}; echo token$(wc -l < {count})")


async def test_a_command_is_run_again_before_a_login_counts_as_refused(tmp_path: Path) -> None:
    refused, accepted = login_script("token1", "535 expired"), login_script("token2", "235 ok")

    session = await Session.open(
        with_command(*counting(tmp_path)),
        clock=SystemClock(),
        connect=Connections(refused, accepted),
    )

    assert session.mechanism == "XOAUTH2"
    assert refused.is_aborted


@pytest.mark.parametrize("tokens", [["token1"], ["token1", "token2"]], ids=str)
async def test_who_comes_to_its_login_behind_another_s_refusal_does_not_try_it(
    tmp_path: Path, tokens: list[str]
) -> None:
    settings = with_command(*(counting(tmp_path) if len(tokens) > 1 else ("echo", "token1")))
    greeted = ScriptedStream().plays(offers("XOAUTH2") + "C: QUIT\nS: 221 bye\n")
    refused = [login_script(token, "535 revoked") for token in tokens]
    connections = Connections(*refused, greeted)
    password = Password(settings)

    for _ in range(2):
        with pytest.raises(AuthenticationFailed, match="535 revoked"):
            await Session.open(
                settings, clock=SystemClock(), connect=connections, password=password
            )

    assert not connections.left, "the second one connected"


async def test_of_logins_at_the_same_time_one_is_tried_where_it_is_refused() -> None:
    """A password that was changed under way: each of the connections opened then tried it."""
    settings = with_command("echo", "token1")
    greeted = ScriptedStream().plays(offers("XOAUTH2") + "C: QUIT\nS: 221 bye\n")
    connections = Connections(login_script("token1", "535 revoked"), greeted)
    password = Password(settings)

    outcomes = await asyncio.gather(
        *(
            Session.open(settings, clock=SystemClock(), connect=connections, password=password)
            for _ in range(2)
        ),
        return_exceptions=True,
    )

    assert [str(outcome).count("535 revoked") for outcome in outcomes] == [1, 1]
    assert all(isinstance(outcome, AuthenticationFailed) for outcome in outcomes)


async def test_a_login_is_refused_where_the_command_gives_the_same_again() -> None:
    connections = Connections(login_script("token", "535 expired"), ScriptedStream())

    with pytest.raises(AuthenticationFailed, match="535 expired"):
        await Session.open(with_command("echo", "token"), clock=SystemClock(), connect=connections)

    assert len(connections.left) == 1


async def test_a_second_refusal_is_final(tmp_path: Path) -> None:
    connections = Connections(
        login_script("token1", "535 expired"),
        login_script("token2", "535 expired too"),
        ScriptedStream(),
    )

    with pytest.raises(AuthenticationFailed, match="535 expired too"):
        await Session.open(
            with_command(*counting(tmp_path)), clock=SystemClock(), connect=connections
        )

    assert len(connections.left) == 1


async def test_a_session_that_is_lost_at_auth_names_the_stage(
    script: ScriptedStream, open_session: OpenSession, lines: list[str]
) -> None:
    script.plays(offers("PLAIN")).plays(f"C: AUTH PLAIN {PLAIN}\nS: (close)")

    with pytest.raises(ConnectionLost) as caught:
        await open_session(**LOGIN)

    assert caught.value.stage == "auth"
    assert Transcript(lines.append).fault == ""
