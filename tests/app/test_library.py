"""bulkmail for programs: `send` of a loaded campaign, and `SMTPClient`."""

from __future__ import annotations

import asyncio
import contextlib
from email.message import EmailMessage

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import HANG, on, scripted

import bulkmail
from bulkmail import BulkmailError, Campaign, SMTPClient, send
from bulkmail.errors import ConfigurationError

ADA, BOB, EVE = PEOPLE


async def test_a_campaign_is_loaded_and_sent(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        path = project.save()

        summary = await send(Campaign.load(str(path)))

    assert summary.exit_code == 0
    counts = ("total", "sent", "failed", "deferred", "pending", "suppressed", "in_doubt")
    told = summary.to_json()
    assert told["sent"] == 3
    for key in (*counts, "duplicates", "campaign"):
        assert getattr(summary, key) == told[key]
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_cancelled_send_leaves_the_ledger_whole(project: MailProject) -> None:
    stuck = asyncio.Event()
    async with scripted(on("dot", HANG, times=1)) as server:
        server.watch = lambda turn: stuck.set() if turn.stage == "dot" else None
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "50ms"})
        sending = asyncio.create_task(project.send())
        await stuck.wait()
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        states = await project.states()

        summary = await project.send()

    assert sorted(states.values()) == ["in_doubt", "pending", "pending"]
    assert summary.exit_code == 0
    assert set(server.got) == set(PEOPLE)


async def test_errors_are_of_one_family(project: MailProject) -> None:
    project.write("campaigns/letter.yaml", "from: 7\n")

    with pytest.raises(ConfigurationError) as error:
        Campaign.load(project.path)

    assert isinstance(error.value, BulkmailError)
    assert error.value.faults
    assert issubclass(bulkmail.BulkmailError, Exception)


async def test_a_client_sends_a_message_of_its_own() -> None:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.com>"
    message["To"] = "Bob <bob@example.com>, eve@example.com"
    message["Bcc"] = "hidden@example.com"
    message["Subject"] = "Grüße"
    message.set_content("Hello\n.\nworld\n")
    async with scripted(on("rcpt", "550 5.1.1 no", to=EVE), logins={"me": "pw"}) as server:  # noqa: SIM117
        async with SMTPClient(
            "127.0.0.1", server.port, security="none", username="me", password="pw"
        ) as client:
            result = await client.send_message(message)
            raw = await client.sendmail(ADA, [BOB], b"Subject: x\n\n.dot\nend")

    first, second = server.accepted
    assert result.is_accepted
    assert list(result.refused) == [EVE]
    assert first.sender == ADA
    assert first.recipients == (BOB, "hidden@example.com")
    assert b"hidden@" not in first.content
    assert raw.is_accepted
    assert second.content.endswith(b"\r\n\r\n..dot\r\nend\r\n")
    assert server.tried == [("me", "pw")]
    assert server.connections == 1


async def test_a_clients_refused_login_is_an_error_of_the_family() -> None:
    async with scripted(logins={"me": "right"}) as server:
        with pytest.raises(BulkmailError, match="535"):
            async with SMTPClient(
                "127.0.0.1", server.port, security="none", username="me", password="wrong"
            ):
                pytest.fail("the login was refused")


def test_the_package_is_typed() -> None:
    assert bulkmail.__file__ is not None
    assert all(hasattr(bulkmail, name) for name in bulkmail.__all__)
