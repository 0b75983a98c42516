"""Several servers: the next one when one is unusable, shares by weight, and never a second copy."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme
from support.mail_project import PEOPLE, MailProject
from support.program import PATIENCE
from support.scripted_server import CUT, Rule, Turn, greylist, on, scripted, then_cut

from bulkmail.delivery.lane import PATIENT_TRIES, Lane
from bulkmail.errors import ConfigurationError
from bulkmail.fate import Delivery

ADA, BOB, EVE = PEOPLE
LOGIN = {"username": "me", "password": "${PASSWORD}"}
ENVIRON = {"PASSWORD": "wrong horse"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(found)
    return found


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


async def test_the_second_server_is_left_alone_while_the_first_one_works(
    project: MailProject,
) -> None:
    async with scripted() as first, scripted() as second:
        project.many(30)
        project.servers(first.url(connections=1), second.url())

        summary = await project.send()

    assert summary.exit_code == 0
    assert (len(first.accepted), second.connections) == (30, 0)


async def test_who_is_greylisted_goes_by_the_first_again_and_in_the_end_by_the_second(
    project: MailProject,
) -> None:
    async with scripted(greylist(99)) as first, scripted() as second:
        project.people([ADA])
        project.servers(first.url(), second.url())
        project.save(retry={"backoff": "1ms"})

        summary = await project.send()

    assert summary.exit_code == 0
    assert (first.count("RCPT"), second.count("RCPT")) == (PATIENT_TRIES, 1)


async def test_in_the_end_each_server_is_asked_where_others_greylist_for_ever(
    project: MailProject,
) -> None:
    async with scripted(greylist(9)) as a, scripted(greylist(9)) as b, scripted() as c:
        project.people([ADA])
        project.servers(a.url(), b.url(), c.url())
        project.save(retry={"backoff": "1ms"})

        summary = await project.send()

    assert summary.exit_code == 0
    assert (a.count("RCPT"), b.count("RCPT"), c.count("RCPT")) == (PATIENT_TRIES, 1, 1)


async def test_the_second_server_sends_when_the_first_is_not_there(
    project: MailProject, closed_port: int
) -> None:
    async with scripted() as second:
        project.servers(
            {"host": "127.0.0.1", "port": closed_port, "security": "none"}, second.url()
        )

        summary = await project.send()

    assert summary.exit_code == 0
    assert second.got == dict.fromkeys(PEOPLE, 1)
    assert {row["server"] for row in (await project.report()).values()} == {
        f"127.0.0.1:{second.port}"
    }


async def test_the_second_server_sends_when_the_first_refuses_the_login(
    project: MailProject,
) -> None:
    async with scripted(logins={"me": "right"}) as first, scripted() as second:
        project.many(20)
        project.servers(first.url(**LOGIN, connections=4), second.url())

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 0
    assert len(second.accepted) == 20
    assert first.tried == [("me", "wrong horse")], "a refused login is not tried again"


async def test_the_second_server_sends_when_the_firsts_tls_cannot_be_trusted(
    project: MailProject, context: ssl.SSLContext
) -> None:
    async with scripted(tls=context) as first, scripted() as second:
        project.servers(first.url(security="starttls"), second.url())

        summary = await project.send()

    assert summary.exit_code == 0
    assert len(second.accepted) == 3
    assert first.count("MAIL") == 0


BREAKING = [
    on("connect", "554 5.3.2 closed"),
    on("connect", CUT),
    on("mail", then_cut("421 4.7.0 too much")),
    on("mail", "550 5.7.1 sender not allowed"),
    on("rcpt", CUT),
]


@pytest.mark.parametrize("rule", BREAKING, ids=["554", "cut", "421", "550 mail", "cut at rcpt"])
async def test_the_second_server_sends_when_the_first_fails_everybody(
    project: MailProject, rule: Rule
) -> None:
    async with scripted(rule) as first, scripted() as second:
        project.many(12)
        project.servers(first.url(connections=2), second.url())
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    assert summary.exit_code == 0
    assert set(second.got.values()) == {1}
    assert len(second.got) == 12


async def test_a_server_that_breaks_half_way_hands_over_to_the_next(project: MailProject) -> None:
    async with scripted(on("mail", CUT, after=10)) as first, scripted() as second:
        project.many(40)
        project.servers(first.url(connections=2), second.url())
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    both = first.got + second.got
    assert summary.exit_code == 0
    assert len(both) == 40
    assert set(both.values()) == {1}
    assert len(first.accepted) <= 10


async def test_a_server_that_denies_every_recipient_access_does_not_get_the_whole_list(
    project: MailProject,
) -> None:
    denied = "554 5.7.1 <x@example.com>: Recipient address rejected: Access denied"
    async with scripted(on("rcpt", denied)) as server:
        project.many(60)
        project.servers(server.url(connections=1))
        project.save(stop_after=10)

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (3, 0)
    # Ten in a row, and who was on the way by then.
    assert summary.failed <= 12
    assert "Access denied" in summary.stopped


async def test_no_server_at_all_is_exit_3_with_each_ones_reason(
    project: MailProject, closed_port: int
) -> None:
    async with scripted(logins={"me": "right"}) as second:
        project.servers(
            {"host": "127.0.0.1", "port": closed_port, "security": "none"}, second.url(**LOGIN)
        )

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 3
    assert summary.counts.pending == 3
    assert f"127.0.0.1:{closed_port}" in summary.stopped
    assert "535" in summary.stopped


async def test_with_weights_the_shares_follow_them(project: MailProject) -> None:
    async with scripted() as first, scripted() as second:
        project.many(80)
        project.servers(first.url(weight=3, connections=2), second.url(weight=1, connections=2))

        summary = await project.send()

    assert summary.exit_code == 0
    assert 56 <= len(first.accepted) <= 64
    assert len(first.accepted) + len(second.accepted) == 80


async def test_with_weights_the_other_takes_all_when_one_is_unusable(
    project: MailProject, closed_port: int
) -> None:
    async with scripted() as second:
        project.many(20)
        project.servers(
            {"host": "127.0.0.1", "port": closed_port, "security": "none", "weight": 3},
            second.url(weight=1),
        )

        summary = await project.send()

    assert summary.exit_code == 0
    assert len(second.accepted) == 20


async def test_a_login_over_starttls_is_used_for_all_connections(
    project: MailProject, context: ssl.SSLContext, ca_file: str
) -> None:
    async with scripted(tls=context, logins={"me": "wrong horse"}) as server:
        project.many(20)
        project.servers(
            server.url(security="starttls", ca_file=ca_file, connections=3, **LOGIN),
        )

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 0
    assert Counter(server.tried) == {("me", "wrong horse"): server.connections}
    first = [line.split()[0] for line in server.commands[:4]]
    assert first == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_implicit_tls_is_tls_from_the_first_byte(
    project: MailProject, context: ssl.SSLContext, ca_file: str
) -> None:
    async with scripted(implicit=context, logins={"me": "wrong horse"}) as server:
        project.servers(server.url(security="tls", ca_file=ca_file, **LOGIN))

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 0


@pytest.mark.parametrize("security", ["starttls", "opportunistic", "tls"])
async def test_no_credentials_go_over_a_plain_connection(
    project: MailProject, security: str
) -> None:
    async with scripted(logins={"me": "wrong horse"}) as server:
        project.servers(server.url(security=security, **LOGIN, timeout="1s"))

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 3
    assert not server.tried
    assert server.count("AUTH") == 0
    assert server.count("MAIL") == 0
    assert summary.counts.pending == 3


async def test_opportunistic_without_credentials_goes_on_in_the_plain(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url(security="opportunistic"))

        summary = await project.send()

    assert summary.exit_code == 0


async def test_plaintext_before_the_handshake_ends_the_session_with_nothing_sent(
    project: MailProject, context: ssl.SSLContext, ca_file: str
) -> None:
    injected = on("starttls", "220 2.0.0 go on\r\n250 2.1.0 injected")
    async with scripted(injected, tls=context) as server:
        project.servers(server.url(security="starttls", ca_file=ca_file))

        summary = await project.send()

    assert summary.exit_code == 3
    assert server.count("MAIL") == 0


async def test_a_transient_login_failure_is_tried_again(project: MailProject) -> None:
    rule = on("auth", "454 4.7.0 temporary", times=2)
    async with scripted(rule, logins={"me": "wrong horse"}) as server:
        project.servers(server.url(**LOGIN))

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 0


async def test_the_next_mechanism_is_tried_behind_504_and_534(project: MailProject) -> None:
    rule = on("auth", "504 5.5.4 not that one", times=1)
    async with scripted(rule, logins={"me": "wrong horse"}) as server:
        project.servers(server.url(**LOGIN, connections=1))

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 0
    verbs = [line.split()[1] for line in server.commands if line.startswith("AUTH")]
    assert verbs == ["PLAIN", "LOGIN"]


async def test_a_login_that_is_not_offered_is_exit_3(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url(**LOGIN))

        summary = await project.send(environ=ENVIRON)

    assert summary.exit_code == 3
    assert summary.counts.pending == 3


async def test_a_password_that_is_nowhere_is_told_before_anything_is_sent(
    project: MailProject,
) -> None:
    async with scripted(logins={"me": "x"}) as server:
        project.servers(server.url(username="me", password={"file": "missing.txt"}))

        with pytest.raises(ConfigurationError, match=r"servers\[0\]\.password: .*missing\.txt"):
            await project.send()

    assert not server.tried
    assert server.count("MAIL") == 0


async def test_a_command_is_run_again_before_a_login_counts_as_refused(
    project: MailProject,
) -> None:
    script = project.write(
        "token.sh", '#!/bin/sh\necho x >> "$0.runs"\necho "token$(wc -l < "$0.runs" | tr -d " ")"\n'
    )
    script.chmod(0o700)
    async with scripted(logins={"me": "token2"}) as server:
        project.servers(server.url(username="me", password={"command": [str(script)]}))

        summary = await project.send()

    assert summary.exit_code == 0
    assert [password for _, password in server.tried][:2] == ["token1", "token2"]
    assert (project.root / "token.sh.runs").read_text().count("x") == 2


async def test_a_server_that_cannot_be_told_the_sender_is_left_and_no_recipient_fails(
    project: MailProject,
) -> None:
    project.save(**{"from": "Ü <ü@example.com>"})
    async with scripted(extensions=()) as plain, scripted(extensions=("SMTPUTF8",)) as able:
        project.servers(plain.url())
        alone = await project.send()
        project.servers(plain.url(), able.url())
        together = await project.send()

    assert (alone.exit_code, alone.counts.pending) == (3, alone.total)
    assert "the sender's address ü@example.com is beyond ASCII" in alone.stopped
    assert (together.exit_code, together.counts.sent) == (0, together.total)
    assert plain.count("MAIL") == 0


@pytest.mark.parametrize(
    "extensions", [["8BITMIME"], ["PIPELINING"], ["PIPELINING", "CHUNKING"]], ids="+".join
)
async def test_what_is_too_large_for_the_first_server_goes_by_the_next_one(
    project: MailProject, extensions: list[str]
) -> None:
    large = [f"large{number}@example.com" for number in range(10)]
    small = [f"small{number}@example.com" for number in range(20)]
    async with scripted() as first, scripted() as second:
        first.extensions = [*extensions, "SIZE 1000"]
        second.extensions = extensions
        project.people(small + large)
        project.write("templates/letter.txt.j2", "{{ 'x ' * 600 if 'large' in email else 'x' }}\n")
        project.servers(first.url(), second.url())

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 30)
    assert first.got == dict.fromkeys(small, 1)
    assert second.got == dict.fromkeys(large, 1)


async def test_what_is_too_large_for_the_first_server_does_not_pile_up_before_a_slow_one(
    project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_hand: list[int] = []
    give = Lane.give

    def watched(lane: Lane, deliveries: Sequence[Delivery]) -> None:
        give(lane, deliveries)
        in_hand.append(lane.in_hand)

    monkeypatch.setattr(Lane, "give", watched)
    monkeypatch.setattr("bulkmail.delivery.lane.PILE", 0)
    async with scripted() as first, scripted() as second:
        first.extensions = ["SIZE 100"]
        project.many(200)
        project.servers(first.url(connections=1), second.url(connections=1, rate="100/s"))

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 200)
    # 32 for a connection, and as many claimed for the first one by then.
    assert max(in_hand) <= 64


async def test_what_the_first_server_says_is_too_large_goes_by_the_next_one(
    project: MailProject,
) -> None:
    async with scripted(on("mail", "552 5.3.4 too large", times=1)) as first, scripted() as second:
        project.many(6)
        project.servers(first.url(connections=1), second.url())

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 6)
    assert (len(first.accepted), len(second.accepted)) == (5, 1)


async def test_what_no_server_can_take_has_failed(project: MailProject) -> None:
    async with scripted() as first, scripted() as second:
        first.extensions = ["SIZE 100"]
        second.extensions = ["SIZE 200"]
        project.servers(first.url(), second.url())

        summary = await project.send()

    assert (summary.exit_code, summary.failed) == (1, 3)
    assert (first.mails_at, second.mails_at) == ([], [])
    reasons = {row["reason"] for row in (await project.report()).values()}
    assert all("the server takes" in reason for reason in reasons)


async def test_what_is_too_large_waits_while_the_server_that_may_take_it_rests(
    project: MailProject,
) -> None:
    async with scripted() as first, scripted(on("connect", "421 busy", times=1)) as second:
        first.extensions = ["SIZE 100"]
        project.servers(first.url(), second.url())

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 3)
    assert second.got == dict.fromkeys(PEOPLE, 1)


@pytest.mark.parametrize("large_first", [True, False])
async def test_what_is_too_large_stays_pending_where_the_server_that_may_take_it_is_out_of_use(
    project: MailProject, closed_port: int, *, large_first: bool
) -> None:
    large, small = "large@example.com", [f"small{number}@example.com" for number in range(5)]
    dead = {"host": "127.0.0.1", "port": closed_port, "security": "none"}
    async with scripted() as first, scripted() as second, asyncio.timeout(PATIENCE):
        first.extensions = ["SIZE 1000"]
        project.people([large, *small] if large_first else [*small, large])
        project.write("templates/letter.txt.j2", "{{ 'x ' * 600 if 'large' in email else 'x' }}\n")
        project.servers(first.url(), dead)

        stopped = await project.send()
        project.servers(first.url(), second.url())
        mended = await project.send()

    assert (stopped.exit_code, stopped.sent, stopped.pending) == (3, 5, 1)
    assert "the server takes 1000 at most" in stopped.stopped
    assert f"127.0.0.1:{closed_port}" in stopped.stopped
    assert (mended.exit_code, mended.sent) == (0, 6)
    assert second.got == {large: 1}


async def test_many_who_fit_no_server_that_is_left_hide_nobody_behind_them(
    project: MailProject, closed_port: int
) -> None:
    """They were kept claimed, a thousand at most, and then the run was over for all."""
    large = [f"large{number}@example.com" for number in range(1200)]
    small = [f"small{number}@example.com" for number in range(5)]
    dead = {"host": "127.0.0.1", "port": closed_port, "security": "none"}
    async with scripted() as first, scripted() as second, asyncio.timeout(PATIENCE):
        first.extensions = ["SIZE 1000"]
        project.people([*large, *small])
        project.write("templates/letter.txt.j2", "{{ 'x ' * 600 if 'large' in email else 'x' }}\n")
        project.servers(first.url(connections=1), dead)

        stopped = await project.send()
        project.servers(first.url(), second.url())
        mended = await project.send()

    assert (stopped.exit_code, stopped.sent, stopped.pending) == (3, 5, 1200)
    assert "the server takes 1000 at most" in stopped.stopped
    assert (mended.exit_code, mended.sent) == (0, 1205)
    assert first.got == dict.fromkeys(small, 1)
    assert second.got == dict.fromkeys(large, 1)


@pytest.mark.parametrize("reply", ["452 4.3.1 come back later", "503 5.5.1 no more of that"])
async def test_a_server_that_is_through_with_a_session_is_met_on_a_new_one(
    project: MailProject, reply: str
) -> None:
    taken: Counter[int] = Counter()

    def five_each(turn: Turn) -> str | None:
        if turn.stage != "mail":
            return None
        taken[turn.connection] += 1
        return None if taken[turn.connection] <= 5 else reply

    project.save(retry={"backoff": "10ms", "max_backoff": "20ms"})
    project.many(20)
    async with scripted(five_each) as server, asyncio.timeout(PATIENCE):
        server.extensions = []
        project.servers(server.url(connections=1))

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 20)
    assert all(count <= 6 for count in taken.values()), "it asked again where it was told to leave"
