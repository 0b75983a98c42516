"""One click, from the message through the endpoint of the docs to the ledger's list."""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from message.dkim_peer import Peer
from support.commandline import Cli
from support.mail_project import PEOPLE, MailProject
from support.pages import Page
from support.scripted_server import scripted

from bulkmail.app import records
from bulkmail.app.unsubscribing import suppress_tokens
from bulkmail.errors import ConfigurationError
from bulkmail.message.dkim.key import DkimKey
from bulkmail.secret import Secret

ADA, BOB, EVE = PEOPLE
SECRET = "0123456789abcdef"
DOCS = Path(__file__).parents[2] / "docs"


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass


@contextmanager
def endpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The program of docs/unsubscribe.md, served from `folder`; its address."""
    (block,) = [b for b in Page(DOCS / "unsubscribe.md").blocks if b.file == "endpoint.py"]
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(compile(block.text, "endpoint.py", "exec"), names)  # noqa: S102  # our own page
    with make_server("127.0.0.1", 0, names["application"], handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(url: str, body: bytes | None = None) -> tuple[int, str]:
    """GET, or POST with `body`."""
    try:
        with urllib.request.urlopen(url, body) as answer:  # noqa: S310  # http, our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def letters(project: MailProject) -> MailProject:
    """A campaign with a way out, whose dry run's letters lie in out/."""
    project.write("unsubscribe.secret", SECRET + "\n")
    project.write("templates/letter.txt.j2", "Hello {{ name }}: {{ unsubscribe_url }}\n")
    project.keys["unsubscribe"] = {
        "url": "https://example.com/u?t={token}",
        "secret": {"file": "unsubscribe.secret"},
    }
    return project


def links(folder: Path) -> dict[str, str]:
    """The path and query of each letter's link, by address."""
    found = {}
    for path in folder.rglob("*.eml"):
        match = re.search(
            rb"List-Unsubscribe: <https://example\.com(/u\?t=\w+)>", path.read_bytes()
        )
        assert match
        found[path.stem.partition("-")[2]] = match[1].decode()
    return found


async def test_a_click_in_the_letter_ends_on_the_suppression_list(
    letters: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send(limit=1)
        await letters.send(dry_run=True, out=letters.root / "out")
        paths = links(letters.root / "out")
        with endpoint(letters.root, monkeypatch) as base:
            click = b"List-Unsubscribe=One-Click"
            assert "<button>" in ask(base + paths[BOB])[1]
            assert not (letters.root / "unsubscribed.txt").exists()
            assert ask(base + paths[BOB], click) == (200, "You are unsubscribed.")
            assert ask(base + paths[BOB].upper().replace("/U?T", "/u?t"), click)[0] == 200
            assert ask(base + paths[EVE][:-1] + "1", click)[0] == 404
            assert ask(base + "/u", click)[0] == 404
        left = (letters.root / "unsubscribed.txt").read_text("utf-8").split()

        result = await suppress_tokens(letters.root, left, {})
        again = await suppress_tokens(letters.root, left, {})
        await letters.send()

    assert (result.added, result.recognised, result.refused) == (1, 1, [])
    assert (again.added, again.recognised) == (0, 1)
    assert server.got == {ADA: 1, EVE: 1}
    ((address, reason, _),) = await records.suppress_list(letters.root)
    assert (address, reason) == (BOB, "unsubscribed from letter")


async def test_what_was_sent_has_the_links_of_the_dry_run(letters: MailProject) -> None:
    contents = b"".join(await _sent(letters))

    found = links(letters.root / "out")
    assert len(found) == 3
    assert all(f"<https://example.com{link}>".encode() in contents for link in found.values())


async def _sent(project: MailProject) -> list[bytes]:
    """The contents that a server got; the dry run's letters lie in out/ as well."""
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        await project.send(dry_run=True, out=project.root / "out")
    return [arrival.content for arrival in server.arrivals]


def test_tokens_that_lead_nowhere_are_told_and_the_others_are_added(
    letters: MailProject, cli: Cli
) -> None:
    letters.write("campaigns/other.yaml", "unsubscribe: {secret: '${GONE}'}\n")
    letters.write("campaigns/broken.yaml", "unsubscribe: [\n")
    asyncio.run(_sent(letters))
    tokens = [path.partition("=")[2] for path in links(letters.root / "out").values()]
    letters.write("tokens.txt", f"{tokens[0]} 2026-01-05\n\n{tokens[1]}\n1abc\n")

    result = cli("suppress", "token", "--file", "tokens.txt", "1" + "a" * 48)

    assert result.code == 1
    assert result.out.startswith("2 addresses added.")
    assert "1abc: is no token" in result.err
    assert "was not made with this secret" in result.err
    assert cli("suppress", "token").code == 2
    assert cli("suppress", "token", "--file", "gone.txt").code == 2


async def test_without_a_secret_in_the_project_no_token_can_be_verified(
    project: MailProject,
) -> None:
    project.save()

    with pytest.raises(ConfigurationError, match=r"no `unsubscribe\.secret`"):
        await suppress_tokens(project.root, ["1abc"], {})


def test_a_secret_that_is_not_there_stops_a_send_and_not_a_check(
    letters: MailProject, cli: Cli
) -> None:
    letters.servers({"host": "mail.example.com"})
    letters.keys["unsubscribe"]["secret"] = "${UNSUBSCRIBE_SECRET}"
    letters.save()

    checked = cli("check", "letter")
    sent = cli("send", "letter")
    tried = cli("send", "letter", "--dry-run")

    assert checked.code == 0
    assert "UNSUBSCRIBE_SECRET is not set; sending needs it" in checked.out
    assert sent.code == 2
    assert "unsubscribe.secret: the environment variable UNSUBSCRIBE_SECRET is not set" in sent.err
    assert tried.code == 0
    assert "The unsubscribe links shown lead nowhere" in tried.err


def test_a_key_that_is_none_is_a_fault_and_one_that_is_yet_to_come_a_notice(
    project: MailProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.save(dkim={"domain": "example.com", "selector": "s1", "key": "${DKIM_KEY}"})
    monkeypatch.delenv("DKIM_KEY", raising=False)
    unset = cli("check", "letter")
    monkeypatch.setenv("DKIM_KEY", "no PEM")
    wrong = cli("check", "letter")

    assert unset.code == 0
    assert "DKIM_KEY is not set; sending needs it" in unset.out
    assert wrong.code == 2
    assert "dkim.key: holds no key in PEM" in wrong.err


def test_what_is_sent_and_what_a_dry_run_writes_is_signed(project: MailProject, cli: Cli) -> None:
    made = cli("dkim", "new-key", "example.com", "--selector", "s1")
    key = project.root / "dkim-s1-example.com.pem"
    assert made.code == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.name in made.out
    assert "PRIVATE KEY" not in made.out
    project.save(dkim={"domain": "example.com", "selector": "s1", "key": {"file": key.name}})
    peer = Peer([DkimKey.parse("example.com", "s1", Secret(key.read_text("ascii")))])

    contents = asyncio.run(_sent(project))
    contents += [path.read_bytes() for path in (project.root / "out").rglob("*.eml")]

    assert len(contents) == 6
    assert all(peer.verdicts(content) == [True] for content in contents)
    assert cli("check", "letter").code == 0
    key.unlink()
    for command in ("send", "check"):
        refused = cli(command, "letter")
        assert refused.code == 2
        assert "dkim.key: dkim-s1-example.com.pem cannot be read" in refused.err
    assert "without this DKIM signature" in cli("send", "letter", "--dry-run").err
