"""Whoever is to be told of a run's end is: once, signed, and without harm to the run."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
from email.message import EmailMessage
from typing import Any

import pytest
from support.mail_project import PEOPLE, MailProject
from support.page_server import Answer, header, page, page_server
from support.scripted_server import ScriptedServer, on, scripted
from support.watching import Announcements

from bulkmail import Campaign
from bulkmail.errors import ConfigurationError
from bulkmail.transport import webhook

OPS = "ops@example.com"


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DELAYS", (0.0, 0.0))


def told(server: ScriptedServer) -> list[EmailMessage]:
    """The mails to the operator."""
    return [
        email.message_from_bytes(mail.content, policy=email.policy.default)
        for mail in server.accepted
        if OPS in mail.recipients
    ]


async def test_a_mail_at_the_end_has_the_summary_and_who_failed(project: MailProject) -> None:
    refused = on("rcpt", "550 5.1.1 no such user", to=PEOPLE[1])
    async with scripted(refused) as server:
        project.servers(server.url())
        project.keys["on_failure"] = OPS
        summary = await project.send()

    (mail,) = told(server)
    (table,) = mail.iter_attachments()
    lines = table.get_content().lstrip("\ufeff").splitlines()
    assert summary.exit_code == 1
    assert mail["Subject"] == "letter: 2 sent, 1 failed"
    assert mail["From"] == "People <people@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert len(lines) == 2
    assert PEOPLE[1] in lines[1]
    assert "no such user" in lines[1]


async def test_who_finished_well_is_told_once_and_not_of_failure(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.keys |= {"on_finish": OPS, "on_failure": OPS}
        await project.send(limit=1)
        assert told(server) == []
        await project.send()
        await project.send()

    (mail,) = told(server)
    assert mail["Subject"] == "letter: 3 sent"
    assert not list(mail.iter_attachments())


async def test_the_mail_counts_against_the_servers_quota(project: MailProject) -> None:
    watch = Announcements()
    async with scripted() as server:
        project.servers(server.url(rate="3/day"))
        project.keys["on_finish"] = OPS
        summary = await project.send(watch=watch)

    assert summary.exit_code == 0
    assert told(server) == []
    assert any("limit is used up" in line for line in watch.lines)


async def test_a_webhook_gets_signed_json_without_secrets(project: MailProject) -> None:
    async with scripted() as server, page_server(lambda _: [page(b"ok")]) as hook:
        project.servers(server.url())
        project.keys["on_finish"] = {"webhook": f"{hook.url}/${{TOKEN}}", "secret": "${KEY}"}
        await project.send(environ={"TOKEN": "geheim-token", "KEY": "geheim-key"})

    (body,), (head,) = hook.bodies, hook.asked
    expected = hmac.new(b"geheim-key", body, hashlib.sha256).hexdigest()
    facts = json.loads(body)
    assert head.startswith("POST /geheim-token ")
    assert header(head, "x-bulkmail-signature") == f"sha256={expected}"
    assert (facts["event"], facts["campaign"], facts["sent"]) == ("finish", "letter", 3)
    assert b"geheim" not in body
    log = (project.root / ".bulkmail" / "bulkmail.log").read_text()
    assert "geheim" not in log


async def test_what_may_pass_is_tried_again_and_the_rest_is_not(project: MailProject) -> None:
    answers = iter(["503 Busy", "429 Slow down", "200 OK"])

    async with (
        scripted() as server,
        page_server(lambda _: [page(b"", status=next(answers))]) as hook,
        page_server(lambda _: [page(b"", status="404 Not Found")]) as gone,
    ):
        project.servers(server.url())
        project.keys["on_finish"] = [hook.url, gone.url]
        watch = Announcements()
        summary = await project.send(watch=watch)

    assert (len(hook.asked), len(gone.asked)) == (3, 1)
    assert len(set(hook.bodies)) == 1
    assert summary.exit_code == 0
    assert [line for line in watch.lines if "webhook" in line] == [
        "the webhook could not be told how it ended: 127.0.0.1: it answered 404"
    ]


@pytest.mark.parametrize("answer", [[], [b"garbage\r\n\r\n"], [b"HTTP/1.1 302 Found\r\n\r\n"]])
async def test_who_cannot_be_told_harms_nobody_and_is_told_the_next_time(
    project: MailProject, answer: Answer
) -> None:
    answers: list[Any] = [answer] * 3
    async with (
        scripted() as server,
        page_server(lambda _: answers.pop() if answers else [page(b"")]) as hook,
    ):
        project.servers(server.url())
        project.keys["on_finish"] = hook.url
        first = await project.send()
        asked = len(hook.asked)
        answers.clear()
        second = await project.send()
        await project.send()

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert len(hook.asked) == asked + 1


async def test_a_server_that_refuses_the_mail_is_told_and_changes_no_code(
    project: MailProject,
) -> None:
    watch = Announcements()
    async with scripted(on("rcpt", "550 5.1.1 no such operator", to=OPS)) as server:
        project.servers(server.url())
        project.keys["on_finish"] = OPS
        summary = await project.send(watch=watch)

    assert summary.exit_code == 0
    assert any("no such operator" in line for line in watch.lines)


async def test_a_login_that_was_refused_is_not_tried_for_a_mail(project: MailProject) -> None:
    async with (
        scripted(on("mail", "530 5.7.0 log in first")) as server,
        page_server(lambda _: [page(b"")]) as hook,
    ):
        project.servers(server.url())
        project.keys["on_failure"] = [OPS, hook.url]
        summary = await project.send()

    assert summary.exit_code == 3
    assert server.accepted == []
    assert json.loads(hook.bodies[0])["event"] == "failure"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"webhook": "https://x.example/", "secret": "${GONE}"}, "GONE is not set"),
        ("http://192.0.2.1/", "only https://"),
        ({"mail": "x@example.com", "webhook": "https://x"}, "one of them"),
        ("{{ email }}", "is no template"),
        ({"mail": "x@example.com", "secret": "y"}, "`secret` is for a `webhook`"),
        ("nobody", "is not an address"),
    ],
)
async def test_what_is_wrong_is_known_before_anything_is_sent(
    project: MailProject, unasked: int, value: object, sentence: str
) -> None:
    project.servers({"host": "127.0.0.1", "port": unasked, "security": "none"})
    project.keys["on_finish"] = value

    with pytest.raises(ConfigurationError) as caught:
        await project.send()

    assert sentence in str(caught.value)
    assert "on_finish" in str(caught.value)


@pytest.mark.parametrize("plain", ["http://192.0.2.1/", "HTTP://hooks.example/x", "http://[x/"])
async def test_a_webhook_without_encryption_is_told_when_it_is_read(
    project: MailProject, plain: str
) -> None:
    project.keys["on_failure"] = plain

    with pytest.raises(ConfigurationError, match=r"on_failure.*only https://"):
        Campaign.load(project.save())
    project.keys["on_failure"] = ["http://127.0.0.1:9/", "http://localhost/", "http://${HOST}/"]
    Campaign.load(project.save())
